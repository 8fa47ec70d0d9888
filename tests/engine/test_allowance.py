"""The budget of a run."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.allowance import Allowance
from orchestrator.model.items import Attempt, Item
from orchestrator.model.money import Budget, Charge
from orchestrator.model.states import State


class Minutely:
    """Two outputs of the source's length: one at 2 a minute, one without a price."""

    def charges(self, item: Item, seconds: float | None) -> Sequence[Charge] | None:
        if seconds is None:
            return None
        minutes = seconds / 60
        return [Charge("mp4", minutes, 2 * minutes), Charge("webm", minutes, None)]


def allowance(**bounds: float) -> Allowance:
    return Allowance(Budget(**bounds), Minutely(), "EUR")  # type: ignore[arg-type]


def an_item(number: int, seconds: float | None = 60.0, size: int | None = None) -> Item:
    return Item(number, f"key {number}", State.PENDING, "/a.mp4", duration=seconds, size=size)


def begin(kept: Allowance, item: Item) -> Item:
    """The item as its encode begins."""
    attempt = Attempt(1, "local", "", "")
    encoding = replace(item, state=State.ENCODING, attempt=attempt)
    kept.moved(encoding, State.STARTING)
    return encoding


def end(kept: Allowance, item: Item, seconds: float | None, state: State) -> None:
    assert item.attempt is not None
    attempt = replace(item.attempt, duration=seconds)
    kept.moved(replace(item, state=state, attempt=attempt), State.ENCODING)


def test_without_bounds_everything_may_begin() -> None:
    kept = allowance()
    assert all(kept.admit(an_item(number)) is None for number in range(1000))
    assert not Budget()


def test_items_are_counted_as_they_begin() -> None:
    kept = allowance(max_items=2)
    assert kept.admit(an_item(1)) is None
    assert kept.admit(an_item(2)) is None
    assert kept.admit(an_item(3)) == "the budget of 2 items is used up"


def test_minutes_are_those_of_all_outputs() -> None:
    kept = allowance(max_minutes=4)
    assert kept.admit(an_item(1)) is None
    assert kept.admit(an_item(2)) is None
    assert kept.admit(an_item(3)) == "the next item would go beyond the budget of 4 minutes"


def test_money_has_its_currency() -> None:
    kept = allowance(max_cost=3)
    assert kept.admit(an_item(1)) is None
    assert kept.admit(an_item(2)) == "the next item would go beyond the budget of 3 EUR"


def test_the_real_length_takes_the_place_of_the_estimate() -> None:
    kept = allowance(max_minutes=5)
    kept.admit(an_item(1))
    kept.admit(an_item(2))
    assert kept.admit(an_item(3)) is not None
    end(kept, begin(kept, an_item(1)), 15.0, State.COLLECTING)  # a quarter of what was thought
    assert kept.admit(an_item(3)) is None
    assert kept.account.minutes == pytest.approx(0.5)
    assert kept.account.cost == pytest.approx(0.5)
    assert kept.account.unpriced == pytest.approx(0.25)


def test_a_failed_encode_counts_and_a_refused_start_does_not() -> None:
    kept = allowance()
    kept.admit(an_item(1))
    kept.admit(an_item(2))
    end(kept, begin(kept, an_item(1)), None, State.FAILED)
    kept.moved(replace(an_item(2), state=State.FAILED), State.STARTING)
    assert kept.close().items == 1
    assert kept.account.minutes == pytest.approx(2)


def test_an_attempt_given_up_before_its_start_is_reserved_again() -> None:
    kept = allowance(max_items=1)
    kept.admit(an_item(1))
    kept.moved(an_item(1), State.UPLOADING)
    assert kept.admit(an_item(1)) is None
    assert kept.admit(an_item(2)) is not None


def test_what_an_earlier_run_started_is_not_counted_again() -> None:
    kept = allowance()
    there = replace(an_item(1), state=State.ENCODING, attempt=Attempt(1, "local", "", ""))
    kept.moved(there, State.ENCODING)  # a note on the way
    end(kept, there, 60.0, State.COLLECTING)
    assert kept.close().items == 0


def test_what_an_earlier_run_uploaded_counts_when_it_starts() -> None:
    kept = allowance(max_items=1)
    encoding = begin(kept, an_item(1))
    assert kept.admit(an_item(2)) is not None
    end(kept, encoding, 60.0, State.COLLECTING)
    assert kept.close().items == 1


def test_encodes_left_at_the_service_are_in_the_account() -> None:
    kept = allowance()
    kept.admit(an_item(1))
    kept.admit(an_item(2))
    begin(kept, an_item(1))
    assert kept.close().items == 1
    assert kept.account.minutes == pytest.approx(2)


def test_what_was_cancelled_is_free_unless_it_costs_already() -> None:
    kept = allowance(max_items=2)
    kept.admit(an_item(1))
    kept.admit(an_item(2))
    encoding = begin(kept, an_item(2))
    kept.release(an_item(1))
    kept.release(encoding)
    kept.release(an_item(3))
    assert kept.admit(an_item(4)) is None
    assert kept.admit(an_item(5)) is not None
    assert kept.account.items == 1


def test_an_unknown_length_is_worked_out_from_sizes_seen_so_far() -> None:
    kept = allowance(max_minutes=10)
    assert kept.admit(an_item(1, None, 6_000_000)) is None  # nothing is known yet
    end(kept, begin(kept, an_item(1, None, 6_000_000)), 60.0, State.COLLECTING)
    assert kept.admit(an_item(2, None, 12_000_000)) is None  # two minutes, twice
    assert kept.admit(an_item(3, None, 30_000_000)) is not None
    begin(kept, an_item(2, None, 12_000_000))
    account = kept.close()
    assert (account.items, account.guessed, account.unknown) == (2, 1, 0)
    assert account.minutes == pytest.approx(6)


def test_items_of_unknown_length_are_counted_as_such() -> None:
    kept = allowance()
    kept.admit(an_item(1, None))
    begin(kept, an_item(1, None))
    account = kept.close()
    assert (account.items, account.unknown, account.minutes) == (1, 1, 0)


@given(st.lists(st.tuples(st.floats(1, 600), st.booleans()), max_size=60), st.floats(1, 200))
def test_a_budget_is_kept_whatever_happens(jobs: list[tuple[float, bool]], most: float) -> None:
    kept = allowance(max_minutes=most)
    running: list[Item] = []
    for number, (seconds, ends) in enumerate(jobs):
        item = an_item(number, seconds)
        if kept.admit(item) is None:
            running.append(begin(kept, item))
        if ends and running:
            done = running.pop(0)
            end(kept, done, done.duration, State.COLLECTING)
    assert kept.close().minutes <= most + 1e-6
