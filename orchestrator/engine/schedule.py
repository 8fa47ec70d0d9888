"""Which tasks to ask for next, and where: decisions only, no waiting and no calls."""

import heapq
import itertools
from dataclasses import dataclass

from orchestrator.engine.watched import Watched

#: After this many requests in a row that a status URL did not answer, it is dead.
DEAD_AFTER = 2

#: Seconds until a dead status URL is tried again.
DEAD_FOR = 600.0

#: Fewest tasks a request shrinks to while a service does not say that the size is why.
SMALLEST = 10

_Entry = tuple[float, int, Watched]


@dataclass(slots=True)
class _Trouble:
    """A status URL that did not answer lately; it is dead until then."""

    failures: int = 0
    until: float = 0.0


class PollSchedule:
    """A heap of tasks by due time for each status URL; None is the main endpoint.

    ``batch`` is the most tasks in one request. Times are monotonic seconds.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._heaps: dict[str | None, list[_Entry]] = {}
        #: The first entry of each heap; what is no longer one is skipped.
        self._fronts: list[tuple[float, int, str | None]] = []
        self._troubles: dict[str, _Trouble] = {}
        self._numbers = itertools.count()

    def add(self, watched: Watched, due: float, now: float) -> bool:
        """Look at the task at ``due``, a time that it may have had before is void.

        The answer is whether it is now the first of all.
        """
        watched.due, watched.entry = due, next(self._numbers)
        self._push(self._endpoint(watched, now), (due, watched.entry, watched))
        return self._fronts[0][1] == watched.entry

    def drop(self, watched: Watched) -> None:
        """Don't look at the task any more."""
        watched.due, watched.entry = None, -1

    def next_due(self) -> float | None:
        """When the next request is due, None while nothing is watched."""
        while self._fronts:
            due, entry, url = self._fronts[0]
            heap = self._heaps.get(url)
            if heap and heap[0][1] == entry and heap[0][2].entry == entry:
                return due
            heapq.heappop(self._fronts)
            if heap and heap[0][1] == entry:
                self._settle(url, heap)
        return None

    def take(self, now: float) -> tuple[str | None, list[Watched]]:
        """Take out the next request: the URL that is due first, and its tasks.

        What is due soonest after them fills the request up: it leaves anyway, so
        every task that is at least half through its pause goes along.
        """
        if self.next_due() is None:
            raise ValueError("nothing is watched")
        url = heapq.heappop(self._fronts)[2]
        heap = self._heaps[url]
        taken: list[Watched] = []
        back: list[_Entry] = []
        while heap and len(taken) < self.batch and len(back) < self.batch:
            entry = heapq.heappop(heap)
            watched = entry[2]
            if entry[1] != watched.entry:
                continue
            if entry[0] - now <= watched.gap / 2:
                self.drop(watched)
                taken.append(watched)
            else:
                back.append(entry)
        for entry in back:
            heapq.heappush(heap, entry)
        self._settle(url, heap)
        return url, taken

    # --- what requests teach ------------------------------------------------------

    def answered(self, url: str | None) -> None:
        """The URL is alive."""
        if url is not None and self._troubles:
            self._troubles.pop(url, None)

    def failed(self, url: str | None, now: float) -> bool:
        """The URL did not answer; whether it is dead: then its tasks go to the main endpoint."""
        if url is None:
            return False
        trouble = self._troubles.setdefault(url, _Trouble())
        trouble.failures += 1
        if trouble.failures < DEAD_AFTER:
            return False
        trouble.until = now + DEAD_FOR
        for due, entry, watched in self._heaps.pop(url, ()):
            if entry == watched.entry:
                self.add(watched, due, now)
        return True

    def too_many(self, size: int, *, certain: bool) -> bool:
        """``size`` tasks were refused: whether fewer are asked for from now on.

        Where it is not ``certain`` that the size was why, a few stay a request.
        """
        least = 1 if certain else SMALLEST
        if size <= least:
            return False
        self.batch = min(self.batch, max(least, size // 2))
        return True

    # --- the heaps -----------------------------------------------------------------

    def _endpoint(self, watched: Watched, now: float) -> str | None:
        url = watched.status_url
        if url is None or watched.misses or url == watched.stray:
            return None
        trouble = self._troubles.get(url)
        return None if trouble is not None and now < trouble.until else url

    def _push(self, url: str | None, entry: _Entry) -> None:
        heap = self._heaps.setdefault(url, [])
        heapq.heappush(heap, entry)
        if heap[0] is entry:
            heapq.heappush(self._fronts, (entry[0], entry[1], url))

    def _settle(self, url: str | None, heap: list[_Entry]) -> None:
        """Name the heap's new front, or forget the heap."""
        while heap and heap[0][1] != heap[0][2].entry:
            heapq.heappop(heap)
        if heap:
            heapq.heappush(self._fronts, (heap[0][0], heap[0][1], url))
        else:
            del self._heaps[url]
