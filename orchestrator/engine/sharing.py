"""Which of several services an item goes to, and why. Pure.

An item whose row names a service goes there and nowhere else. Any other goes to a
service that can do what is asked and has room: one with a free place before one
where it would have to wait; among equals the load is shared by weight, and what is
left equal goes by the order in which the services were named.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service as it is now.

    ``weight`` is its share of the load; at 0 it gets only what the others have no
    room for. ``room`` and ``places``: ``vacancy.Vacancy``, less what was chosen for
    it since. ``trouble`` says why it gets nothing new, "" if it may. ``able`` says
    whether it can do what the item asks for.
    """

    name: str
    weight: float = 1.0
    room: int = 1
    places: int = 1
    trouble: str = ""
    able: bool = True

    @property
    def open(self) -> bool:
        """Whether one more item can go there now."""
        return self.able and not self.trouble and self.room > 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A service, and why it is this one, for people."""

    service: str
    reason: str


class Shares:
    """Whose turn it is among services with room: by weight, over time.

    Each item moves its service's mark on by one over the weight, and the smallest
    mark is next. A service that could take nothing for a while has not saved up its
    turns: its mark is no smaller than that of the last one who had a turn.
    """

    def __init__(self) -> None:
        self._marks: dict[str, float] = {}
        self._now = 0.0

    def next(self, among: Sequence[Candidate]) -> Candidate:
        """The one whose turn it is; those of weight 0 come after all others."""
        weighty = [each for each in among if each.weight > 0]
        return min(weighty, key=self._mark) if weighty else among[0]

    def took(self, chosen: Candidate) -> None:
        """It was given an item."""
        if chosen.weight > 0:
            self._now = self._mark(chosen)
            self._marks[chosen.name] = self._now + 1 / chosen.weight

    def _mark(self, candidate: Candidate) -> float:
        return max(self._marks.get(candidate.name, 0.0), self._now)


def choose(
    candidates: Sequence[Candidate], shares: Shares, *, own: str = "", failed_at: str = ""
) -> Choice | None:
    """The service for an item; None: for now it stays where it is.

    ``own`` is the one that its row names, ``failed_at`` where its last attempt came
    to nothing: another one is better, if there is one.
    """
    if own:
        mine = next((each for each in candidates if each.name == own), None)
        return Choice(own, "named by its row") if mine is not None and mine.open else None
    able = [each for each in candidates if each.able]
    chosen = _best([each for each in able if each.open], shares, failed_at)
    if chosen is None or _has_better(chosen, able):
        return None
    shares.took(chosen)
    return Choice(chosen.name, _why(chosen, able, len(able) < len(candidates), failed_at))


def _best(ready: Sequence[Candidate], shares: Shares, failed_at: str) -> Candidate | None:
    others = [each for each in ready if each.name != failed_at] or ready
    free = [each for each in others if each.places > 0] or others
    return shares.next(free) if free else None


def _has_better(chosen: Candidate, able: Sequence[Candidate]) -> bool:
    """Whether a service of weight 0 would get what another has a free place for."""
    return chosen.weight <= 0 and any(
        each.weight > 0 and each.places > 0 and not each.trouble for each in able
    )


def _why(chosen: Candidate, able: Sequence[Candidate], unable: bool, failed_at: str) -> str:
    if len(able) == 1:
        return "no other service can do it" if unable else "the only service"
    if failed_at and failed_at != chosen.name:
        return f"it failed at {failed_at}"
    passed = [f"{each.name} is {said}" for each in able if (said := _passed_over(each, chosen))]
    return ", ".join(passed) or "its turn"


def _passed_over(each: Candidate, chosen: Candidate) -> str:
    if each.name == chosen.name:
        return ""
    if each.trouble:
        return each.trouble
    full = each.room <= 0 or (each.places <= 0 < chosen.places)
    return "full" if full else ""
