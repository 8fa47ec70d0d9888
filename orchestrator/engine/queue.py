"""The queue before a stage: always gives the best item that is ready now."""

import heapq
import itertools
from collections import deque

import anyio

from orchestrator.engine.work import Work
from orchestrator.model.ports import Clock


class StageQueue:
    """Orders work by priority, then by arrival; holds back what is not due yet.

    A retry keeps its place among its equals only from the moment it is due, so
    an item that waits out a backoff never blocks a stage.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals = itertools.count()
        self._ready: list[tuple[int, int, Work]] = []
        self._delayed: list[tuple[float, int, Work]] = []
        self._waiters: deque[anyio.Event] = deque()
        self._shrunk = anyio.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._delayed)

    def put(self, work: Work, delay: float = 0.0) -> None:
        """Add work; it may be taken after ``delay`` seconds."""
        if delay > 0:
            due = self._clock.monotonic() + delay
            heapq.heappush(self._delayed, (due, next(self._arrivals), work))
        else:
            self._push_ready(work)
        self._wake_one()

    async def get(self) -> Work:
        """The most urgent work that is due, as soon as there is some."""
        while True:
            wait = self._release_due()
            if self._ready:
                work = heapq.heappop(self._ready)[2]
                self._shrunk.set()
                if self._ready or self._delayed:
                    self._wake_one()  # someone must watch what is left
                return work
            await self._wait(wait)

    async def shorter_than(self, length: int) -> None:
        """Return once fewer than ``length`` items are queued."""
        while len(self) >= length:
            if self._shrunk.is_set():
                self._shrunk = anyio.Event()
            await self._shrunk.wait()

    async def _wait(self, seconds: float | None) -> None:
        """Sleep until woken; one put wakes one worker, not all of them."""
        woken = anyio.Event()
        self._waiters.append(woken)
        try:
            with anyio.move_on_after(seconds):
                await woken.wait()
        except BaseException:
            if woken.is_set():
                self._wake_one()  # hand the call on: this worker is going away
            raise
        finally:
            if not woken.is_set():
                self._waiters.remove(woken)

    def _wake_one(self) -> None:
        if self._waiters:
            self._waiters.popleft().set()

    def _push_ready(self, work: Work) -> None:
        entry = (-work.item.priority, next(self._arrivals), work)
        heapq.heappush(self._ready, entry)

    def _release_due(self) -> float | None:
        """Move what is due to the ready heap; seconds until the next is, if any."""
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            self._push_ready(heapq.heappop(self._delayed)[2])
        return self._delayed[0][0] - now if self._delayed else None
