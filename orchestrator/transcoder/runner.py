"""Running ffmpeg: its progress, its reasons, its limits, and its end."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.transcoder.ports import EncodingFailed
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.progress import Meter
from orchestrator.transcoder.reasons import in_plain_words

#: How much of what a process said is kept for its reason: the first lines name
#: the cause, the last ones its effect.
_FIRST_LINES, _LAST_LINES = 40, 20

#: Encoders, muxers and ffmpeg's own parts, whose complaints are not about the source.
_OUR_SIDE = re.compile(
    r"^\[(?:libx26[45]|png|mp4|image2|null|out#|vost#|aost#|of#|fc#|vf#|af#|Parsed_|auto_|swscaler)"
)
_COMPLAINT = re.compile(r"\[(?:error|fatal|panic)\]")
#: The status with which ffmpeg ends when most frames can't be decoded.
_UNDECODABLE = 69


class EncodeError(EncodingFailed):
    """Raised when ffmpeg gave up. ``source_at_fault``: no other output would fare better."""

    def __init__(self, message: str, *, source_at_fault: bool = False) -> None:
        super().__init__(message)
        self.source_at_fault = source_at_fault


class Stuck(EncodeError):
    """Raised when ffmpeg took too long, or stopped moving."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``wall`` and ``stall`` are in seconds: for all of it, and without a step forward.

    ``nice`` is added to the process's own niceness. The last step, moving an mp4's
    index to its front, copies the file without a word: ``stall`` must allow it.
    """

    wall: float = 12 * 3600.0
    stall: float = 900.0
    nice: int = 0


async def run(
    command: Sequence[str],
    *,
    folder: Path,
    source: Path,
    meter: Meter,
    tell: Callable[[float], None],
    limits: Limits,
) -> int:
    """Run one ffmpeg in ``folder``; the answer counts its complaints about the source.

    ``tell`` gets the percent whenever it rises. Raises ``EncodeError`` with a
    reason in plain words, ``Stuck`` when a limit passed. However it ends, no
    process is left.
    """
    said = _Said()
    try:
        async with (
            asyncio.timeout(limits.wall) as wall,
            child(command, cwd=folder, nice=limits.nice) as process,
        ):
            listening = asyncio.create_task(said.listen(process.stderr))
            try:
                await _watch(process.stdout, meter, tell, limits.stall)
                status = await process.wait()
                await listening
            finally:
                listening.cancel()
    except TimeoutError:
        if wall.expired():
            raise Stuck(f"encoding took longer than {limits.wall:g} seconds") from None
        raise Stuck(f"encoding stood still for {limits.stall:g} seconds") from None
    except OSError as error:
        raise EncodeError(f"ffmpeg could not be started: {error.strerror}") from error
    if status:
        raise _failure(status, said.lines, source)
    tell(100.0)
    return said.about_source


async def _watch(
    stdout: asyncio.StreamReader | None,
    meter: Meter,
    tell: Callable[[float], None],
    stall: float,
) -> None:
    """Follow the progress until ffmpeg closes it. Raises ``TimeoutError`` when it stalls."""
    if stdout is None:
        return
    clock = asyncio.get_running_loop()
    async with asyncio.timeout(stall) as patience:
        async for line in stdout:
            if meter.feed(line.decode(errors="replace")):
                patience.reschedule(clock.time() + stall)
                tell(meter.percent)


class _Said:
    """What a process says on stderr, in bounded room."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self.about_source = 0

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self._first, *self._last)

    async def listen(self, stderr: asyncio.StreamReader | None) -> None:
        if stderr is None:
            return
        async for raw in stderr:
            line = raw.decode(errors="replace").rstrip()
            if _COMPLAINT.search(line) and not _OUR_SIDE.match(line):
                self.about_source += 1
            (self._first if len(self._first) < _FIRST_LINES else self._last).append(line)


def _failure(status: int, lines: Sequence[str], source: Path) -> EncodeError:
    opening = any("Error opening input" in line for line in lines)
    if status == _UNDECODABLE:
        message = "most of the source can't be decoded: it is damaged"
        return EncodeError(message, source_at_fault=True)
    if status < 0 and not any(line.strip() for line in lines):
        killed = f"ffmpeg was ended from outside (signal {-status})"
        return EncodeError(f"{killed}; the machine may be short of memory")
    return EncodeError(in_plain_words(lines, source), source_at_fault=opening)
