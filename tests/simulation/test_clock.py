"""The virtual clock."""

import asyncio
import time

import pytest

from tests.simulation.clock import START, Deadlock, LoopClock, run_virtually


def test_a_month_passes_in_a_moment_and_the_answer_comes_back() -> None:
    async def month() -> tuple[float, float]:
        clock = LoopClock()
        await asyncio.sleep(30 * 86400)
        return clock.monotonic(), clock.now()

    began = time.perf_counter()
    assert run_virtually(month) == (30 * 86400, START + 30 * 86400)
    assert time.perf_counter() - began < 5


def test_the_order_of_things_is_the_same_every_time() -> None:
    async def race() -> list[tuple[float, int]]:
        seen: list[tuple[float, int]] = []

        async def runner(number: int) -> None:
            for lap in range(5):
                await asyncio.sleep((number * 7919 + lap * 104_729) % 13)
                seen.append((LoopClock().monotonic(), number))

        await asyncio.gather(*(runner(number) for number in range(200)))
        return seen

    first = run_virtually(race)
    assert first == run_virtually(race)
    assert [moment for moment, _ in first] == sorted(moment for moment, _ in first)


def test_a_deadlock_is_told() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtually(stuck)


def test_coarse_time_stops_at_ticks_and_keeps_the_order() -> None:
    async def naps() -> list[tuple[float, float]]:
        woken: list[tuple[float, float]] = []

        async def nap(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((LoopClock().monotonic(), seconds))

        await asyncio.gather(*map(nap, (0.9, 0.2, 1.0, 1.1)))
        return woken

    assert run_virtually(naps, tick=1.0) == [(1.0, 0.2), (1.0, 0.9), (1.0, 1.0), (2.0, 1.1)]
