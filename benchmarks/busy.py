"""A service whose capacity moves between 50 and 500, and says busy beyond it. Simulated.

On a virtual clock, for several seeds: our admission gate beside what scripts do,
which is to sleep 60 seconds per refused item, or to back off exponentially. The
bound is the time at which the capacity so far adds up to the work. Running encodes
are never broken off where the capacity falls below them, so a policy can end up a
little better than the bound.
"""

import asyncio
import bisect
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.harness import Goal, Result, table
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.limits import Patience
from orchestrator.model.errors import Busy
from tests.simulation.clock import LoopClock, run_virtually

_SEEDS = (1, 2, 3, 4, 5)
_ITEMS = 10_000
_LOWEST, _HIGHEST = 50, 500
#: Seconds: an encode's mean, an answer to a start, an encode's end until it is seen.
_ENCODE, _LATENCY, _SEEN = 120.0, 0.2, 5.0
_STARTERS = 8


@dataclass(frozen=True, slots=True)
class Weather:
    """How the capacity moves, and what a refusal says. ``delay`` is in seconds."""

    name: str
    move: Callable[[random.Random, float], float]
    seconds: tuple[float, float]
    delay: float | None = None


def _walk(chance: random.Random, level: float) -> float:
    return float(level * chance.lognormvariate(0, 0.2))


def _leap(chance: random.Random, _level: float) -> float:
    return float(_LOWEST * (_HIGHEST / _LOWEST) ** chance.random())


WEATHERS = (
    Weather("walk", _walk, (60, 180)),
    Weather("walk, 10 s named", _walk, (60, 180), 10.0),
    Weather("leaps", _leap, (120, 480)),
    Weather("leaps, 10 s named", _leap, (120, 480), 10.0),
)


class Capacity:
    """Constant between moves, the same for everyone with the same seed."""

    def __init__(self, weather: Weather, seed: int) -> None:
        chance = random.Random(f"capacity {seed}")
        self._since, self._levels = [0.0], [round(_leap(chance, 0))]
        while self._since[-1] < 7 * 86400:
            self._since.append(self._since[-1] + chance.uniform(*weather.seconds))
            moved = weather.move(chance, self._levels[-1])
            self._levels.append(round(min(_HIGHEST, max(_LOWEST, moved))))

    def at(self, moment: float) -> int:
        return self._levels[bisect.bisect(self._since, moment) - 1]

    def done_after(self, work: float) -> float:
        """When ``work`` (seconds of encoding) is done if every place is always taken."""
        for place, level in enumerate(self._levels):
            span = self._since[place + 1] - self._since[place]
            if work <= level * span:
                return self._since[place] + work / level
            work -= level * span
        raise AssertionError("the week is over")


@dataclass
class Service:
    """Takes a start where it has a place free; keeps count."""

    capacity: Capacity
    delay: float | None
    running: int = 0
    calls: int = 0
    refused: int = 0
    last_end: float = 0.0

    async def start(self, duration: float, ended: Callable[[], None]) -> None:
        self.calls += 1
        await asyncio.sleep(_LATENCY)
        loop = asyncio.get_running_loop()
        if self.running >= self.capacity.at(loop.time()):
            self.refused += 1
            raise Busy("no place free", self.delay)
        self.take(duration, ended)

    def take(self, duration: float, ended: Callable[[], None]) -> None:
        self.running += 1
        loop = asyncio.get_running_loop()
        loop.call_later(duration, self._end, ended)

    def _end(self, ended: Callable[[], None]) -> None:
        self.running -= 1
        self.last_end = asyncio.get_running_loop().time()
        ended()


# --- policies ---------------------------------------------------------------------


@dataclass
class _Gated:
    """Our gate; an end is seen by polling, some seconds late."""

    service: Service
    waiting: list[float]
    chance: random.Random
    gate: AdmissionGate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = AdmissionGate(LoopClock(), Patience(), _HIGHEST, lambda _said: None)

    async def work(self) -> None:
        while self.waiting:
            await self.gate.take_slot()
            if not self.waiting:
                self.gate.free_slot()
                return
            duration = self.waiting.pop()
            try:
                await self.gate.call(lambda: self.service.start(duration, self._ended))  # noqa: B023
            except Busy:
                self.waiting.append(duration)
                self.gate.free_slot()
            else:
                self.gate.started()

    def _ended(self) -> None:
        late = self.chance.uniform(0, 2 * _SEEN)
        asyncio.get_running_loop().call_later(late, self.gate.free_slot)


async def gated(service: Service, items: Sequence[float], chance: random.Random) -> None:
    policy = _Gated(service, list(items), chance)
    await asyncio.gather(*(policy.work() for _ in range(_STARTERS)))


async def knowing(service: Service, items: Sequence[float], _chance: random.Random) -> None:
    """What could be done at all: sees the capacity and every end at once, starts in no time."""
    waiting, loop = list(items), asyncio.get_running_loop()
    while waiting:
        while waiting and service.running < service.capacity.at(loop.time()):
            service.take(waiting.pop(), _unheard)
        await asyncio.sleep(0.5)


def _unheard() -> None: ...


def per_item(pause: Callable[[int, random.Random], float]) -> "Policy":
    """As a script with a thread per encode does it: each item waits by itself."""

    async def policy(service: Service, items: Sequence[float], chance: random.Random) -> None:
        waiting = list(items)

        async def thread() -> None:
            while waiting:
                duration, tries = waiting.pop(), 0
                while True:
                    ended = asyncio.Event()
                    try:
                        await service.start(duration, ended.set)
                        break
                    except Busy:
                        tries += 1
                        await asyncio.sleep(pause(tries, chance))
                await ended.wait()
                await asyncio.sleep(chance.uniform(0, 2 * _SEEN))

        await asyncio.gather(*(thread() for _ in range(_HIGHEST)))

    return policy


Policy = Callable[[Service, Sequence[float], random.Random], Awaitable[None]]

POLICIES: dict[str, Policy] = {
    "all-knowing": knowing,
    "admission gate": gated,
    "60 s per item": per_item(lambda _tries, _chance: 60.0),
    "backoff per item": per_item(
        lambda tries, chance: chance.uniform(0, min(300.0, 2.0 ** min(tries, 16)))
    ),
}


# --- measuring --------------------------------------------------------------------


def measure(weather: Weather, policy: Policy, seed: int, items: int = _ITEMS) -> dict[str, float]:
    """One policy under one weather: the share of starts refused, makespan / bound."""
    chance = random.Random(f"items {seed}")
    lengths = sorted(chance.lognormvariate(0, 0.6) for _ in range(items))
    durations = [length * chance.lognormvariate(0, 0.4) for length in lengths]
    scale = _ENCODE * items / sum(durations)
    durations = [each * scale for each in durations]  # taken from the end: longest first
    capacity = Capacity(weather, seed)
    service = Service(capacity, weather.delay)

    async def run() -> float:
        await policy(service, durations, chance)
        while service.running:  # noqa: ASYNC110 - virtual seconds cost nothing
            await asyncio.sleep(1)
        return service.last_end

    random.seed(seed)  # the gate's jitter
    took = run_virtually(run)
    bound = capacity.done_after(sum(durations))
    return {"refused": service.refused / max(1, service.calls), "makespan": took / bound}


def bench() -> Result:
    """Every policy, weather and seed."""
    figures: dict[str, Any] = {}
    rows, goals = [], {}
    for weather in WEATHERS:
        for name, policy in POLICIES.items():
            each = [measure(weather, policy, seed) for seed in _SEEDS]
            found = {key: median(one[key] for one in each) for key in each[0]}
            found |= {f"worst {key}": max(one[key] for one in each) for key in each[0]}
            figures[f"{weather.name}: {name}"] = {key: round(it, 4) for key, it in found.items()}
            said = (f"{100 * found[key]:.1f} %" for key in found)
            rows.append([weather.name, name, *said])
            print(f"  {weather.name}: {name}", file=sys.stderr, flush=True)
        ours = figures[f"{weather.name}: admission gate"]
        goals[f"{weather.name}: 2 % / refused"] = Goal(1.0, 0.02 / ours["worst refused"])
        goals[f"{weather.name}: 1.05 bound / makespan"] = Goal(1.0, 1.05 / ours["makespan"])
    heads = ["capacity", "policy", "refused", "makespan / bound", "worst refused", "worst makespan"]
    print(table(heads, rows))
    return Result("busy", figures, goals)


def main() -> None:
    """Run the benchmark."""
    print(
        f"{_ITEMS} encodes of {_ENCODE:.0f} s (lognormal), capacity {_LOWEST} to {_HIGHEST}, "
        f"seeds {_SEEDS[0]} to {_SEEDS[-1]}; median, and the worst of the seeds"
    )
    result = bench()
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
