"""Keeps a run within its hours: waits for the opening, closes it at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from orchestrator.model.ports import Clock

#: The wall clock may be set while we sleep: look at it at least this often, in seconds.
LOOK = 60.0

_NOT_YET = "not open yet"


class Shuttable(Protocol):
    """What keeps new work back: a valve."""

    def shut(self, reason: str) -> None:
        """Let nothing begin while ``reason`` stands."""

    def open(self, reason: str) -> None:
        """Take the reason back."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a run may begin things, UNIX seconds; None: from the start, to its end.

    ``early`` is what people are told before it opens, ``late`` why it is closed.
    """

    opens_at: float | None = None
    closes_at: float | None = None
    early: str = ""
    late: str = ""


class Closing:
    """Shuts the valve until the hours begin, and calls ``close`` when they are over.

    What is at the service already is followed all the while.
    """

    def __init__(
        self,
        hours: Hours,
        clock: Clock,
        valve: Shuttable,
        close: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._hours = hours
        self._clock = clock
        self._valve = valve
        self._close = close
        self._note = note
        self._early = hours.opens_at is not None and clock.now() < hours.opens_at
        if self._early:
            valve.shut(_NOT_YET)

    async def run(self) -> None:
        """Returns once it has closed; at once where the run has no hours."""
        hours = self._hours
        if self._early and hours.opens_at is not None:
            self._note(hours.early)
            await until(hours.opens_at, self._clock)
            self._valve.open(_NOT_YET)
        if hours.closes_at is not None:
            await until(hours.closes_at, self._clock)
            self._close(hours.late)


async def until(moment: float, clock: Clock) -> None:
    """Sleep until ``clock`` shows ``moment``, though it be set forward or back meanwhile."""
    # No event tells that a clock was set.
    while (left := moment - clock.now()) > 0:  # noqa: ASYNC110
        await anyio.sleep(min(left, LOOK))
