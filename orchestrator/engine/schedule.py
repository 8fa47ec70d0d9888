"""When to look at which task again: decisions only, no waiting and no calls."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.engine.limits import Patience
from orchestrator.engine.work import Work
from orchestrator.model.ports import TaskReport

#: After this many failed looks at a task's own status URL, ask the main endpoint.
DEAD_MASTER = 2

#: How much longer the next interval is while nothing is known of the progress.
GROWTH = 1.5

#: The part of the estimated time left to wait before the next look.
LOOK_AT = 0.6


@dataclass(slots=True, eq=False)
class Watched:
    """A task that is being followed. Times are the clock's monotonic seconds.

    ``misses`` counts the looks in a row in which the main endpoint did not know
    the task; ``failures`` those in which its status URL did not answer.
    """

    work: Work
    task: str
    status_url: str | None
    interval: float
    percent: float = 0.0
    seen_at: float | None = None
    misses: int = 0
    failures: int = 0


class PollSchedule:
    """A heap of tasks by due time."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._heap: list[tuple[float, int, Watched]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, watched: Watched, due: float) -> None:
        """Look at the task at ``due``."""
        heapq.heappush(self._heap, (due, next(self._order), watched))

    def next_due(self) -> float | None:
        """When the next look is due, None while nothing is watched."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Watched]:
        """Take out everything that is due, and what is due within a moment.

        Rounding up to the shortest interval fills requests: a task that would be
        due a little later costs nothing in a request that leaves anyway.
        """
        horizon = now + self._patience.poll_min / 2
        if not self._heap or self._heap[0][0] > now:
            return []
        taken = []
        while self._heap and self._heap[0][0] <= horizon:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def after(self, watched: Watched, report: TaskReport, now: float) -> float:
        """Learn from a report; the answer is when to look again."""
        rate = self._rate(watched, report, now)
        if rate > 0:
            wanted = (100.0 - report.percent) / rate * LOOK_AT
        else:
            wanted = watched.interval * GROWTH
        watched.interval = self._bounded(wanted)
        watched.percent, watched.seen_at = report.percent, now
        watched.misses = watched.failures = 0
        return now + watched.interval

    def after_silence(self, watched: Watched, now: float) -> float:
        """A look failed, or the task was not known: look again, later each time."""
        watched.interval = self._bounded(watched.interval * GROWTH)
        return now + watched.interval

    def _rate(self, watched: Watched, report: TaskReport, now: float) -> float:
        """Percent per second since the last look; 0 where it can't be told."""
        if watched.seen_at is None or now <= watched.seen_at or report.percent <= 0:
            return 0.0
        return max(0.0, report.percent - watched.percent) / (now - watched.seen_at)

    def _bounded(self, seconds: float) -> float:
        return min(self._patience.poll_max, max(self._patience.poll_min, seconds))


def requests(due: list[Watched], batch: int) -> Iterator[tuple[str | None, list[Watched]]]:
    """Group tasks by the status URL to ask, at most ``batch`` to a request."""
    groups: dict[str | None, list[Watched]] = {}
    for watched in due:
        url = None if watched.failures >= DEAD_MASTER or watched.misses else watched.status_url
        groups.setdefault(url, []).append(watched)
    for url, group in groups.items():
        for start in range(0, len(group), batch):
            yield url, group[start : start + batch]
