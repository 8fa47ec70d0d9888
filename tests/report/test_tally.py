"""The counters of a run, against a plain model of what happened."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.model.items import Item
from orchestrator.model.ports import Phase
from orchestrator.model.states import IN_FLIGHT, MOVES, SETTLED, State
from orchestrator.report.tally import Tally

SIZE = 1000


class Run(RuleBasedStateMachine):
    """Any legal sequence of events leaves the counters true."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.states = dict.fromkeys(range(6), State.PENDING)
        self.phases: dict[int, Phase] = {}
        self.sent: dict[int, int] = {}
        self.sent_bytes = 0
        self.tally = Tally()
        self.tally.began({State.PENDING: 6, State.COMPLETED: 4}, self.now)

    def item(self, number: int) -> Item:
        return Item(number, f"k{number}", self.states[number], "/x")

    @rule(number=st.integers(0, 5), choice=st.randoms(use_true_random=False))
    def move(self, number, choice):
        was = self.states[number]
        now = choice.choice(sorted(MOVES[was]))
        self.states[number] = now
        if now is not was:
            self.phases.pop(number, None)
            self.sent.pop(number, None)
        self.tally.moved(self.item(number), was, self.now)

    @rule(number=st.integers(0, 5), done=st.integers(0, SIZE))
    def send(self, number, done):
        if self.states[number] is State.UPLOADING:
            self.sent_bytes += max(0, done - self.sent.get(number, 0))
            self.sent[number] = done
            self.tally.sent(self.item(number), done, SIZE, self.now)

    @rule(number=st.integers(0, 5), phase=st.sampled_from(Phase), percent=st.floats(0, 100))
    def hear(self, number, phase, percent):
        if self.states[number] is State.ENCODING:
            self.phases[number] = phase
            self.tally.percent(self.item(number), phase, percent, self.now)

    @precondition(lambda self: self.now < 1e6)
    @rule(seconds=st.floats(0.01, 1000))
    def wait(self, seconds):
        self.now += seconds
        self.tally.look(self.now)

    @invariant()
    def counts_are_true(self):
        expected = Counter(self.states.values())
        expected[State.COMPLETED] += 4
        assert {s: n for s, n in self.tally.counts.items() if n} == dict(expected)

    @invariant()
    def phases_are_true(self):
        heard = Counter(self.phases.values())
        assert {p: n for p, n in self.tally.phases.items() if n} == dict(heard)

    @invariant()
    def flights_are_what_is_in_flight(self):
        flying = {f"k{n}": s for n, s in self.states.items() if s in IN_FLIGHT}
        assert {f.key: f.state for f in self.tally.flights()} == flying

    @invariant()
    def bytes_are_true(self):
        assert self.tally.sent_bytes == self.sent_bytes

    @invariant()
    def the_fraction_lies_between_what_is_settled_and_all(self):
        settled = 4 + sum(state in SETTLED for state in self.states.values())
        assert settled / 10 <= self.tally.fraction() <= 1.0

    @invariant()
    def the_time_left_is_never_negative(self):
        left = self.tally.left(self.now)
        assert left is None or left >= 0


TestRun = Run.TestCase
TestRun.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def finish(tally: Tally, item: Item, now: float) -> None:
    tally.moved(item.to(State.COMPLETED), State.PENDING, now)


def test_the_time_left_is_not_guessed(item):
    tally = Tally()
    tally.began({State.PENDING: 100, State.COMPLETED: 900}, 0)
    for number in range(2):
        finish(tally, item(number), 5)
    assert tally.left(10) is None
    finish(tally, item(2), 10)
    assert tally.per_second(10) == pytest.approx(0.3)
    assert tally.left(10) == pytest.approx(97 / 0.3)


def test_what_was_done_before_the_run_is_no_pace(item):
    tally = Tally()
    tally.began({State.PENDING: 10, State.COMPLETED: 100_000}, 0)
    assert tally.per_second(60) is None
    assert tally.left(60) is None


def test_a_run_that_came_to_a_halt_does_not_look_fast(item):
    tally = Tally()
    tally.began({State.PENDING: 10_000}, 0)
    for second in range(1, 1001):
        finish(tally, item(second), second)
        tally.look(second)
    assert tally.left(1000) == pytest.approx(9000, rel=0.05)
    for second in range(1001, 2000):
        tally.look(second)
    assert tally.left(2000) >= 9000 / (3 / 600)


def test_lately_counts_more_than_long_ago(item):
    tally = Tally()
    tally.began({State.PENDING: 10_000}, 0)
    for number in range(100):
        finish(tally, item(number), number * 100)
        tally.look(number * 100)
    for number in range(100, 1100):
        finish(tally, item(number), 9_900 + number - 100)
        tally.look(9_900 + number - 100)
    assert tally.per_second(10_900) == pytest.approx(1.0, rel=0.1)


def test_an_upload_taken_up_again_counts_only_what_is_new(item):
    tally = Tally()
    tally.began({State.UPLOADING: 1}, 0)
    old = item(1, State.UPLOADING)
    tally.sent(old, 700, 1000, 1)
    tally.sent(old, 900, 1000, 2)
    assert tally.sent_bytes == 200
    assert tally.flights()[0].fraction == 0.9


def test_an_upload_begun_again_has_travelled_twice(item):
    tally = Tally()
    tally.moved(item(1, State.UPLOADING), State.PENDING, 0)
    for done in (600, 0, 1000):
        tally.sent(item(1, State.UPLOADING), done, 1000, 1)
    assert tally.sent_bytes == 1600


def test_collected_bytes_with_and_without_a_known_total(item):
    tally = Tally()
    tally.moved(item(1, State.COLLECTING), State.ENCODING, 0)
    tally.got(item(1, State.COLLECTING), 50, None, 1)
    assert tally.flights()[0].fraction == 0
    tally.got(item(1, State.COLLECTING), 75, 100, 1)
    assert tally.flights()[0].fraction == 0.75
    assert tally.got_bytes == 75


def test_the_bytes_pace_is_of_the_last_seconds(item):
    tally = Tally()
    tally.moved(item(1, State.UPLOADING), State.PENDING, 0)
    for second in range(60):
        tally.sent(item(1, State.UPLOADING), second * 100, 10_000, second)
        tally.look(second)
    assert tally.sent_per_second(59) == pytest.approx(100)
    for second in range(60, 90):
        tally.look(second)
    assert tally.sent_per_second(89) == 0


def test_without_a_beginning_the_whole_is_unknown(item):
    tally = Tally()
    tally.moved(item(1, State.UPLOADING), State.PENDING, 0)
    assert tally.fraction() is None
    assert tally.left(10) is None
