"""How fast a counter grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report.pace import Pace


def test_nothing_is_known_before_a_second_has_passed():
    pace = Pace(10)
    assert pace.per_second(5.0, 3) is None
    pace.look(5.0, 0)
    assert pace.per_second(5.9, 3) is None
    assert pace.per_second(6.0, 3) == 3


def test_only_the_window_counts():
    pace = Pace(10)
    for second in range(100):
        pace.look(second, min(second, 50) * 7)
    assert pace.per_second(99, 350) == 0
    pace.look(104, 400)
    assert 50 / 11 <= pace.per_second(104, 400) <= 5


def test_looking_often_keeps_few_samples():
    pace = Pace(60)
    for step in range(100_000):
        pace.look(step / 1000, step)
    assert len(pace._samples) < 70


@given(st.floats(0.01, 1e6), st.floats(0.1, 5.0), st.integers(2, 200))
def test_a_steady_counter_has_its_own_pace(speed, step, looks):
    pace = Pace(30)
    for number in range(looks):
        pace.look(number * step, number * step * speed)
    now = (looks - 1) * step
    measured = pace.per_second(now, now * speed)
    assert measured is None if now < 1 else measured == pytest.approx(speed)
