"""The search for a rate factor: which ones to measure, and when to stop."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

#: The VMAF that is good enough from this many lines on. RealNetworks' study of it put
#: the score from which viewers tell no difference, or do not mind it, at 93.
TARGET: Final = 93.0
_LINES: Final = 720
#: What is taken off for each halving of the lines: frames that small are shown small, or
#: blown up, and neither lets see what the model sees. Six points are a noticeable difference.
_HALVING: Final = 3.0
#: Rate factors are told apart by this much; it changes the size by about 6%.
GRID: Final = 0.5
#: As high as H.264 and H.265 go.
_HIGHEST: Final = 51.0

#: What a step of the rate factor costs of VMAF, before any is known; real ones
#: lie between 0.3 and 2, mostly.
_SLOPE: Final = 1.0
#: So close to the target, no more is to be gained.
_CLOSE: Final = 0.25
_MOST_MEASURED: Final = 7


@dataclass(frozen=True, slots=True)
class Point:
    """What the samples come to at a rate factor: their VMAF, and their size in bytes."""

    crf: float
    score: float
    size: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """``min_crf``, ``max_crf`` and ``adjust_crf`` of an output."""

    least: int = 0
    most: int = 51
    adjust: int = 0

    def within(self, crf: float) -> float:
        """The rate factor of these limits that is next to ``crf``."""
        return float(min(max(crf, self.least), self.most))

    def settled(self, crf: float) -> float:
        """What is taken for ``crf``: within the limits, adjusted, and still within them.

        The documents: "Resulting CRF value can only be adjusted within the limits".
        """
        return self.within(self.within(crf) + self.adjust)


@dataclass(frozen=True, slots=True)
class Choice:
    """The rate factor that was chosen, and what the encoder's default would give."""

    chosen: Point
    default: Point


Measure = Callable[[float], Awaitable[Point]]


def target(lines: int) -> float:
    """The VMAF that is good enough for a frame; ``lines`` is the shorter of its sides."""
    return TARGET - _HALVING * math.log2(max(1.0, _LINES / lines))


async def search(measure: Measure, default: float, bounds: Bounds, enough: float) -> Choice:
    """Find the highest rate factor that scores ``enough``, measuring few, the ``default`` first.

    The default it is where that scores less, or where nothing that scores enough is smaller.

    Whatever is chosen was measured. Raises what ``measure`` does.
    """
    start = await measure(default)
    best = await _highest(measure, start, min(_HIGHEST, float(bounds.most)), enough)
    settled = bounds.settled(best.crf)
    return Choice(best if settled == best.crf else await measure(settled), start)


async def _highest(measure: Measure, start: Point, highest: float, enough: float) -> Point:
    """The highest rate factor that scores enough; ``start`` where it does not itself.

    A lower one that was measured is taken where it is smaller: of a picture that
    stands still, what a coarse keyframe saves is spent on mending it.
    """
    best, reaches, misses = start, start, None
    slope = _SLOPE
    for _ in range(_MOST_MEASURED - 1):
        guess = _between(reaches, misses, slope, highest, enough)
        if guess is None:
            break
        point = await measure(guess)
        if point.score >= enough:
            gone = point.crf - reaches.crf
            # A flat stretch says little of what comes behind it: no leap to the end.
            slope = max(_SLOPE / 4, (reaches.score - point.score) / gone)
            reaches = point
            best = min(best, point, key=lambda each: each.size)
        else:
            misses = point
    return best


def _between(
    reaches: Point, misses: Point | None, slope: float, highest: float, enough: float
) -> float | None:
    """The next rate factor to measure; None where it is not worth it."""
    spare = reaches.score - enough
    end = highest + GRID if misses is None else misses.crf
    if spare <= _CLOSE or end - reaches.crf <= GRID:
        return None
    if misses is not None:
        slope = (reaches.score - misses.score) / (misses.crf - reaches.crf)
    guess = math.floor((reaches.crf + spare / slope) / GRID) * GRID
    return min(max(guess, reaches.crf + GRID), end - GRID)
