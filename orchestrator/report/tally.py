"""What a run has done so far, in counters.

Fed by the engine thousands of times per second, so an event costs a few
additions; everything that needs looking at many items is left to whoever reads
the tally. One thread may feed it while another reads it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.model.items import Item
from orchestrator.model.ports import Phase
from orchestrator.model.states import IN_FLIGHT, SETTLED, State
from orchestrator.report.pace import Pace

#: How much of an item's way lies behind it as it enters a state. The encode is
#: most of the waiting; the true shares differ by job and only shape the bar.
_BEHIND = {
    State.PENDING: 0.0,
    State.UPLOADING: 0.0,
    State.UPLOADED: 0.3,
    State.STARTING: 0.3,
    State.ENCODING: 0.3,
    State.COLLECTING: 0.9,
}
_SHARE = {State.UPLOADING: 0.3, State.ENCODING: 0.6, State.COLLECTING: 0.1}

_BYTES_WINDOW = 10.0
_ITEMS_WINDOW = 600.0
#: An estimate that stands on fewer finished items than this would be a guess.
_ENOUGH = 3


@dataclass(slots=True)
class Flight:
    """An item on its way. ``done`` and ``total`` are bytes of the present transfer."""

    key: str
    state: State
    since: float
    service: str = ""
    done: int = 0
    total: int = 0
    percent: float = 0.0
    phase: Phase | None = None

    @property
    def fraction(self) -> float:
        """How much of the present state's work is done, 0 to 1."""
        if self.state is State.ENCODING:
            return min(1.0, self.percent / 100)
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def way(self) -> float:
        """How much of the item's whole way is done, 0 to 1."""
        return _BEHIND[self.state] + _SHARE.get(self.state, 0.0) * self.fraction


@dataclass(slots=True)
class Share:
    """What one of several services has done in this run."""

    completed: int = 0
    failed: int = 0


class Tally:
    """Counters of a run, and what is on its way. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.counts: dict[State, int] = dict.fromkeys(State, 0)
        self.phases: dict[Phase, int] = dict.fromkeys(Phase, 0)
        self.total: int | None = None
        self.settled = 0
        self.sent_bytes = 0
        self.got_bytes = 0
        self.began_at: float | None = None
        #: By service, in their order; empty where the run has but one.
        self.shares: dict[str, Share] = {}
        self._failed_at: dict[int, Share] = {}
        self._flights: dict[int, Flight] = {}
        self._items = Pace(_ITEMS_WINDOW)
        self._sent = Pace(_BYTES_WINDOW)
        self._got = Pace(_BYTES_WINDOW)

    # --- fed by the engine ---

    def began(self, counts: Mapping[State, int], now: float, services: Sequence[str] = ()) -> None:
        """The run starts with this many items in each state, at these services if several."""
        self.shares = {name: Share() for name in services}
        self.counts = dict.fromkeys(State, 0) | dict(counts)
        self.total = sum(counts.values())
        self.began_at = now
        self.look(now)

    def moved(self, item: Item, was: State, now: float) -> None:
        """An item's step is on disk."""
        state = item.state
        if state is not was:
            self.counts[was] -= 1
            self.counts[state] += 1
            self.settled += (state in SETTLED) - (was in SETTLED)
            self._leave(item.id)
            if state in IN_FLIGHT:
                self._flights[item.id] = Flight(item.key, state, now, _service(item))
            if self.shares:
                self._share(item, was)

    def sent(self, item: Item, done: int, total: int, now: float) -> None:
        """Bytes of an item's source that have arrived."""
        flight = self._flights.get(item.id)
        if flight is None:  # taken up again: what went up before is not this run's doing
            flight = self._flights[item.id] = _again(item, now, done)
        self.sent_bytes += max(0, done - flight.done)
        flight.done, flight.total = done, total

    def percent(self, item: Item, phase: Phase, percent: float, now: float) -> None:
        """How far the service is with an item."""
        flight = self._flights.get(item.id)
        if flight is None:
            flight = self._flights[item.id] = _again(item, now)
        if flight.phase is not phase:
            if flight.phase is not None:
                self.phases[flight.phase] -= 1
            self.phases[phase] += 1
            flight.phase = phase
        flight.percent = percent

    def got(self, item: Item, done: int, total: int | None, now: float) -> None:
        """Bytes of an item's outputs that were collected."""
        flight = self._flights.get(item.id)
        if flight is None:
            flight = self._flights[item.id] = _again(item, now, done)
        self.got_bytes += max(0, done - flight.done)
        flight.done, flight.total = done, total or 0

    def _leave(self, number: int) -> None:
        flight = self._flights.pop(number, None)
        if flight is not None and flight.phase is not None:
            self.phases[flight.phase] -= 1

    def _share(self, item: Item, was: State) -> None:
        """Count for a service what has ended there; what failed and is tried again has not."""
        if was is State.FAILED and (failed := self._failed_at.pop(item.id, None)):
            failed.failed -= 1
        share = self.shares.get(_service(item))
        if share is None:
            return
        if item.state is State.COMPLETED:
            share.completed += 1
        elif item.state is State.FAILED:
            share.failed += 1
            self._failed_at[item.id] = share

    # --- read by whoever draws ---

    def look(self, now: float) -> None:
        """Measure the paces; to be called a few times per second, or less often."""
        self._items.look(now, self.settled)
        self._sent.look(now, self.sent_bytes)
        self._got.look(now, self.got_bytes)

    def flights(self) -> tuple[Flight, ...]:
        """What is on its way, the longest under way first."""
        return tuple(self._flights.values())

    def flying(self) -> Counter[str]:
        """How many items are on their way at each service."""
        return Counter(flight.service for flight in self.flights())

    @property
    def finished(self) -> int:
        """Items with which nothing is left to do, those from before the run included."""
        return sum(self.counts[state] for state in SETTLED)

    def fraction(self) -> float | None:
        """How much of the whole is done, 0 to 1; None where the whole is not known.

        Items on their way count for the part of it that lies behind them.
        """
        if not self.total:
            return None
        ways = sum(flight.way for flight in self.flights())
        return min(1.0, (self.finished + ways) / self.total)

    def per_second(self, now: float) -> float | None:
        """Items settled per second, lately.

        Where few were settled lately it is that of the whole run, but no more
        than those few allow: a run that came to a halt must not look fast.
        """
        if self.began_at is None or self.settled < 1 or now - self.began_at < 1.0:
            return None
        if self._items.growth(self.settled) >= _ENOUGH:
            return self._items.per_second(now, self.settled)
        elapsed = now - self.began_at
        return min(self.settled / elapsed, _ENOUGH / min(elapsed, _ITEMS_WINDOW))

    def left(self, now: float) -> float | None:
        """Seconds until the end at the measured pace; None while that would be a guess."""
        pace, fraction = self.per_second(now), self.fraction()
        if not pace or fraction is None or self.total is None or self.settled < _ENOUGH:
            return None
        return (1.0 - fraction) * self.total / pace

    def sent_per_second(self, now: float) -> float:
        """Bytes uploaded per second, lately."""
        return self._sent.per_second(now, self.sent_bytes) or 0.0

    def got_per_second(self, now: float) -> float:
        """Bytes collected per second, lately."""
        return self._got.per_second(now, self.got_bytes) or 0.0


def _again(item: Item, now: float, done: int = 0) -> Flight:
    """An item that was on its way when the run began."""
    return Flight(item.key, item.state, now, _service(item), done)


def _service(item: Item) -> str:
    return item.attempt.service if item.attempt is not None else ""
