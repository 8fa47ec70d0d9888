"""How one engine sees the ledger, the run and its own doors, where there are several."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass

from orchestrator.engine.breaker import Doorway
from orchestrator.engine.dispatch import PAGE, Dispatcher, SharedLedger
from orchestrator.engine.feed import Admission
from orchestrator.model.errors import Moved, Superseded
from orchestrator.model.items import Change, Item, Output
from orchestrator.model.ports import Observer, Phase
from orchestrator.model.states import State


class Share:
    """One service's share of a ledger: ``model.ports.Ledger``.

    What is pending is what the dispatcher has for it; what is in flight at another
    service of the run is that one's. ``strangers`` says whether items at services
    that are not of the run are told here.
    """

    def __init__(
        self, name: str, ledger: SharedLedger, dispatcher: Dispatcher, *, strangers: bool
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._strangers = strangers
        self._last: Awaitable[None] | None = None

    def post(self, change: Change) -> Awaitable[None]:
        """See ``Ledger``. The first step of an attempt says why it is made here."""
        if change.was is State.PENDING and not change.note:
            change.note = self._dispatcher.reason(change.item)
        self._last = self._ledger.post(change)
        return self._last

    async def pending(self, limit: int, skip: Collection[int]) -> list[Item]:  # noqa: ARG002
        """What this service is to begin now."""
        return await self._dispatcher.pending(self._name)

    async def in_flight(self, states: Collection[State], after: int, limit: int) -> list[Item]:
        """See ``Ledger``."""
        while page := await self._ledger.in_flight(states, after, limit):
            if ours := [item for item in page if self._is_told(item)]:
                return ours
            after = page[-1].id
        return []

    async def outputs(self, item: Item) -> tuple[Output, ...]:
        """See ``Ledger``."""
        return await self._ledger.outputs(item)

    async def next_due(self, after: float) -> float | None:
        """See ``Ledger``."""
        return await self._dispatcher.next_due(self._name, after)

    async def leave(self, reason: str, now: float) -> AsyncIterator[tuple[Item, State]]:
        """The engine has ended: what it had uploaded, and not started, is pending again.

        Each item, and the state that it was in.
        """
        await self._written()
        states, after = (State.UPLOADING, State.UPLOADED), 0
        while page := await self._ledger.in_flight(states, after, PAGE):
            for item in page:
                if item.attempt is not None and item.attempt.service == self._name:
                    ended = item.attempt.but(
                        ended_at=now, error_class=Moved.error_class, error=reason
                    )
                    pending = item.to(State.PENDING, attempt=ended)
                    with contextlib.suppress(Superseded):  # a person has cancelled it
                        await self.post(Change(pending, item.state, None, reason, item))
                        yield pending, item.state
            after = page[-1].id

    async def _written(self) -> None:
        """Return once all that was posted here is on disk, or was refused."""
        if self._last is not None:
            await asyncio.wait([asyncio.ensure_future(self._last)])

    def _is_told(self, item: Item) -> bool:
        service = item.attempt.service if item.attempt else ""
        if service in self._dispatcher.members:
            return service == self._name
        return self._strangers


@dataclass(frozen=True, slots=True)
class Told:
    """What one engine does, told to the dispatcher and passed on with the service's name."""

    name: str
    inner: Observer
    dispatcher: Dispatcher

    def moved(self, item: Item, was: State) -> None:
        """See ``Observer``."""
        self.dispatcher.moved(self.name, item, was)
        self.inner.moved(item, was)

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``Observer``."""
        self.inner.sent(item, done, total)

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``Observer``."""
        self.inner.percent(item, phase, percent)

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``Observer``."""
        self.inner.got(item, done, total)

    def note(self, message: str) -> None:
        """See ``Observer``."""
        self.inner.note(f"{self.name}: {message}")


@dataclass(frozen=True, slots=True)
class Watched:
    """An entrance whose breaker tells the dispatcher what it does. ``turned`` is called then."""

    inner: Doorway
    name: str
    dispatcher: Dispatcher
    turned: Callable[[], None]

    def shut(self, reason: str) -> None:
        """See ``Doorway``."""
        self.inner.shut(reason)
        self.dispatcher.members[self.name].failing = True
        self.turned()

    def open(self, reason: str) -> None:
        """See ``Doorway``."""
        self.inner.open(reason)
        member = self.dispatcher.members[self.name]
        member.failing, member.probes = False, 0
        self.turned()

    def let_one(self) -> None:
        """See ``Doorway``."""
        self.inner.let_one()
        self.dispatcher.members[self.name].probes = 1
        self.dispatcher.news()


@dataclass(frozen=True, slots=True)
class SharedAdmission:
    """A run's admission: when it refuses one engine, all hear of it."""

    inner: Admission
    refused: Callable[[str], None]

    def admit(self, item: Item) -> str | None:
        """See ``Admission``."""
        reason = self.inner.admit(item)
        if reason is not None:
            self.refused(reason)
        return reason

    def release(self, item: Item) -> None:
        """See ``Admission``."""
        self.inner.release(item)

    def cost(self, item: Item) -> float | None:
        """See ``Admission``."""
        return self.inner.cost(item)
