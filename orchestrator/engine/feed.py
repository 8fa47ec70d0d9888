"""Takes pending items up in their turn, page by page, so that memory stays flat."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import anyio

from orchestrator.engine.queue import StageQueue
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Ledger

#: Items read from the ledger at a time: at least this many.
PAGE = 512


class Admission(Protocol):
    """Whether one more item may be begun."""

    def admit(self, item: Item) -> str | None:
        """None, or why neither this one nor any other may be begun any more."""

    def release(self, item: Item) -> None:
        """It was admitted, and is given up."""

    def cost(self, item: Item) -> float | None:
        """What its encode, which has ended, comes to; None where nobody can say."""


class Feeder:
    """Keeps the first queue filled while there is something to take up.

    ``works`` is everything in memory, by item. ``refused`` hears why nothing more
    may be begun. ``at_most`` bounds how many items are taken up.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        queue: StageQueue,
        works: Mapping[int, Work],
        take: Callable[[Item], None],
        refused: Callable[[str], None],
        *,
        admission: Admission | None,
        page: int,
        at_most: int | None,
        follow: bool,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._queue = queue
        self._works = works
        self._take = take
        self._refused = refused
        self._admission = admission
        self._page = max(PAGE, page)
        self._left = math.inf if at_most is None else at_most
        self._follow = follow
        self._shut = False
        self._asked = False
        self._news = anyio.Event()
        #: Taken up, and perhaps still pending on disk: a later step is on its way there.
        self._fresh: set[int] = set()

    @property
    def fresh(self) -> Collection[int]:
        """Items that were taken up, and that the ledger may still call pending."""
        return self._fresh

    def shut(self) -> None:
        """Take nothing more up."""
        self._shut = True
        self._news.set()

    def look_again(self) -> None:
        """Something more urgent may be pending: have a look, however full the queue is."""
        self._asked = True
        self._news.set()

    def stir(self) -> None:
        """Something ended, or the queue ran low: there may be something to do."""
        self._news.set()

    def hungry(self) -> None:
        """Called before each item is taken from the queue."""
        if self._low:
            self._news.set()

    def on_its_way(self, item: int) -> None:
        """The ledger does not call the item pending any more, or it is not ours any more."""
        self._fresh.discard(item)

    async def run(self) -> None:
        """Feed; returns when nothing is left to do, and nothing under way."""
        while True:
            self._news = anyio.Event()
            wait = None
            if not self._shut:
                looked = self._clock.now()
                if self._wanting() and await self._take_up():
                    continue
                wait = await self._until_due(looked)
            if wait is None and not self._works and (self._shut or not self._follow):
                return
            with anyio.move_on_after(wait):
                await self._news.wait()

    def _wanting(self) -> bool:
        asked, self._asked = self._asked, False
        return asked or self._low

    @property
    def _low(self) -> bool:
        # What is in memory is read again with the next page, only to be passed over.
        return len(self._queue) <= self._page // 8

    async def _take_up(self) -> int:
        """Take a page; how many items it had. At the bound, nothing more is taken."""
        items = await self._ledger.pending(int(min(self._page, self._left)), self._fresh)
        for item in items:
            reason = self._admission.admit(item) if self._admission else None
            if reason is not None:
                self._refused(reason)
                break
            self._left -= 1
            self._fresh.add(item.id)
            self._take(item)
        if self._left <= 0:
            self._shut = True
        return len(items)

    async def _until_due(self, looked: float) -> float | None:
        due = await self._ledger.next_due(looked)
        return None if due is None else max(0.0, due - self._clock.now())
