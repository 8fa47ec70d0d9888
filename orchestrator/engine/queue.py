"""The queue before a stage: always gives the best item that is ready now."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Mapping

import anyio

from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock

#: Entries that no longer count are swept once they are more than this, and than the others.
_STALE = 64


class StageQueue:
    """Orders work by turn (``model.turns``), then by arrival; holds back what is not due yet.

    A retry keeps its place among its equals only from the moment it is due, so
    an item that waits out a backoff never blocks a stage. An item is queued once
    at most. Of its entries only the one with its ticket counts: removed work
    leaves one behind that is passed over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._tickets: dict[int, int] = {}
        #: rank, less its weight, ticket (they grow: who has the smaller arrived first), work
        self._ready: list[tuple[float, int, int, Work]] = []
        #: when it is due, ticket, work
        self._delayed: list[tuple[float, int, Work]] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._tickets)

    @property
    def ready(self) -> int:
        """How many items wait for nothing but their turn."""
        self._release_due()
        return max(0, len(self._tickets) - len(self._delayed))

    @property
    def takers(self) -> int:
        """How many wait for an item to take."""
        return len(self._waiters)

    def put(self, work: Work, delay: float = 0.0) -> None:
        """Add work; it may be taken after ``delay`` seconds."""
        if delay > 0:
            entry = (self._clock.monotonic() + delay, self._new_ticket(work), work)
            heapq.heappush(self._delayed, entry)
        else:
            self._push_ready(work)
        self._wake_one()

    async def get(self) -> Work:
        """The work whose turn is first of what is due, as soon as there is some."""
        while True:
            wait = self._release_due()
            if self._some_ready():
                work = heapq.heappop(self._ready)[-1]
                del self._tickets[work.item.id]
                if self._tickets:
                    self._wake_one()  # someone must watch what is left
                return work
            await self._wait(wait)

    def best(self) -> tuple[float, int] | None:
        """The turn of what ``get`` would give now: the smaller goes first. None: nothing."""
        self._release_due()
        return self._ready[0][:2] if self._some_ready() else None

    def reorder(self, items: Mapping[int, Item]) -> None:
        """Give the queued ones of these items, by id, their new snapshots and turns.

        Equals stay as they arrived. What is not queued here is left alone.
        """
        if items.keys().isdisjoint(self._tickets):
            return
        for work in [entry[-1] for entry in self._ready] + [entry[-1] for entry in self._delayed]:
            if work.item.id in items and work.item.id in self._tickets:
                work.item = items[work.item.id]
        self._rebuild()

    def remove(self, item: int) -> bool:
        """Take the item of that id out, due or not; whether it was queued here."""
        if self._tickets.pop(item, None) is None:
            return False
        if len(self._ready) + len(self._delayed) > max(_STALE, 2 * len(self._tickets)):
            self._rebuild()
        return True

    async def _wait(self, seconds: float | None) -> None:
        """Sleep until woken; one put wakes one worker, not all of them."""
        if self._loop is None:  # to ask for it each time is a system call
            self._loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(woken)
        try:
            if seconds is None:
                await woken
            else:
                with anyio.move_on_after(seconds):
                    await woken
        except BaseException:
            if not woken.cancelled():
                self._wake_one()  # hand the call on: this worker is going away
            raise
        finally:
            if woken.cancelled() and woken in self._waiters:
                self._waiters.remove(woken)

    def _wake_one(self) -> None:
        while self._waiters:
            woken = self._waiters.popleft()
            if not woken.done():  # else its worker is being cancelled
                woken.set_result(None)
                return

    def _new_ticket(self, work: Work) -> int:
        ticket = self._tickets[work.item.id] = next(self._numbers)
        return ticket

    def _push_ready(self, work: Work) -> None:
        entry = (work.item.rank, -work.item.weight, self._new_ticket(work), work)
        heapq.heappush(self._ready, entry)

    def _counts(self, work: Work, ticket: int) -> bool:
        return self._tickets.get(work.item.id) == ticket

    def _some_ready(self) -> bool:
        """Whether some work is ready; then the first entry is one that counts."""
        while self._ready and not self._counts(self._ready[0][3], self._ready[0][2]):
            heapq.heappop(self._ready)
        return bool(self._ready)

    def _release_due(self) -> float | None:
        """Move what is due to the ready heap; seconds until the next is, if any."""
        if not self._delayed:
            return None
        now = self._clock.monotonic()
        while self._delayed:
            due, ticket, work = self._delayed[0]
            counts = self._counts(work, ticket)
            if counts and due > now:
                return due - now
            heapq.heappop(self._delayed)
            if counts:
                self._push_ready(work)
        return None

    def _rebuild(self) -> None:
        """Sort anew by the present turns, without the entries that no longer count."""
        self._ready = [
            (work.item.rank, -work.item.weight, ticket, work)
            for _, _, ticket, work in self._ready
            if self._counts(work, ticket)
        ]
        self._delayed = [entry for entry in self._delayed if self._counts(entry[2], entry[1])]
        heapq.heapify(self._ready)
        heapq.heapify(self._delayed)
