"""The simulated account that the admission gate is measured with."""

import asyncio
import random

import pytest

from benchmarks.admission.account import HIGHEST, LATENCY, LOWEST, Account, Capacity, Weather, walk
from benchmarks.admission.policies import BEST, OURS, POLICIES
from benchmarks.busy import LEAPS, WALK, encodes, night
from orchestrator.model.errors import Busy
from tests.simulation.clock import run_virtually


def falling(chance: random.Random, level: float) -> float:
    """Half of it, the first time and every time."""
    return level / 2


HALVED = Weather("halved", falling, (100, 100), delay=7.0)


def test_encodes_share_a_capacity_that_has_fallen_and_the_bound_is_their_end() -> None:
    capacity = Capacity(HALVED, seed=1)
    places, _ = capacity.at(0)

    async def run() -> list[float]:
        account, ends = Account(capacity, None), list[float]()
        loop = asyncio.get_running_loop()
        for _ in range(places):
            account.take(150.0, lambda: ends.append(loop.time()))
        await account.idle()
        return ends

    ends = run_virtually(run)
    assert len(ends) == places
    assert ends == pytest.approx([capacity.done_after(150.0 * places)] * places)
    assert ends[0] > 195  # 100 s at full speed, and what was left at half of it


def test_a_start_is_refused_where_no_place_is_free_and_taken_where_one_is() -> None:
    capacity = Capacity(HALVED, seed=2)

    async def run() -> tuple[int, int, float]:
        account, loop = Account(capacity, HALVED.delay), asyncio.get_running_loop()
        for _ in range(account.level - 1):
            account.take(50.0, lambda: None)
        await account.start(50.0)
        with pytest.raises(Busy) as refused:
            await account.start(50.0)
        assert refused.value.delay == HALVED.delay
        assert loop.time() == pytest.approx(2 * LATENCY)
        await account.idle()
        part = await account.start(1.0)
        assert part() == 0
        await asyncio.sleep(0.25)
        assert part() == pytest.approx(0.25)
        await account.idle()
        assert part() == 1
        return account.calls, account.refused, account.last_end

    calls, refused, last = run_virtually(run)
    assert (calls, refused) == (3, 1)
    assert last == pytest.approx(50.0 + 2 * LATENCY + 1.0)


def test_a_walk_stays_between_its_ends() -> None:
    chance, level = random.Random(3), 490.0
    for _ in range(5_000):
        level = walk(chance, level)
        assert LOWEST <= level <= HIGHEST


def test_the_longest_come_first_but_for_the_error_of_the_guess() -> None:
    durations = encodes(4, 5_000)
    assert sum(durations) / len(durations) == pytest.approx(300)
    assert sum(durations[-500:]) > 5 * sum(durations[:500])
    assert durations != sorted(durations)


@pytest.mark.parametrize("policy", POLICIES)
def test_nobody_ends_before_the_bound_and_every_encode_is_done(policy: str) -> None:
    found = night(LEAPS, POLICIES[policy], seed=5, count=400)
    assert found["makespan"] >= 1
    taken = round(found["calls"] * (1 - found["refused"]))
    assert taken == (0 if policy == BEST else 400)  # the best one does not ask


def test_a_night_is_the_same_every_time() -> None:
    assert night(WALK, POLICIES[OURS], 6, 300) == night(WALK, POLICIES[OURS], 6, 300)
