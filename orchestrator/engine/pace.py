"""How long encodes take, learnt while they run, and what that says of when to look.

Of all ways to spend a number of looks, the least delay comes from gaps that go
with 1/sqrt(h), where h is the chance that the task ends in the next second. So a
gap is ``mean_gap * sqrt(H / h)``, with H the ends per second over all tasks: by
Cauchy and Schwarz its mean over the ends is then never above ``mean_gap``, and
the looks never more than those of one look every ``mean_gap``.

h is counted, not assumed: ends over time watched, in cells of the task's age, as
life tables are made. Tasks that still run count too, so the short ones that end
first do not mislead.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

#: Cells of a life table: the first ends at ``_LOWEST``, three more double the age.
_LOWEST = 1 / 16
_CELLS = 66
_EDGES = (*(_LOWEST * 2 ** (n / 3) for n in range(_CELLS - 1)), math.inf)

#: How the kinds begin whose scale is the time that a percent leaves.
FORECAST = "percent"

#: Ends that a cell's guess is worth, at most, before anything was counted in it.
_GUESS = 0.25

#: Before this part of a forecast from a percent hardly anything ends, until learnt otherwise.
_HOLDS = 0.6
_HARDLY = 0.04

#: Ends after which the life tables are halved, so that what is old is forgotten.
_MEMORY = 32_768

#: The same for H: it follows how old the tasks are that run now, as when all began at once.
_RECENT = 256

#: The mean gap: so many of the shortest. Where nothing foretells the end it is so many seconds,
#: but never a smaller or larger part of the mean time to an end than these, if that is more.
_SHORTEST = 2.0
_BLIND = 10.0
_LEAST, _MOST = 0.005, 0.015

#: The gap as a part of the age, while no end was ever seen.
_GROWTH = 0.2

#: The gap as a part of the time for which an end has been overdue.
_OVERDUE = 0.125


class Outlook(NamedTuple):
    """What is known, at a look, of when the task will end.

    ``kind`` names the life table, "" for none. ``scale`` is how many seconds are
    one unit of its age there: the source's seconds, its megabytes, or the
    seconds that a percent forecast. ``age`` is in seconds.
    """

    kind: str
    scale: float
    age: float


@dataclass(slots=True)
class _Life:
    """Ends and time watched by age, both in units of the outlook's scale."""

    ends: list[float] = field(default_factory=lambda: [0.0] * _CELLS)
    time: list[float] = field(default_factory=lambda: [0.0] * _CELLS)

    def count(self, begin: float, end: float, ended: bool) -> None:
        """Watched from ``begin`` to ``end``; an end lies anywhere in between."""
        if end <= begin:
            return
        weight, share = (0.5, 1.0 / (end - begin)) if ended else (1.0, 0.0)
        ends, time = self.ends, self.time
        cell, at = bisect_right(_EDGES, begin), begin
        while (edge := _EDGES[cell]) < end:
            time[cell] += (edge - at) * weight
            ends[cell] += (edge - at) * share
            at, cell = edge, cell + 1
        time[cell] += (end - at) * weight
        ends[cell] += (end - at) * share

    def halve(self) -> None:
        self.ends = [count / 2 for count in self.ends]
        self.time = [count / 2 for count in self.time]


class Pace:
    """What was learnt at one service; ``shortest`` and ``longest`` bound a gap, in seconds."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = max(shortest, longest)
        self._lives: dict[str, _Life] = {}
        self._counted = 0
        self._ends = self._time = 0.0
        #: The outlook that the last task began with, and its gap until more is learnt.
        self._begun, self._first = _UNASKED

    def watched(self, outlook: Outlook, seconds: float, ended: bool) -> None:
        """A task went on for ``seconds`` after a look with ``outlook``, and has ended or not."""
        self._begun, self._first = _UNASKED
        self._time += seconds / 2 if ended else seconds
        self._ends += ended
        self._counted += ended
        kind, scale, age = outlook
        if kind:
            life = self._lives.get(kind)
            if life is None:
                life = self._lives[kind] = _Life()
            life.count(age / scale, (age + seconds) / scale, ended)
        if ended:
            self._forget()

    def first(self, outlook: Outlook) -> float:
        """Seconds until the first look at a task."""
        if not self._ends or not outlook.kind:
            return self._shortest
        if outlook != self._begun:  # many begin alike between two looks
            self._begun, self._first = outlook, self.gap(outlook)
        return self._first

    def gap(self, outlook: Outlook) -> float:
        """Seconds until the next look at a task with this outlook."""
        if not self._ends or not self._time:
            guess = outlook.scale * _HOLDS if _is_forecast(outlook.kind) else 0.0
            return self._bounded(guess or max(2 * self._shortest, outlook.age * _GROWTH))
        overall = self._ends / self._time
        mean_gap = _SHORTEST * self._shortest
        if not _is_forecast(outlook.kind):  # a forecast says itself when not to look
            mean_gap = max(mean_gap, min(max(_BLIND, _LEAST / overall), _MOST / overall))
        if not outlook.kind:
            return self._bounded(mean_gap)
        return self._bounded(self._until_worth(outlook, overall, mean_gap))

    def growing(self, seconds: float) -> float:
        """The gap for what must end any moment, and has not for ``seconds``."""
        return self._bounded(seconds * _OVERDUE)

    def _until_worth(self, outlook: Outlook, overall: float, mean_gap: float) -> float:
        """Walk over the cells until what they are worth adds up to one look."""
        kind, scale, age = outlook
        life = self._lives.get(kind, _NOTHING)
        ends, time, usual = life.ends, life.time, scale * overall
        holds = _HOLDS if _is_forecast(kind) else 0.0
        at = age / scale
        cell, waited, wanted = bisect_right(_EDGES, at), 0.0, mean_gap
        while waited < self._longest:
            edge = _EDGES[cell]
            width = (edge - at) * scale
            # How many times likelier an end is here than on the whole. What is guessed
            # weighs as much as the ends that a cell of this width would have then.
            weight = min(_GUESS, width * overall)
            guess = _HARDLY if at < holds else 1.0
            worth = math.sqrt((ends[cell] + weight) / (time[cell] * usual + weight / guess))
            if width * worth >= wanted:
                return waited + wanted / worth
            wanted -= width * worth
            waited += width
            at, cell = edge, cell + 1
        return waited

    def _bounded(self, wanted: float) -> float:
        return min(self._longest, max(self._shortest, wanted))

    def _forget(self) -> None:
        if self._ends > _RECENT:
            self._ends /= 2
            self._time /= 2
        if self._counted > _MEMORY:
            self._counted //= 2
            for life in self._lives.values():
                life.halve()


def _is_forecast(kind: str) -> bool:
    return kind.startswith(FORECAST)


_NOTHING = _Life()
_UNASKED: tuple[Outlook | None, float] = (None, 0.0)
