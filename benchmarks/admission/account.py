"""An account at a transcoding service whose capacity moves. Simulated, in the loop's time.

The capacity is what the service gives this account: so many encodes go on at full
speed. Where it falls below the encodes that run, these share it, each a little
slower; so no policy can end before the capacity over time adds up to the work. A
start is refused while no place is free.
"""

import asyncio
import bisect
import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.model.errors import Busy

LOWEST, HIGHEST = 50, 500

#: Seconds from a request to its answer.
LATENCY = 0.2

#: Of seconds of encoding: less than this is left of an encode that has ended.
_NOTHING = 1e-6

_DAYS = 4 * 86400


@dataclass(frozen=True, slots=True)
class Weather:
    """How the capacity moves: to where, and after how many seconds (at least, at most).

    ``delay`` is what a refusal names, in seconds; None: nothing.
    """

    name: str
    move: Callable[[random.Random, float], float]
    seconds: tuple[float, float]
    delay: float | None = None


def walk(chance: random.Random, level: float) -> float:
    """A step of 5 % up or down (one standard deviation), thrown back at either end."""
    stepped = math.log(level) + chance.gauss(0, 0.05)
    low, high = math.log(LOWEST), math.log(HIGHEST)
    return math.exp(max(min(stepped, 2 * high - stepped), 2 * low - stepped))


def leap(chance: random.Random, _level: float) -> float:
    """Anywhere, small capacities as likely as their tenfold."""
    return float(LOWEST * (HIGHEST / LOWEST) ** chance.random())


def stay(_chance: random.Random, level: float) -> float:
    """As it was."""
    return level


class Capacity:
    """Steps over four days, the same for everyone with the same seed."""

    def __init__(self, weather: Weather, seed: int) -> None:
        chance = random.Random(f"capacity {seed}")
        level = leap(chance, 0.0)
        self._since, self._levels = [0.0], [round(level)]
        while self._since[-1] < _DAYS:
            self._since.append(self._since[-1] + chance.uniform(*weather.seconds))
            level = weather.move(chance, level)
            self._levels.append(round(level))

    def at(self, moment: float) -> tuple[int, float]:
        """The capacity at ``moment``, and the time of its next move."""
        place = bisect.bisect(self._since, moment)
        return self._levels[place - 1], self._since[place]

    def done_after(self, work: float) -> float:
        """When ``work`` (seconds of encoding) is done if no place is ever free."""
        for place, level in enumerate(self._levels):
            span = self._since[place + 1] - self._since[place]
            if work <= level * span:
                return self._since[place] + work / level
            work -= level * span
        raise AssertionError("the capacity is known for four days only")


class Account:
    """Takes starts while it has a place free, counts them, and works through the encodes.

    ``moved`` is called whenever a place may have become free. Lives from its making
    on the running loop, whose time then is to be 0.
    """

    def __init__(self, capacity: Capacity, delay: float | None) -> None:
        self._capacity, self._delay = capacity, delay
        self._loop = asyncio.get_running_loop()
        self.level, self._moves_at = capacity.at(0.0)
        self.calls = self.refused = 0
        self.last_end = 0.0
        self.moved: Callable[[], None] = lambda: None
        # Every encode gets the same share, so one sum of shares tells when each one ends.
        self._share, self._at = 0.0, 0.0
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        self._taken = 0
        self._quiet = asyncio.Event()
        self._alarm = self._loop.call_at(self._moves_at, self._wake)

    @property
    def running(self) -> int:
        """Encodes that have not ended."""
        return len(self._ends)

    async def start(self, duration: float) -> Callable[[], float]:
        """Begin an encode of so many seconds, or raise ``Busy``.

        Returns what says how much of it is done: 1 when it has ended.
        """
        self.calls += 1
        await asyncio.sleep(LATENCY)
        if not self._takes(duration, unheard):
            raise Busy("no place free", self._delay)
        end = self._share + duration

        def part() -> float:
            self._catch_up()
            left = end - self._share
            return 1.0 if left <= _NOTHING else 1.0 - left / duration

        return part

    def ask(
        self, duration: float, ended: Callable[[], None], answered: Callable[[bool], None]
    ) -> None:
        """``start`` for a policy that asks very often: ``answered`` hears whether it was taken."""
        self.calls += 1
        self._loop.call_later(LATENCY, lambda: answered(self._takes(duration, ended)))

    def take(self, duration: float, ended: Callable[[], None]) -> None:
        """Begin an encode, whatever the capacity."""
        self._catch_up()
        self._taken += 1
        heapq.heappush(self._ends, (self._share + duration, self._taken, ended))
        self._set_alarm()

    async def idle(self) -> None:
        """Wait until nothing runs."""
        while self._ends:
            self._quiet.clear()
            await self._quiet.wait()

    def _takes(self, duration: float, ended: Callable[[], None]) -> bool:
        if self.running >= self.level:
            self.refused += 1
            return False
        self.take(duration, ended)
        return True

    @property
    def _speed(self) -> float:
        return min(1.0, self.level / self.running) if self._ends else 1.0

    def _catch_up(self) -> None:
        now = self._loop.time()
        self._share += (now - self._at) * self._speed
        self._at = now

    def _set_alarm(self) -> None:
        at = self._moves_at
        if self._ends:
            at = min(at, self._at + max(0.0, self._ends[0][0] - self._share) / self._speed)
        if at != self._alarm.when() or self._alarm.cancelled():
            self._alarm.cancel()
            self._alarm = self._loop.call_at(at, self._wake)

    def _wake(self) -> None:
        self._catch_up()
        if self._at >= self._moves_at:
            self.level, self._moves_at = self._capacity.at(self._at)
        over = []
        while self._ends and self._ends[0][0] <= self._share + _NOTHING:
            over.append(heapq.heappop(self._ends)[2])
            self.last_end = self._at
        self._alarm.cancel()
        self._set_alarm()
        for ended in over:
            ended()
        self.moved()
        if not self._ends:
            self._quiet.set()


def unheard() -> None:
    """For who need not be told of an end."""
