"""Encodes side by side, as many as the machine's memory holds.

How much an encode needs is estimated from frames, which is what codecs keep: the
decoder some of the source, each rendition many of its own (lookahead, references),
more with each thread. The numbers are rules of thumb, made to be above what ffmpeg
9.0 took (peak resident set) of a 25 fps test picture: libx264 and libx265 (medium),
libvpx-vp9 (cpu-used 4 and 5) and libsvtav1 (preset 10), at 854x480 and 1920x1080, with
one, two and eight threads. There they are up to two thirds above it. Other presets, deeper
pixels and larger frames were not measured; a quarter of the memory is left for those.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from orchestrator.transcoder.plan import Comparison, Material, Pass, Plan, Rendition, Step

_BASE: Final = 96 * 1024**2
_DECODER_FRAMES: Final = 25
#: Frames of a rendition: those of its encoder, and the further ones of each thread.
_ENCODER_FRAMES: Final = {
    "libx264": (80, 10),
    "libx265": (80, 18),
    "libvpx": (60, 6),
    "libvpx-vp9": (60, 6),
    "libsvtav1": (30, 45),
}
_OTHER_FRAMES: Final = _ENCODER_FRAMES["libx264"]
#: What a thread of an encoder has beside its frames, in bytes.
_THREAD: Final = 8 * 1024**2
#: The lookahead that the numbers above hold.
_LOOKAHEAD: Final = 40
#: Frames of a comparison by VMAF, for each thread.
_MEASURED_FRAMES: Final = 30
#: Bytes of a pixel (yuv420p).
_PIXEL: Final = 1.5
#: The share of the machine's memory that encodes may take together.
_SHARE: Final = 0.75
_LIMIT_OF_GROUP: Final = Path("/sys/fs/cgroup/memory.max")


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


def needed(plan: Plan, film: Material, threads: int = 0) -> int:
    """An estimate, on the high side, of the bytes that the largest step of a plan takes.

    Its per-title analyses are counted as steps. ``threads`` limits each codec (0: as
    many as there are cores).
    """
    source = max((each.width * each.height for each in film.probe.video), default=0)
    threads = threads or os.cpu_count() or 1
    steps = (_step(step, source, threads) for step in plan.steps)
    return _BASE + int(source * _DECODER_FRAMES * _PIXEL) + max(steps, default=0)


def _step(step: Step, source: int, threads: int) -> int:
    """What a step takes beside the decoder of the source (of ``source`` pixels)."""
    match step:
        case Pass():
            together = sum(_encoder(made, threads) for made in step.renditions)
            alone = (
                _measured(_pixels(each), threads) for each in step.renditions if _is_searched(each)
            )
            return max(together, *alone, 0)
        case Comparison():
            return _measured(source, threads)
        case _:
            return 0


def _encoder(made: Rendition, threads: int) -> int:
    if made.picture is None:
        return 0
    frames, more = _ENCODER_FRAMES.get(getattr(made.asked, "video_codec", ""), _OTHER_FRAMES)
    given = getattr(made.asked, "video_codec_parameters", None)
    ahead = max(0, (given.rc_lookahead or 0) - _LOOKAHEAD) if given else 0
    kept = frames + more * threads + ahead
    return int(_pixels(made) * kept * _PIXEL) + _THREAD * threads


def _measured(pixels: int, threads: int) -> int:
    """A comparison decodes another picture beside the source's."""
    return int(pixels * (_DECODER_FRAMES + _MEASURED_FRAMES * threads) * _PIXEL)


def _pixels(made: Rendition) -> int:
    return made.width * made.height


def _is_searched(made: Rendition) -> bool:
    """Whether its rate factor is searched for."""
    return bool(getattr(made.asked, "optimize_bitrate", False))


def _machine() -> int:
    """The machine's memory in bytes, or the container's where that is less."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _LIMIT_OF_GROUP.read_text(encoding="ascii").strip()
    except OSError:
        return found
    return min(found, int(limit)) if limit.isdecimal() else found
