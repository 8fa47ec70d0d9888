"""When work may begin: a daily window in a time zone, and one-off closing times. Pure.

Times of day are those that a clock on the wall shows. Where clocks are put
forward over such a time, it comes as they jump; where they are put back and show
it twice, the first time counts. Points in time are UNIX seconds.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from orchestrator.model.errors import BadInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))

_DAY = timedelta(days=1)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
#: Days looked at before and after a moment: a window is open for less than a week, or always.
_BEFORE, _AFTER = 9, 18
_LONGEST = 9 * 86400.0


def moment(day: date, at: time, zone: tzinfo) -> float:
    """When the clocks of ``zone`` first show ``at``, or later, on ``day``."""
    wall = datetime.combine(day, at, zone)
    instant = wall.timestamp()
    back = datetime.fromtimestamp(instant, zone)
    if back.replace(tzinfo=None, fold=0) == wall.replace(tzinfo=None, fold=0):
        return instant
    return _jump(wall.replace(fold=1).timestamp(), instant, zone)


def _jump(before: float, after: float, zone: tzinfo) -> float:
    """When the zone's offset changes between two points in time, to the second."""
    old = datetime.fromtimestamp(before, zone).utcoffset()
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return float(high)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``opens`` to ``closes``, on the days on which it opens.

    It reaches over midnight where ``closes`` is not after ``opens``; a night from
    Friday to Saturday is Friday's. ``days`` count from Monday, which is 0.
    """

    opens: time
    closes: time
    zone: tzinfo
    days: frozenset[int] = EVERY_DAY

    def is_open(self, now: float) -> bool:
        """Whether ``now`` lies in it. It opens at its first moment, and is closed at its end."""
        return any(start <= now < end for start, end in self._sessions(now))

    def next_opening(self, now: float) -> float | None:
        """When it opens next, after ``now``; None where it never does."""
        return next((start for start, _ in self._sessions(now) if start > now), None)

    def next_closing(self, now: float) -> float | None:
        """When the window that is open now, or else the next one, closes; None: never."""
        end = next((end for _, end in self._sessions(now) if end > now), None)
        return None if end is None or end - now > _LONGEST else end

    def _sessions(self, now: float) -> Iterator[tuple[float, float]]:
        """The windows around ``now`` in their order, those that touch made one."""
        start = end = float("-inf")
        for opens, closes in self._each(now):
            if opens > end:
                if start < end:
                    yield start, end
                start = opens
            end = closes
        if start < end:
            yield start, end

    def _each(self, now: float) -> Iterator[tuple[float, float]]:
        today = datetime.fromtimestamp(now, self.zone).date()
        over_midnight = self.closes <= self.opens
        for ahead in range(-_BEFORE, _AFTER + 1):
            day = today + ahead * _DAY
            if day.weekday() not in self.days:
                continue
            opens = moment(day, self.opens, self.zone)
            closes = moment(day + _DAY if over_midnight else day, self.closes, self.zone)
            if opens < closes:
                yield opens, closes


def days_of(said: str | Sequence[str]) -> frozenset[int]:
    """Days as people write them: ``mon-fri``, ``sat,sun``, ``fri-mon``, or a list of those.

    Raises ``BadInput`` for what is no day.
    """
    parts = said.split(",") if isinstance(said, str) else said
    days: set[int] = set()
    for part in parts:
        first, dash, last = part.strip().lower().partition("-")
        start = _day(first)
        end = _day(last) if dash else start
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    if not days:
        raise BadInput('names no day (write mon-fri, or a list such as ["sat", "sun"])')
    return frozenset(days)


def _day(name: str) -> int:
    short = name.strip()[:3]
    if short not in DAYS:
        raise BadInput(f"{name.strip()!r} is not a day (write mon, tue, wed, thu, fri, sat or sun)")
    return DAYS.index(short)


def closing_time(said: str, now: float, zone: tzinfo) -> float:
    """The moment that ``--until`` names: the next 06:00, or 2026-11-23T06:00.

    A moment without an offset of its own is one of ``zone``. Raises ``BadInput``
    for what is neither, and for a moment that is over.
    """
    text = said.strip()
    if found := _CLOCK.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in found.groups())
        return _next(time(hour, minute, second), now, zone)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        hint = "write a time of day, 06:00, or a day and time, 2026-11-23T06:00"
        raise BadInput(f"{said!r} is not a time ({hint})") from None
    when = moment(given.date(), given.time(), zone) if given.tzinfo is None else given.timestamp()
    if when <= now:
        raise BadInput(f"{said} is over already (it is {shown(now, zone)} now)")
    return when


def _next(at: time, now: float, zone: tzinfo) -> float:
    today = datetime.fromtimestamp(now, zone).date()
    moments = (moment(today + ahead * _DAY, at, zone) for ahead in range(-1, 4))
    return next(when for when in moments if when > now)


def shown(when: float, zone: tzinfo) -> str:
    """A moment as people write it: Mon 2026-11-23 06:00."""
    local = datetime.fromtimestamp(when, zone)
    seconds = ":%S" if local.second else ""
    return local.strftime(f"%a %Y-%m-%d %H:%M{seconds}")
