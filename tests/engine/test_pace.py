"""What is learnt of how long encodes take."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.pace import FORECAST, Outlook, Pace

KINDS = st.sampled_from(["", "time", "length", f"{FORECAST} 3"])
OUTLOOKS = st.builds(Outlook, KINDS, st.floats(1e-3, 1e5), st.floats(0, 1e5))


def schooled(seconds: float, *, kind: str = "time", scale: float = 1.0, times: int = 300) -> Pace:
    """One that has seen encodes of about so many units, looked at ten times each."""
    pace, chance = Pace(5.0, 120.0), random.Random(1)
    for _ in range(times):
        took = seconds * scale * chance.uniform(0.9, 1.1)
        step, age = took / 10, 0.0
        for look in range(11):
            pace.watched(Outlook(kind, scale, age), step, ended=look == 10)
            age += step
    return pace


def test_with_nothing_known_the_first_look_is_soon_and_the_next_ones_later() -> None:
    pace = Pace(5.0, 120.0)
    assert pace.first(Outlook("time", 1.0, 0.0)) == 5.0
    gaps = [pace.gap(Outlook("time", 1.0, age)) for age in (5.0, 60.0, 300.0, 5000.0)]
    assert gaps == [10.0, 12.0, 60.0, 120.0]


def test_with_nothing_known_a_forecast_holds_for_most_of_its_time() -> None:
    assert Pace(5.0, 120.0).gap(Outlook(f"{FORECAST} 5", 100.0, 0.0)) == 60.0


def test_looks_rarely_while_none_has_ever_ended_and_often_where_they_do() -> None:
    pace = schooled(600.0)
    assert pace.first(Outlook("time", 1.0, 0.0)) == 120.0
    assert pace.gap(Outlook("time", 1.0, 300.0)) > 60.0
    assert pace.gap(Outlook("time", 1.0, 600.0)) <= 6.0


def test_the_first_look_follows_the_length_of_the_source() -> None:
    pace = schooled(0.5, kind="length", scale=120.0)  # an encode takes half the source's time
    short, long = (pace.first(Outlook("length", seconds, 0.0)) for seconds in (60.0, 200.0))
    assert 5.0 <= short <= 33.0
    assert 60.0 <= long <= 110.0


def test_what_a_task_begins_with_follows_every_end() -> None:
    begun = Outlook("time", 1.0, 0.0)
    pace = Pace(5.0, 120.0)
    gaps = set()
    for seconds in (30.0, 60.0, 90.0, 100.0):
        pace.watched(begun, seconds, ended=True)
        gaps.add(pace.first(begun))
        assert pace.first(begun) == pace.gap(begun)
    assert len(gaps) == 4


def test_counts_of_those_that_still_run_keep_the_short_ones_from_misleading() -> None:
    pace = Pace(5.0, 120.0)
    for number in range(1000):
        pace.watched(Outlook("time", 1.0, 0.0), 100.0, ended=number < 5)
    early = pace.gap(Outlook("time", 1.0, 50.0))
    assert early >= 10.0, "five of a thousand ended: that is no reason to look often"


def test_what_is_old_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.engine.pace._MEMORY", 1000)
    pace = schooled(600.0, times=300)
    for _ in range(5000):
        pace.watched(Outlook("time", 1.0, 0.0), 40.0, ended=False)
        pace.watched(Outlook("time", 1.0, 40.0), 10.0, ended=True)
    assert pace.first(Outlook("time", 1.0, 0.0)) < 60.0


@given(st.lists(st.tuples(OUTLOOKS, st.floats(0, 1e4), st.booleans()), max_size=40), OUTLOOKS)
def test_a_gap_is_always_within_its_bounds(
    past: list[tuple[Outlook, float, bool]], now: Outlook
) -> None:
    pace = Pace(2.0, 60.0)
    for outlook, seconds, ended in past:
        pace.watched(outlook, seconds, ended)
        assert 2.0 <= pace.gap(now) <= 60.0
        assert 2.0 <= pace.first(now) <= 60.0
        assert 2.0 <= pace.growing(outlook.age) <= 60.0


@pytest.mark.parametrize(("usual", "gap"), [(100, 4), (400, 6), (700, 10), (1800, 10), (4000, 20)])
def test_where_nothing_foretells_the_end_ten_seconds_pass_or_a_part_of_the_usual_time(
    usual: float, gap: float
) -> None:
    pace, unknown = Pace(2.0, 120.0), Outlook("", 1.0, 0.0)
    pace.watched(unknown, usual, ended=False)
    pace.watched(unknown, 0.0, ended=True)
    assert pace.gap(unknown) == pytest.approx(gap)
