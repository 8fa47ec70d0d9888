"""Whose turn comes first: priorities that age, and the order within one priority.

An item's rank is the moment it came in, less its priority's worth of seconds: the
smaller goes first. One that waits thus overtakes, after ``ageing`` seconds, what
comes in later with a priority one higher, and its rank never has to be touched:
the ledger can keep an index on it.
"""

from enum import StrEnum

#: Seconds of waiting that are worth one step of priority.
AGEING = 24 * 3600.0


class Order(StrEnum):
    """Which of two items of the same rank goes first."""

    #: The one that the manifest names first.
    FIRST = "first"

    #: The one whose source is longest, so that a run does not end waiting for it.
    LONGEST = "longest"


def rank(came_in: float, priority: int, ageing: float = AGEING) -> float:
    """The rank of an item that came in at ``came_in`` (UNIX seconds)."""
    return came_in - priority * ageing


def weight(order: Order, duration: float | None, size: int | None) -> int:
    """How much an item goes before others of its rank: more goes first.

    A source's size stands for its length where nobody has measured that: a
    megabyte counts as a second, since only the order matters.
    """
    if order is Order.FIRST:
        return 0
    if duration is not None:
        return round(duration * 1000)
    return (size or 0) // 1000
