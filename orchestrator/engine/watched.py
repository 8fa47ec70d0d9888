"""A task that is being followed, and what its reports say of when it will end."""

from dataclasses import dataclass

from orchestrator.engine.pace import FORECAST, Outlook, Pace
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.ports import Phase, TaskReport

#: A rate is taken from the first percent seen on once this much has been added.
_ENOUGH = 10.0

_UNKNOWN = Outlook("", 1.0, 0.0)


@dataclass(slots=True, eq=False)
class Watched:
    """Times are the clock's monotonic seconds.

    ``fresh`` says that ``since`` is the start of the encode, not only of the
    watching. ``due`` is when the next look is planned, None while one is under
    way; ``entry`` is the schedule's own mark. ``misses`` counts the looks in a
    row in which the main endpoint did not know the task, ``failures`` those that
    were not answered; ``stray`` is a status URL that did not know it. ``silent``
    is for how long nothing new has been said, as far as anybody asked.
    """

    work: Work
    task: str
    status_url: str | None
    since: float
    fresh: bool = True
    due: float | None = None
    entry: int = -1
    gap: float = 0.0
    outlook: Outlook = _UNKNOWN
    looked_at: float = 0.0
    phase: Phase | None = None
    percent: float = 0.0
    first: tuple[float, float] | None = None
    saving_since: float | None = None
    misses: int = 0
    failures: int = 0
    stray: str | None = None
    silent: float = 0.0
    told: bool = False
    hinted_at: float | None = None
    hinted: bool = False

    def __post_init__(self) -> None:
        self.looked_at = self.since
        self.outlook = self._by_age(self.since)

    def hear(self, report: TaskReport, now: float, at_most: float) -> None:
        """Take in a report. A pause of more than ``at_most`` seconds is not the task's silence."""
        if report.phase is self.phase and report.percent == self.percent:
            self.silent += min(now - self.looked_at, at_most)
        else:
            self.silent, self.told = 0.0, False
        self.phase, self.percent = report.phase, report.percent
        if report.percent > 0 and self.first is None:
            self.first = now, report.percent
        if not self._is_saving:
            self.saving_since = None
        elif self.saving_since is None:
            self.saving_since = now
        self.misses = self.failures = 0
        self.outlook = self._outlook(now)
        self.looked_at = now

    def wanted(self, pace: Pace, now: float) -> float:
        """Seconds until the next look, after what was heard last."""
        if self.saving_since is not None:
            return pace.growing(now - self.saving_since)
        return pace.gap(self.outlook)

    @property
    def _is_saving(self) -> bool:
        """Percent speaks of the encoding alone: 100 means that the outputs are being stored."""
        return self.phase is Phase.SAVING or self.percent >= 100.0

    def _outlook(self, now: float) -> Outlook:
        if self._is_saving:
            return _UNKNOWN
        rate = self._rate(now)
        if rate <= 0:
            return self._by_age(now)
        # How good a forecast is depends on how far the encode has come.
        left = (100.0 - self.percent) / rate
        return Outlook(f"{FORECAST} {self.percent // 10:.0f}", max(1.0, left), 0.0)

    def _rate(self, now: float) -> float:
        """Percent per second; 0 where it can't be told."""
        if self.first is None:
            return 0.0
        then, percent = self.first
        added = self.percent - percent
        if now > then and (added >= _ENOUGH or not self.fresh):
            return added / (now - then)
        return self.percent / (now - self.since) if self.fresh and now > self.since else 0.0

    def _by_age(self, now: float) -> Outlook:
        age = now - self.since
        if not self.fresh:
            return Outlook("", 1.0, age)
        return _by_source(self.work.item, age)


def _by_source(item: Item, age: float) -> Outlook:
    """The source's length says most, its size less; else nothing but the age is known.

    Sources below a second or a megabyte cost what every encode costs.
    """
    if item.duration:
        return Outlook("length", max(1.0, item.duration), age)
    if item.size:
        return Outlook("size", max(1.0, item.size / 1e6), age)
    return Outlook("time", 1.0, age)
