"""Observers that show a person how a run is going.

Nothing here may slow a run: its events only count. Drawing is a thread's work,
so that a terminal that stands still (a dropped connection, a pressed Ctrl-S)
holds up the picture and never the run.
"""

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Phase
from orchestrator.model.states import State
from orchestrator.report.screen import line, picture
from orchestrator.report.tally import Tally
from orchestrator.report.words import name, printable

FRAMES_PER_SECOND = 8
SECONDS_PER_LINE = 30.0
#: Notes that may wait for the thread; in a storm of them the oldest are dropped.
_NOTES = 200
#: How long the end of a run waits for a terminal that takes nothing more.
_PATIENCE = 2.0


class _Progress(ABC):
    """Counts, and has a thread show what was counted every ``period`` seconds."""

    period: float

    def __init__(self, job: str, console: Console, clock: Clock) -> None:
        self.tally = Tally()
        self._job = name(job)
        self._console = console
        self._clock = clock
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def began(self, counts: Mapping[State, int], services: Sequence[str] = ()) -> None:
        """See ``RunObserver``."""
        self.tally.began(counts, self._clock.monotonic(), services)

    def moved(self, item: Item, was: State) -> None:
        """See ``Observer``."""
        self.tally.moved(item, was, self._clock.monotonic())

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``Observer``."""
        self.tally.sent(item, done, total, self._clock.monotonic())

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``Observer``."""
        self.tally.percent(item, phase, percent, self._clock.monotonic())

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``Observer``."""
        self.tally.got(item, done, total, self._clock.monotonic())

    def note(self, message: str) -> None:
        """See ``Observer``."""
        self._notes.append(message)

    def __enter__(self) -> Self:
        """Start to show."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the last state and leave the terminal as it was found."""
        self._end.set()
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        # A terminal that went away takes the picture with it, not the run.
        with contextlib.suppress(OSError, ValueError):
            self._show_until_ended()

    def _show_until_ended(self) -> None:
        self.show(self._clock.monotonic())
        while not self._end.wait(self.period):
            self.show(self._clock.monotonic())
        self.show_notes()

    @abstractmethod
    def show(self, now: float) -> None:
        """Show the notes that came in, and how things stand."""

    def show_notes(self) -> None:
        """Show the notes that came in."""
        stamp = time.strftime("%H:%M:%S", time.localtime(self._clock.now()))
        while self._notes:
            text = Text(f"{stamp} ", style="dim").append(
                printable(self._notes.popleft()), style="default"
            )
            self._console.print(text)


class LiveProgress(_Progress):
    """A picture at the foot of a terminal, redrawn eight times per second."""

    period = 1 / FRAMES_PER_SECOND

    def __init__(self, job: str, console: Console, clock: Clock) -> None:
        super().__init__(job, console, clock)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def show(self, now: float) -> None:
        """Redraw."""
        self.show_notes()
        self.tally.look(now)
        self._live.update(picture(self._job, self.tally, now, self._console.width), refresh=True)

    def _show_until_ended(self) -> None:
        with self._live:
            super()._show_until_ended()


class PlainProgress(_Progress):
    """A line of text now and then, for logs and pipes; notes at once."""

    period = 1.0

    def __init__(self, job: str, console: Console, clock: Clock) -> None:
        super().__init__(job, console, clock)
        self._next = 0.0

    def show(self, now: float) -> None:
        """Write the notes at once, and a line if the last one is old enough."""
        self.show_notes()
        self.tally.look(now)
        if self.tally.began_at is None:
            return
        if not self._next:
            self._next = now + SECONDS_PER_LINE
        if now >= self._next:
            self._next = now + SECONDS_PER_LINE
            stamp = time.strftime("%H:%M:%S", time.localtime(self._clock.now()))
            self._console.print(Text(f"{stamp} {line(self._job, self.tally, now)}"), soft_wrap=True)


def progress(job: str, console: Console, clock: Clock) -> LiveProgress | PlainProgress:
    """The observer that suits the console: a picture on a terminal, else lines."""
    suited = LiveProgress if console.is_terminal and not console.is_dumb_terminal else PlainProgress
    return suited(job, console, clock)
