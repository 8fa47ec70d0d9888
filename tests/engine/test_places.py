"""What starts taken and refused teach of how many encodes may be in flight."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.places import (
    LONGEST_TURNOVER,
    RESERVE,
    STALEST,
    STARTS_PER_REFUSAL,
    Places,
)


class Service:
    """Takes a start while fewer than ``capacity`` run; tells ``Places`` at once."""

    def __init__(self, most: int, capacity: int) -> None:
        self.places = Places(most)
        self.capacity = capacity
        self.running = self.calls = self.refused = self.asked_in_vain = 0
        self.now = 0.0

    def start(self) -> bool:
        if not self.places.room(self.running, 0, self.now):
            return False
        turn = self.places.leaving()
        asks = self.running >= self.places.level
        self.calls += 1
        if self.running >= self.capacity:
            self.refused += 1
            self.asked_in_vain += asks
            self.places.refused(self.running, turn, self.now)
        else:
            self.running += 1
            self.places.taken(self.running, turn)
        return True

    def fill(self) -> None:
        while self.start():
            pass

    def turn_over(self, encodes: int) -> None:
        for _ in range(encodes):
            if self.running > 0:
                self.running -= 1
            self.now += 1.0
            self.fill()


def test_nothing_is_held_back_before_the_first_refusal() -> None:
    service = Service(100, 1000)
    service.fill()
    assert (service.running, service.refused) == (100, 0)


def test_a_refusal_names_the_capacity() -> None:
    service = Service(500, 80)
    service.fill()
    assert (service.places.level, service.running, service.refused) == (79, 80, 1)


def test_more_room_is_found_and_climbed_into() -> None:
    service = Service(500, 80)
    service.fill()
    service.capacity = 400
    service.turn_over(80)
    assert 390 <= service.running <= 400  # up to the margin
    assert service.refused <= 6


def test_less_room_is_found_in_few_refusals() -> None:
    service = Service(500, 400)
    service.fill()
    service.capacity = 100
    service.turn_over(400)
    assert 90 <= service.running <= 100
    assert service.refused <= 20


def test_while_it_refuses_one_start_at_a_time_leaves() -> None:
    places = Places(100)
    places.refused(50, places.leaving(), 0.0)
    assert not places.room(50, 0, 0.0)
    assert places.room(47, 0, 0.0)
    assert not places.room(30, 1, 0.0)


def test_starts_that_left_before_a_refusal_say_nothing_new() -> None:
    places = Places(100)
    turns = [places.leaving() for _ in range(8)]
    for turn in turns:
        places.refused(50, turn, 0.0)
    assert places.level == 49


def kept_free_and_asked_after(refusals: list[int]) -> tuple[int, int]:
    """How many places it leaves free after these, and how many starts it takes until it asks."""
    places = Places(500)
    for running in refusals:
        places.refused(running, places.leaving(), 0.0)
        for _ in range(2 * STARTS_PER_REFUSAL):  # pays for the refusal
            places.taken(running - 1, places.leaving())
    places.refused(refusals[0], places.leaving(), 0.0)
    level = places.level
    starts = 1
    places.taken(level, places.leaving())
    while not places.room(level, 0, 0.0):
        places.taken(level, places.leaving())
        starts += 1
    return refusals[0] - level, starts


def test_a_capacity_that_moves_much_is_kept_further_from_and_asked_for_more_sooner() -> None:
    still_free, still_after = kept_free_and_asked_after([400] * 40)
    moving_free, moving_after = kept_free_and_asked_after([400, 300] * 20)
    assert moving_free > 2 * still_free
    assert moving_after < still_after / 2


def test_at_a_known_level_starts_leave_one_after_the_other_unless_they_fall_behind() -> None:
    places = Places(500)
    places.refused(100, places.leaving(), 0.0)
    places.taken(90, places.leaving())
    for running in range(91, 99):
        places.taken(running, places.leaving())
    assert places.level == 98
    assert places.room(95, 0, 0.0)
    assert not places.room(95, 1, 0.0)  # a fall would refuse both
    assert places.room(90, 3, 0.0)  # but ends come faster than answers
    assert not places.room(90, 4, 0.0)


def test_where_no_encode_ends_it_asks_again_after_a_while() -> None:
    places = Places(100)
    places.refused(50, places.leaving(), 0.0)
    first = places.asks_at(50)
    assert not places.room(50, 0, first - 1)
    assert places.room(50, 0, first)
    places.refused(50, places.leaving(), first)
    assert places.asks_at(50) - first > first
    assert places.level == 49  # nothing ended: that it is still full is no news
    assert places.asks_at(49) == math.inf  # encodes end: they will tell


def test_after_a_question_in_vain_the_next_one_is_repeated_later() -> None:
    places, now = Places(100), 0.0
    for waited in (15.0, 30.0):
        places.refused(5, places.leaving(), now)
        assert places.asks_at(5) - now == waited
        now += waited
    places.taken(5, places.leaving())  # one had ended: it is as full as it was
    places.refused(5, places.leaving(), now)
    assert places.asks_at(5) - now == 30.0
    places.taken(6, places.leaving())  # there is more room than there was
    places.refused(6, places.leaving(), now)
    assert places.asks_at(6) - now == 15.0


def test_a_lower_bound_counts_at_once() -> None:
    service = Service(100, 1000)
    service.fill()
    service.places.most = 10
    assert service.places.level == 10
    assert not service.places.room(10, 0, 0.0)
    assert service.places.room(9, 0, 0.0)


def test_in_the_long_run_few_calls_are_refused_where_the_capacity_stands_still() -> None:
    service = Service(500, 120)
    service.fill()
    service.turn_over(10_000)
    assert service.refused / service.calls < 0.02
    assert service.running >= 114


@given(st.integers(60, 500), st.integers(5, 50))
def test_a_fall_costs_refusals_as_its_logarithm(high: int, low: int) -> None:
    service = Service(1000, high)
    service.fill()
    before, service.capacity = service.refused, low
    while service.running > low:
        service.turn_over(1)
    assert service.refused - before <= 4 + math.log(high / low, 1 / 0.7)


@given(st.integers(1, 12))
def test_a_small_account_keeps_every_place_taken(capacity: int) -> None:
    service = Service(50, capacity)
    service.fill()
    service.turn_over(100)
    assert service.running == capacity


#: A capacity, and how many encodes end while it stays.
MOVES = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 400)), min_size=1, max_size=15)


def driven(most: int, moves: list[tuple[int, int]]) -> Service:
    """What is left of so many moves of the capacity."""
    service = Service(most, moves[0][0])
    for service.capacity, encodes in moves:
        service.fill()
        service.turn_over(encodes)
    return service


@given(MOVES, st.integers(1, 250))
def test_what_is_asked_beyond_the_level_is_paid_for_by_starts_taken(
    moves: list[tuple[int, int]], most: int
) -> None:
    service = driven(most, moves)
    taken = service.calls - service.refused
    assert service.asked_in_vain <= 2 * RESERVE + taken / STARTS_PER_REFUSAL


@pytest.mark.parametrize("capacity", [1, 3, 10])
def test_an_account_of_a_few_places_is_not_asked_for_more_all_the_time(capacity: int) -> None:
    service = Service(500, capacity)
    service.fill()
    service.turn_over(20_000)
    assert service.refused / service.calls < 0.02
    assert service.running == capacity


@given(MOVES, st.integers(10, 250))
def test_a_rise_is_found_from_any_state(moves: list[tuple[int, int]], most: int) -> None:
    service = driven(most, moves)
    # Where nothing ended, the pause after a refusal is over at last.
    service.now += STALEST
    service.capacity = most
    service.fill()
    # What a question has to be paid with, what must be replaced before it, and some to climb.
    service.turn_over(round(STARTS_PER_REFUSAL + 2 * LONGEST_TURNOVER * service.running) + 10)
    assert service.running == most


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(1, 150))
def test_it_never_sticks_and_never_passes_the_bound(capacities: list[int], most: int) -> None:
    service = Service(most, capacities[0])
    for capacity in capacities:
        service.capacity = capacity
        service.turn_over(30)
        assert 1 <= service.places.level <= most
        assert service.running <= most
    service.now += 1000
    service.running = 0
    service.fill()
    assert service.running > 0
