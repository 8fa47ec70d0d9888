"""The limit of bytes per second, on a virtual clock."""

import asyncio
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.services.throttle import Throttle

pytestmark = pytest.mark.looptime

KIB = 1024
MIB = 2**20


def now() -> float:
    return asyncio.get_running_loop().time()


async def send(throttle: Throttle, counts: Iterable[int], log: list[tuple[float, int]]) -> None:
    for count in counts:
        await throttle.take(count)
        log.append((now(), count))


@pytest.mark.parametrize("rate", [0, -1])
async def test_a_rate_lets_something_through(rate: int) -> None:
    with pytest.raises(ValueError, match="never"):
        Throttle(rate)
    throttle = Throttle(5)
    with pytest.raises(ValueError, match="never"):
        throttle.rate = rate
    assert throttle.rate == 5


async def test_without_a_limit_nobody_waits() -> None:
    throttle = Throttle()
    began = now()
    for _ in range(1000):
        await throttle.take(MIB)
    assert now() == began
    assert throttle.piece(MIB) == MIB


async def test_the_rate_is_kept_and_used() -> None:
    throttle, log, began = Throttle(MIB), list[tuple[float, int]](), now()
    await send(throttle, [64 * KIB] * 160, log)
    assert now() - began == pytest.approx(10.0, abs=0.3)
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(log)]
    assert max(gaps) < 0.1


async def test_it_wakes_nobody_in_vain() -> None:
    loop = asyncio.get_running_loop()
    throttle, timers, call_later = Throttle(MIB), list[float](), loop.call_later

    def counted(delay, callback, *args, **more):  # type: ignore[no-untyped-def]
        timers.append(delay)
        return call_later(delay, callback, *args, **more)

    loop.call_later = counted  # type: ignore[method-assign]
    await asyncio.gather(*(throttle.take(MIB) for _ in range(20)))
    assert len(timers) <= 20


async def test_uploads_under_way_at_once_get_equal_shares() -> None:
    throttle = Throttle(MIB)
    logs: list[list[tuple[float, int]]] = [[] for _ in range(5)]
    tasks = [asyncio.create_task(send(throttle, [16 * KIB] * 10_000, log)) for log in logs]
    await asyncio.sleep(20)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    shares = [sum(count for _, count in log) for log in logs]
    assert max(shares) - min(shares) <= 16 * KIB
    assert sum(shares) == pytest.approx(20 * MIB, rel=0.03)


async def test_what_is_larger_than_can_be_saved_goes_on_credit() -> None:
    throttle, began = Throttle(100 * KIB), now()
    await throttle.take(MIB)
    assert now() - began == pytest.approx(0.25)
    await throttle.take(1)
    assert now() - began == pytest.approx(10.24, abs=0.01)


async def test_time_without_sending_is_not_saved_up() -> None:
    throttle = Throttle(MIB)
    await throttle.take(1)
    await asyncio.sleep(3600)
    log, began = list[tuple[float, int]](), now()
    await send(throttle, [16 * KIB] * 640, log)
    assert now() - began == pytest.approx(9.75, abs=0.02)


@pytest.mark.parametrize(("rate", "seconds"), [(MIB, 1.0), (None, 0.0)])
async def test_another_limit_counts_at_once_for_those_who_wait(
    rate: int | None, seconds: float
) -> None:
    throttle = Throttle(1)
    waiting = [asyncio.create_task(throttle.take(256 * KIB)) for _ in range(4)]
    await asyncio.sleep(60)
    assert not any(task.done() for task in waiting[1:])
    began = now()
    throttle.rate = rate
    await asyncio.gather(*waiting)
    assert now() - began == pytest.approx(seconds, abs=0.3)


async def test_a_lower_limit_counts_at_once() -> None:
    throttle, log = Throttle(100 * MIB), list[tuple[float, int]]()
    task = asyncio.create_task(send(throttle, [64 * KIB] * 100_000, log))
    await asyncio.sleep(1)
    sent = sum(count for _, count in log)
    throttle.rate = MIB
    await asyncio.sleep(10)
    task.cancel()
    await asyncio.wait([task])
    assert sum(count for _, count in log) - sent == pytest.approx(10 * MIB, rel=0.05)


async def test_a_limit_can_be_set_where_there_was_none() -> None:
    throttle, log = Throttle(), list[tuple[float, int]]()
    await send(throttle, [MIB] * 100, log)
    throttle.rate = MIB
    began = now()
    await send(throttle, [64 * KIB] * 160, log)
    assert now() - began == pytest.approx(10.0, abs=0.3)


async def test_who_is_cancelled_leaves_its_turn_to_others() -> None:
    throttle, began = Throttle(MIB), now()
    await throttle.take(10 * MIB)
    first, second = (asyncio.create_task(throttle.take(count)) for count in (MIB, 16 * KIB))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert now() - began == pytest.approx(10.0, abs=0.3)


async def test_pieces_are_small_where_the_rate_is_low() -> None:
    assert Throttle(MIB).piece(256 * KIB) == 256 * KIB
    assert Throttle(MIB).piece(MIB) == 256 * KIB
    assert Throttle(400 * KIB).piece(256 * KIB) == 100 * KIB
    assert Throttle(1).piece(256 * KIB) == 16 * KIB


_RATES = st.integers(1_000, 10**8)
_STEPS = st.lists(
    st.tuples(st.floats(0, 2, allow_nan=False), st.integers(1, MIB)), min_size=1, max_size=40
)


@settings(max_examples=150, deadline=None)
@given(rate=_RATES, uploads=st.lists(_STEPS, min_size=1, max_size=4))
async def test_over_any_period_the_limit_holds(
    rate: int, uploads: list[list[tuple[float, int]]]
) -> None:
    throttle, log = Throttle(rate), list[tuple[float, int]]()

    async def upload(steps: list[tuple[float, int]]) -> None:
        for pause, count in steps:
            await asyncio.sleep(pause)
            await throttle.take(count)
            log.append((now(), count))

    await asyncio.gather(*map(upload, uploads))
    most = max(rate * 0.25, max(count for _, count in log))
    for first in range(len(log)):
        total = 0
        for at, count in log[first:]:
            total += count
            assert total <= rate * (at - log[first][0]) + most + 2
