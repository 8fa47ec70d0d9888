"""Encodes side by side, as many as the machine's memory holds.

How much an encode needs is estimated from frames, which is what an encoder
keeps: a rendition holds some ninety of its own (lookahead, references, threads),
the decoder some twenty-five of the source. That is more than x264 took in every
measurement, up to 2160p, and less than twice as much.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.transcoder.plan import Material, Pass, Plan

_BASE = 96 * 1024**2
_DECODER_FRAMES = 25
_ENCODER_FRAMES = 90
#: Bytes of a pixel (yuv420p).
_PIXEL = 1.5
#: The share of the machine's memory that encodes may take together.
_SHARE = 0.75
_LIMIT_OF_GROUP = Path("/sys/fs/cgroup/memory.max")


class Memory:
    """Bytes that encodes share, first come first served. ``total`` 0 asks the machine."""

    def __init__(self, total: int = 0) -> None:
        self._total = self._free = total or int(_machine() * _SHARE)
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, needed: int) -> AsyncIterator[None]:
        """Wait until so much is free, and keep it; what needs more than all takes all."""
        wanted = min(needed, self._total)
        await self._take(wanted)
        try:
            yield
        finally:
            self._give(wanted)

    async def _take(self, wanted: int) -> None:
        if not self._waiting and wanted <= self._free:
            self._free -= wanted
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(wanted)  # it came in the same moment
            self._let_in()
            raise

    def _give(self, held: int) -> None:
        self._free += held
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.cancelled():
                if wanted > self._free:
                    return
                self._free -= wanted
                turn.set_result(None)
            self._waiting.popleft()


def needed(plan: Plan, film: Material) -> int:
    """An upper estimate of the bytes that the largest step of a plan takes."""
    source = max((each.width * each.height for each in film.probe.video), default=0)
    passes = [step for step in plan.steps if isinstance(step, Pass)]
    made = [sum(each.width * each.height for each in step.renditions) for step in passes]
    frames = source * _DECODER_FRAMES + max(made, default=0) * _ENCODER_FRAMES
    return _BASE + int(frames * _PIXEL)


def _machine() -> int:
    """The machine's memory in bytes, or the container's where that is less."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _LIMIT_OF_GROUP.read_text(encoding="ascii").strip()
    except OSError:
        return found
    return min(found, int(limit)) if limit.isdecimal() else found
