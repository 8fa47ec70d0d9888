"""The failure-rate breaker: when most items fail, something is wrong with more than the items.

It shuts the valve, waits, lets one item through, and goes by what becomes of it.
Whoever finds at breakfast that a key had lost its rights wants to read of 20
failed items, not of 200,000.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from orchestrator.model.errors import BadInput, SourceChanged, SourceMissing, TooManyFailures
from orchestrator.model.items import Item
from orchestrator.model.states import State

#: The longest pause before a probe, in seconds.
LONGEST = 3600.0

#: Failures that say something of one source or row, and nothing of the service or the job.
_ITS_OWN = frozenset(error.error_class for error in (BadInput, SourceMissing, SourceChanged))

#: An item in one of these has been begun.
_BEGUN = frozenset({State.UPLOADING, State.STARTING})

#: An item in one of these is not on its way any more.
_ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.PENDING})


def counts(error_class: str) -> bool:
    """Whether a failure of this class says something of the service, the job or this machine."""
    return error_class not in _ITS_OWN


class Doorway(Protocol):
    """What keeps new work back: a valve."""

    def shut(self, reason: str) -> None:
        """Let nothing begin while ``reason`` stands."""

    def open(self, reason: str) -> None:
        """Take the reason back."""

    def let_one(self) -> None:
        """Let one item begin all the same."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When the breaker acts: more than ``percent`` of the last ``of_last`` items failed.

    ``pause`` (seconds) comes before the first probe and doubles before each one
    after it. ``probes`` that fail, one after the other, end the run. With
    ``percent`` at 100 it never acts.
    """

    percent: float = 50.0
    of_last: int = 20
    pause: float = 60.0
    probes: int = 3


class Breaker:
    """Hears of every step of every item; ``run`` is the task in which it waits."""

    def __init__(self, bounds: Bounds, valve: Doorway, note: Callable[[str], None]) -> None:
        self._bounds = bounds
        self._valve = valve
        self._note = note
        self._last: deque[str] = deque(maxlen=bounds.of_last)
        self._failed = 0
        self._reason = ""
        self._tripped = anyio.Event()
        self._probes: set[int] = set()
        self._verdict: list[bool] = []
        self._heard = anyio.Event()

    def moved(self, item: Item, was: State) -> None:
        """An item has taken a step. Returns at once."""
        state = item.state
        if state is was:
            return
        if state in _ENDED:
            self._ended(item)
        elif self._reason and state in _BEGUN:
            self._probes.add(item.id)

    def _ended(self, item: Item) -> None:
        failed = item.state is State.FAILED and counts(item.error_class or "")
        tells = failed or item.state is State.COMPLETED
        if self._reason:
            # What was begun before tells nothing of how things are now.
            if item.id in self._probes:
                self._probes.discard(item.id)
                self._verdict += [failed] if tells else []
                self._heard.set()
        elif tells:
            self._count(item.error_class or "error" if failed else "")

    def _count(self, error_class: str) -> None:
        if len(self._last) == self._last.maxlen and self._last[0]:
            self._failed -= 1
        self._last.append(error_class)
        self._failed += bool(error_class)
        if self._failed * 100 > self._bounds.percent * self._bounds.of_last:
            self._trip()

    def _trip(self) -> None:
        self._reason = f"too many failures: {self._failed} of the last {len(self._last)} items"
        self._valve.shut(self._reason)
        self._tripped.set()

    async def run(self) -> None:
        """Wait for ever for too many failures, and see each time whether it gets better.

        Raises ``TooManyFailures`` when it does not.
        """
        while True:
            await self._tripped.wait()
            await self._see()
            self._forget()

    async def _see(self) -> None:
        pause = self._bounds.pause
        trouble = f"{self._reason} ({self._classes()})"
        for number in range(self._bounds.probes):
            self._note(f"Nothing new for {pause:.0f} s, then one item is tried; {trouble}")
            await anyio.sleep(pause)
            if not await self._probe_fails():
                self._note("The item that was tried is done: going on.")
                return
            trouble = f"the item that was tried failed too ({number + 1} so far)"
            pause = min(2 * pause, LONGEST)
        raise TooManyFailures(
            f"{self._reason} failed ({self._classes()}), and so did the "
            f"{self._bounds.probes} tried since, one by one: the cause is most likely one for "
            "all. Everything can go on: put it right, then run again; `retry` brings the "
            "failed items back"
        )

    async def _probe_fails(self) -> bool:
        """Let items begin one by one until one of them ends in a way that tells something."""
        self._verdict.clear()
        while not self._verdict:
            self._heard = anyio.Event()
            self._valve.let_one()
            await self._heard.wait()
        return self._verdict[0]

    def _forget(self) -> None:
        reason, self._reason = self._reason, ""
        self._last.clear()
        self._failed = 0
        self._probes.clear()
        self._tripped = anyio.Event()
        self._valve.open(reason)

    def _classes(self) -> str:
        found = Counter(error_class for error_class in self._last if error_class)
        return ", ".join(f"{number} {name}" for name, number in found.most_common())
