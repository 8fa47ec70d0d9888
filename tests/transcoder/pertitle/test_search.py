"""The search: what is measured, what is chosen, within which limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder.pertitle.search import GRID, Bounds, Point, search, target

ENOUGH = 93.0


class Film:
    """A film whose score falls with the rate factor by a curve; it notes what is measured."""

    def __init__(self, at_23: float, slope: float) -> None:
        self.at_23, self.slope = at_23, slope
        self.measured: list[float] = []

    def score(self, crf: float) -> float:
        steps = crf - 23.0
        return max(0.0, min(100.0, self.at_23 - self.slope * steps - 0.02 * steps * abs(steps)))

    async def measure(self, crf: float) -> Point:
        self.measured.append(crf)
        return Point(crf, self.score(crf), round(1e6 * 2 ** (-crf / 6)))


@given(st.floats(0, 100), st.floats(0.05, 3))
@pytest.mark.slow
async def test_the_target_is_reached_with_few_measurements(at_23: float, slope: float) -> None:
    film = Film(at_23, slope)
    choice = await search(film.measure, 23.0, Bounds(), ENOUGH)
    crf = choice.chosen.crf
    assert choice.default.crf == film.measured[0] == 23.0
    assert len(film.measured) == len(set(film.measured)) <= 8
    if at_23 <= ENOUGH:
        assert crf == 23.0
        return
    assert crf >= 23.0
    assert film.score(crf) >= ENOUGH
    # It is the highest that does, or its score leaves little to gain, or patience ended.
    spare = film.score(crf) - ENOUGH <= 0.25
    assert spare or film.score(crf + GRID) < ENOUGH or crf == 51 or len(film.measured) == 7


@pytest.mark.attribute("format[].min_crf", "format[].max_crf", "format[].adjust_crf")
@given(st.integers(0, 51), st.integers(0, 51), st.integers(-10, 10), st.floats(60, 100))
async def test_the_choice_stays_within_the_limits_and_was_measured(
    one: int, other: int, adjust: int, at_23: float
) -> None:
    film = Film(at_23, 0.7)
    bounds = Bounds(min(one, other), max(one, other), adjust)
    choice = await search(film.measure, 23.0, bounds, ENOUGH)
    assert bounds.least <= choice.chosen.crf <= bounds.most
    assert choice.chosen.crf in film.measured
    assert choice.chosen.score == film.score(choice.chosen.crf)


@pytest.mark.parametrize(
    ("bounds", "crf"),
    [
        (Bounds(), 26.0),
        (Bounds(most=25), 25.0),
        (Bounds(least=30), 30.0),
        (Bounds(adjust=-4), 22.0),
        (Bounds(adjust=3, most=27), 27.0),
        (Bounds(adjust=-9, least=20), 20.0),
        (Bounds(adjust=2, least=30, most=31), 31.0),
    ],
)
async def test_adjusting_comes_after_the_limits_and_keeps_to_them(
    bounds: Bounds, crf: float
) -> None:
    film = Film(96.18, 1.0)
    assert (await search(film.measure, 23.0, bounds, ENOUGH)).chosen.crf == crf


@pytest.mark.parametrize(("lines", "score"), [(2160, 93), (720, 93), (360, 90), (180, 87)])
def test_small_frames_need_less(lines: int, score: float) -> None:
    assert math.isclose(target(lines), score)


async def test_a_higher_rate_factor_that_is_larger_is_not_taken() -> None:
    async def still(crf: float) -> Point:
        return Point(crf, 100.0 - crf / 10, round(1000 + crf))

    assert (await search(still, 23.0, Bounds(), ENOUGH)).chosen.crf == 23.0
