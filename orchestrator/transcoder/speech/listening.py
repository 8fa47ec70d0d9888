"""Running the speech worker: its news, its limits, and its end."""

import asyncio
import json
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.speech.heard import Heard, Segment
from orchestrator.transcoder.speech.models import Mode, Model

_WORKER = Path(__file__).with_name("worker.py")
_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Work:
    """What the worker is to do. ``sound`` is headerless 16 kHz mono 16-bit PCM.

    ``language`` None detects it; ``threads`` 0 leaves their number to the libraries.
    """

    sound: Path
    model: Model
    mode: Mode
    language: str | None
    translate: bool
    words: bool
    threads: int = 0

    def command(self) -> tuple[str, ...]:
        """The command line. -P keeps this folder's modules from hiding libraries' own."""
        job = {
            "sound": str(self.sound.absolute()),
            "model": str(self.model.folder),
            "compute": self.mode.compute,
            "beam": self.mode.beam,
            "context": self.mode.context,
            "language": self.language,
            "tasks": ["transcribe", "translate"] if self.translate else ["transcribe"],
            "words": self.words,
            "threads": self.threads,
        }
        return (sys.executable, "-P", str(_WORKER), json.dumps(job))


async def listen(work: Work, tell: Callable[[float], None], limits: Limits) -> Heard:
    """Run the worker to its end; ``tell`` gets the percent whenever it rises.

    Raises ``MediaError``. However it ends, no process is left.
    """
    ear = _Ear(tell)
    try:
        async with (
            asyncio.timeout(limits.wall) as wall,
            child(work.command(), nice=limits.nice) as process,
        ):
            last = asyncio.create_task(_last_lines(process.stderr))
            try:
                await _follow(process.stdout, ear, limits.stall)
                status = await process.wait()
                said = await last
            finally:
                last.cancel()
    except TimeoutError:
        if wall.expired():
            raise MediaError(f"speech took longer than {limits.wall:g} seconds to read") from None
        raise MediaError(f"reading speech stood still for {limits.stall:g} seconds") from None
    except OSError as error:
        raise MediaError(f"the speech worker could not be started: {error.strerror}") from error
    if status:
        raise _failure(status, ear.error, said, work)
    return ear.heard()


class _Ear:
    """Takes the worker's events."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell, self._percent = tell, 0.0
        self._language: str | None = None
        self._segments: defaultdict[str, list[Segment]] = defaultdict(list)
        self.error = ""

    def take(self, event: dict[str, Any]) -> None:
        if "task" in event:
            self._segments[event["task"]].append(Segment.of(event))
        elif "percent" in event:
            if event["percent"] > self._percent:
                self._percent = event["percent"]
                self._tell(self._percent)
        elif "language" in event:
            self._language = event["language"]
        else:
            self.error = event["error"]

    def heard(self) -> Heard:
        said = tuple(self._segments["transcribe"])
        # What is English already is not sent through the model again.
        translated = said if self._language == "en" else tuple(self._segments["translate"])
        return Heard(self._language, said, translated)


async def _follow(stdout: asyncio.StreamReader | None, ear: _Ear, stall: float) -> None:
    """Take events until the worker closes them. Raises ``TimeoutError`` when it stalls."""
    if stdout is None:
        return
    clock = asyncio.get_running_loop()
    async with asyncio.timeout(stall) as patience:
        async for line in stdout:
            patience.reschedule(clock.time() + stall)
            ear.take(json.loads(line))


async def _last_lines(stderr: asyncio.StreamReader | None) -> list[str]:
    kept: deque[str] = deque(maxlen=_LAST_LINES)
    if stderr is not None:
        async for line in stderr:
            kept.append(line.decode(errors="replace").strip())
    return [line for line in kept if line]


def _failure(status: int, error: str, said: list[str], work: Work) -> MediaError:
    if status < 0:
        killed = f"the speech worker was ended from outside (signal {-status})"
        return MediaError(f"{killed}; the machine may be short of memory")
    # The last line of a traceback names what went wrong.
    reason = in_plain_words([error or (said[-1] if said else "")])
    return MediaError(f"the speech model {work.model.name} could not be run: {reason}")
