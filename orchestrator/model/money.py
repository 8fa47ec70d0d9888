"""Minutes and money: what encodes come to, before and after."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Charge(NamedTuple):
    """What one output comes to. ``minutes`` are those of the output.

    ``cost`` is in the price table's currency, None where the table has no price
    for such an output.
    """

    output: str
    minutes: float
    cost: float | None


class Length(NamedTuple):
    """How long a source is, in seconds; None where nobody knows.

    ``guessed`` says that it was worked out from the source's size.
    """

    seconds: float | None
    guessed: bool = False


class Lengths:
    """How long sources are, or probably are, by the average bitrate of those measured."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._bytes = 0

    def learn(self, seconds: float | None, size: int | None) -> None:
        """A source of ``size`` bytes lasts so long."""
        if seconds and size:
            self._seconds += seconds
            self._bytes += size

    def of(self, seconds: float | None, size: int | None) -> Length:
        """The length of a source that is said to last so long, and has so many bytes."""
        if seconds is not None or size is None or not self._bytes:
            return Length(seconds)
        return Length(size * self._seconds / self._bytes, guessed=True)


@dataclass(slots=True)
class Spent:
    """Minutes of output, and what those came to that have a price."""

    minutes: float = 0.0
    cost: float = 0.0

    def add(self, charge: Charge) -> None:
        """One more output."""
        self.minutes += charge.minutes
        self.cost += charge.cost or 0.0


@dataclass(slots=True)
class Account:
    """What a number of encodes came to, or will come to.

    ``currency`` is "" where there is no price table: costs are not known then.
    ``unpriced`` are the minutes for which the table has no price. ``guessed``
    counts items whose length was worked out from their size, ``unknown`` those
    of which no length is known; these are in no other figure but ``items``.
    """

    currency: str = ""
    items: int = 0
    minutes: float = 0.0
    cost: float = 0.0
    unpriced: float = 0.0
    guessed: int = 0
    unknown: int = 0
    outputs: dict[str, Spent] = field(default_factory=dict)

    def add(self, charges: Iterable[Charge] | None, *, guessed: bool = False) -> None:
        """One more item; None: of a length that is not known."""
        self.items += 1
        if charges is None:
            self.unknown += 1
            return
        self.guessed += guessed
        for charge in charges:
            self.minutes += charge.minutes
            self.cost += charge.cost or 0.0
            if charge.cost is None:
                self.unpriced += charge.minutes
            self.outputs.setdefault(charge.output, Spent()).add(charge)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one run may come to; None: no bound."""

    max_minutes: float | None = None
    max_items: int | None = None
    max_cost: float | None = None

    def __bool__(self) -> bool:
        """Whether it bounds anything."""
        return self != Budget()
