"""Windows in which work may begin, and --until."""

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.model.errors import BadInput
from orchestrator.model.window import EVERY_DAY, Window, closing_time, days_of, moment, shown

MADRID = ZoneInfo("Europe/Madrid")
ZONES = [
    *(ZoneInfo(name) for name in ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe")),
    *(ZoneInfo(name) for name in ("Pacific/Apia", "America/Santiago", "Asia/Kolkata")),
    UTC,
]
minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(ZONES)
#: 2010 to 2035; Apia left out a day in 2011.
nows = st.integers(1_262_304_000, 2_051_222_400).map(float)
day_sets = st.frozensets(st.integers(0, 6), min_size=1)


def at(text: str, zone: tzinfo = MADRID) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


NIGHT = Window(time(22), time(6), MADRID)


def test_a_night_reaches_over_midnight() -> None:
    assert not NIGHT.is_open(at("2026-11-22T21:59:59"))
    assert NIGHT.is_open(at("2026-11-22T22:00"))
    assert NIGHT.is_open(at("2026-11-23T05:59:59"))
    assert not NIGHT.is_open(at("2026-11-23T06:00"))
    assert NIGHT.next_closing(at("2026-11-22T23:00")) == at("2026-11-23T06:00")
    assert NIGHT.next_opening(at("2026-11-22T23:00")) == at("2026-11-23T22:00")


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    weekdays = Window(time(22), time(6), MADRID, days_of("mon-fri"))
    assert weekdays.is_open(at("2026-11-28T05:00"))  # Saturday: Friday's night
    assert not weekdays.is_open(at("2026-11-23T05:00"))  # Monday: Sunday's night
    assert weekdays.next_opening(at("2026-11-28T05:00")) == at("2026-11-30T22:00")


def test_a_whole_weekend_closes_once() -> None:
    weekend = Window(time(0), time(0), MADRID, days_of("sat,sun"))
    assert weekend.next_closing(at("2026-11-28T12:00")) == at("2026-11-30T00:00")
    assert weekend.next_opening(at("2026-11-28T12:00")) == at("2026-12-05T00:00")


def test_around_the_clock_never_closes() -> None:
    always = Window(time(5), time(5), MADRID)
    assert always.is_open(at("2026-11-28T05:00"))
    assert always.next_closing(at("2026-11-28T12:00")) is None


def test_once_a_week_opens_again_after_a_week() -> None:
    weekly = Window(time(9), time(10), MADRID, days_of("mon"))
    assert weekly.next_opening(at("2026-11-23T09:00")) == at("2026-11-30T09:00")


def test_a_night_is_an_hour_shorter_or_longer_as_clocks_change() -> None:
    spring = NIGHT.next_closing(at("2026-03-28T22:00"))
    autumn = NIGHT.next_closing(at("2026-10-24T22:00"))
    assert spring is not None
    assert autumn is not None
    assert spring - at("2026-03-28T22:00") == 7 * 3600
    assert autumn - at("2026-10-24T22:00") == 9 * 3600


def test_a_time_that_the_clocks_leave_out_comes_as_they_jump() -> None:
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()
    day = datetime(2026, 3, 29).date()  # noqa: DTZ001 - a date alone
    assert moment(day, time(2, 30), MADRID) == jump
    assert moment(day, time(2), MADRID) == jump
    assert moment(day, time(3), MADRID) == jump
    assert moment(day, time(1, 59), MADRID) == jump - 60


def test_of_a_time_that_comes_twice_the_first_counts() -> None:
    day = datetime(2026, 10, 25).date()  # noqa: DTZ001 - a date alone
    assert moment(day, time(2, 30), MADRID) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()


@given(nows, minutes, zones)
def test_a_moment_is_the_first_at_which_the_clocks_show_that_time(
    now: float, wanted: time, zone: tzinfo
) -> None:
    day = datetime.fromtimestamp(now, zone).date()
    first = moment(day, wanted, zone)
    target = datetime.combine(day, wanted)
    here = datetime.fromtimestamp(first, zone).replace(tzinfo=None)
    before = datetime.fromtimestamp(first - 1, zone).replace(tzinfo=None)
    assert here >= target
    assert before < target


@given(nows, minutes, minutes, zones, day_sets)
def test_openings_and_closings_agree_with_is_open(
    now: float, opens: time, closes: time, zone: tzinfo, days: frozenset[int]
) -> None:
    window = Window(opens, closes, zone, days)
    opening, closing = window.next_opening(now), window.next_closing(now)
    if closing is not None:
        assert closing > now
        assert not window.is_open(closing)
        assert window.is_open(closing - 1)
    else:
        assert opens == closes
        assert days == EVERY_DAY
    if opening is not None:
        assert opening > now
        assert window.is_open(opening)
        assert not window.is_open(opening - 1)
    if opening is not None and closing is not None:
        assert window.is_open(now) == (closing < opening)


@given(nows, minutes, minutes, day_sets, st.integers(-720, 840))
def test_without_changes_of_the_clocks_it_is_what_the_clock_on_the_wall_says(
    now: float, opens: time, closes: time, days: frozenset[int], offset: int
) -> None:
    assume(opens != closes)
    zone = timezone(timedelta(minutes=offset))
    wall = datetime.fromtimestamp(now, zone)
    clock, day = wall.time(), wall.weekday()
    if opens < closes:
        expected = day in days and opens <= clock < closes
    else:
        expected = (day in days and clock >= opens) or ((day - 1) % 7 in days and clock < closes)
    assert Window(opens, closes, zone, days).is_open(now) is expected


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat,sun", {5, 6}),
        ("Friday - Monday", {4, 5, 6, 0}),
        (["mon", "wed-thu"], {0, 2, 3}),
        ("sun", {6}),
    ],
)
def test_days_as_people_write_them(said: str | list[str], days: set[int]) -> None:
    assert days_of(said) == days


@pytest.mark.parametrize("said", ["", "noday", "mon-", [], "mon,,tue"])
def test_what_is_no_day_is_refused(said: str | list[str]) -> None:
    with pytest.raises(BadInput, match="day"):
        days_of(said)


def test_until_is_the_next_such_time() -> None:
    evening = at("2026-11-22T20:00")
    assert closing_time("06:00", evening, MADRID) == at("2026-11-23T06:00")
    assert closing_time("6:00", at("2026-11-22T06:00"), MADRID) == at("2026-11-23T06:00")
    assert closing_time("21:30:15", evening, MADRID) == at("2026-11-22T21:30:15")


def test_until_a_day_and_time() -> None:
    evening = at("2026-11-22T20:00")
    assert closing_time("2026-11-23T06:00", evening, MADRID) == at("2026-11-23T06:00")
    assert closing_time("2026-11-23T06:00Z", evening, MADRID) == at("2026-11-23T06:00", UTC)


@pytest.mark.parametrize("said", ["6", "25:00", "soon", "2026-11-22T06:00", "", "٠٦:٠٠"])
def test_until_what_is_no_time_or_over_is_refused(said: str) -> None:
    with pytest.raises(BadInput):
        closing_time(said, at("2026-11-22T20:00"), MADRID)


def test_moments_are_shown_as_the_wall_shows_them() -> None:
    assert shown(at("2026-11-23T06:00"), MADRID) == "Mon 2026-11-23 06:00"
