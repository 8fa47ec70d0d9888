"""The budget of a run: reserves before an item is begun, settles when its encode ends.

What is reserved counts as spent until the truth is known, so a run that stays
within its budget stays within it however many encodes are under way.

Only what this run begins counts. An encode that it takes up again was paid for by
the run that started it; an item that an earlier run had uploaded counts once its
encode is started here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.items import Item
from orchestrator.model.money import Account, Budget, Charge, Lengths
from orchestrator.model.states import State

#: Rounding must not turn away the item that fits exactly.
_HAIR = 1e-9


class Prices(Protocol):
    """Knows what an item's outputs come to."""

    def charges(self, item: Item, seconds: float | None) -> Sequence[Charge] | None:
        """Per output, for a source of so many seconds; None where that can't be said."""


@dataclass(slots=True)
class _Reserved:
    """What is held back for an item."""

    charges: Sequence[Charge] | None
    minutes: float
    cost: float
    guessed: bool
    started: bool = False


class Allowance:
    """Says whether one more item may be begun, and keeps the account of the run."""

    def __init__(self, budget: Budget, prices: Prices, currency: str = "") -> None:
        self._budget = budget
        self._prices = prices
        self._lengths = Lengths()
        self._reserved: dict[int, _Reserved] = {}
        self._minutes = 0.0
        self._cost = 0.0
        self.account = Account(currency)

    def admit(self, item: Item) -> str | None:
        """Reserve for an item that is about to be begun; else why the budget is used up."""
        wanted = self._estimate(item)
        reason = self._beyond(wanted)
        if reason is None:
            self._hold(item, wanted)
        return reason

    def release(self, item: Item) -> None:
        """It is not ours any more. What was reserved is free again, unless it costs already."""
        held = self._reserved.get(item.id)
        if held is not None and held.started:
            self.settle(item)
        else:
            self._free(item.id)

    def cost(self, item: Item) -> float | None:
        """What its encode, which has ended, comes to by the price table."""
        real = item.attempt.duration if item.attempt else None
        charges = None if real is None else self._prices.charges(item, real)
        costs = [charge.cost for charge in charges or () if charge.cost is not None]
        return sum(costs) if costs else None

    def settle(self, item: Item) -> None:
        """Its encode has ended: the estimate gives way to the source's real length."""
        held = self._reserved.get(item.id)
        if held is None:
            return
        self._free(item.id)
        real = item.attempt.duration if item.attempt else None
        if real is not None:
            self._lengths.learn(real, item.size)
            self.account.add(self._prices.charges(item, real))
        else:
            self.account.add(held.charges, guessed=held.guessed)

    def close(self) -> Account:
        """The account at the end of the run, encodes that are left at the service included."""
        for held in self._reserved.values():
            if held.started:
                self.account.add(held.charges, guessed=held.guessed)
        self._reserved.clear()
        self._minutes = self._cost = 0.0
        return self.account

    def moved(self, item: Item, was: State) -> None:
        """An item has taken a step. Returns at once.

        A service bills the work that it attempted: an encode that failed counts
        like one that succeeded, a start that was refused does not count.
        """
        state = item.state
        if state is was:
            return
        if state is State.ENCODING:
            if item.id not in self._reserved:
                self._hold(item, self._estimate(item))
            self._reserved[item.id].started = True
        elif was is State.ENCODING:
            self.settle(item)
        elif state in (State.PENDING, State.FAILED, State.CANCELLED):
            self.release(item)

    def _estimate(self, item: Item) -> _Reserved:
        known = item.duration
        if known is None and item.attempt is not None:
            known = item.attempt.duration
        if known is not None:
            self._lengths.learn(known, item.size)
        length = self._lengths.of(known, item.size)
        charges = self._prices.charges(item, length.seconds)
        return _Reserved(
            charges,
            minutes=sum(charge.minutes for charge in charges or ()),
            cost=sum(charge.cost or 0.0 for charge in charges or ()),
            guessed=length.guessed,
        )

    def _hold(self, item: Item, wanted: _Reserved) -> None:
        self._reserved[item.id] = wanted
        self._minutes += wanted.minutes
        self._cost += wanted.cost

    def _free(self, number: int) -> None:
        held = self._reserved.pop(number, None)
        if held is not None:
            self._minutes -= held.minutes
            self._cost -= held.cost

    def _beyond(self, wanted: _Reserved) -> str | None:
        """Which bound would be passed, in words; None: it fits."""
        budget, account = self._budget, self.account
        items = account.items + len(self._reserved) + 1
        minutes = account.minutes + self._minutes + wanted.minutes
        cost = account.cost + self._cost + wanted.cost
        if budget.max_items is not None and items > budget.max_items:
            return f"the budget of {budget.max_items:,} items is used up"
        if budget.max_minutes is not None and minutes > budget.max_minutes + _HAIR:
            return f"the next item would go beyond the budget of {budget.max_minutes:,g} minutes"
        if budget.max_cost is not None and cost > budget.max_cost + _HAIR:
            money = f"{budget.max_cost:,g} {account.currency}".rstrip()
            return f"the next item would go beyond the budget of {money}"
        return None
