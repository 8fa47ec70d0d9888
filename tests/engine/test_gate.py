"""The admission gate."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.limits import Patience
from orchestrator.model.errors import BadRequest, Busy, Unreachable
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


def gate(in_flight: int = 10, **patience: float) -> tuple[AdmissionGate, list[str]]:
    notes: list[str] = []
    return AdmissionGate(LoopClock(), Patience(**patience), in_flight, notes.append), notes


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def step() -> None:
        raise error

    return step


async def fine() -> float:
    return anyio.current_time()


async def test_an_open_gate_lets_everything_through() -> None:
    door, notes = gate()
    assert await door.call(fine) == await door.call(fine) == 0
    assert not notes


async def test_busy_closes_it_for_the_time_that_the_answer_names() -> None:
    door, notes = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 42)))
    assert await door.call(fine) == pytest.approx(42)
    assert len(notes) == 1
    assert "42 s" in notes[0]


async def test_the_longest_of_several_delays_counts() -> None:
    door, _ = gate()

    async def slow_busy(after: float, delay: float) -> None:
        async def step() -> None:
            await anyio.sleep(after)
            raise Busy("full", delay)

        with pytest.raises(Busy):
            await door.call(step)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow_busy, 1.0, 30.0)
        tasks.start_soon(slow_busy, 2.0, 5.0)
    assert await door.call(fine) == pytest.approx(31)


async def test_a_busy_answer_without_a_time_waits_a_jittered_default() -> None:
    door, _ = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full")))
    assert 7.5 <= await door.call(fine) <= 22.5


async def test_reopens_by_one_probe() -> None:
    door, _ = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 10)))
    entered: list[float] = []

    async def probe() -> None:
        entered.append(anyio.current_time())
        await anyio.sleep(3)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(door.call, probe)
    assert entered[0] == pytest.approx(10)
    assert entered[1:] == [pytest.approx(13)] * 4


async def test_a_busy_probe_closes_it_again() -> None:
    door, notes = gate()
    for _ in range(3):
        with pytest.raises(Busy):
            await door.call(raising(Busy("full", 10)))
    assert await door.call(fine) == pytest.approx(30)
    assert len(notes) == 1  # said once, not at every probe


async def test_a_cancelled_probe_lets_another_one_try() -> None:
    door, _ = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 10)))
    with anyio.move_on_after(15):
        await door.call(anyio.sleep_forever)
    assert await door.call(fine) == pytest.approx(15)


async def test_an_error_that_is_an_answer_reopens_it() -> None:
    door, _ = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 10)))
    with pytest.raises(BadRequest):
        await door.call(raising(BadRequest("no")))
    assert await door.call(fine) == pytest.approx(10)


async def test_an_unreachable_service_is_waited_for_and_given_up_in_the_end() -> None:
    door, notes = gate(first=1.0, cap=10.0, unreachable_for=60.0)
    tries = 0
    while not door.lost:
        with pytest.raises(Unreachable):
            await door.call(raising(Unreachable("refused")))
        tries += 1
        assert tries < 60
    assert 60 <= anyio.current_time() < 75
    assert tries > 5
    await door.call(fine)
    assert not door.lost
    assert len(notes) == 2


async def test_a_dead_address_of_one_task_says_nothing_of_the_service() -> None:
    door, notes = gate()
    with pytest.raises(Unreachable):
        await door.call(raising(Unreachable("refused")), home=False)
    assert await door.call(fine) == 0
    assert not notes


async def test_slots_are_bounded_and_given_back() -> None:
    door, _ = gate(in_flight=2)
    await door.take_slot()
    await door.take_slot()
    with anyio.move_on_after(5) as scope:
        await door.take_slot()
    assert scope.cancelled_caught
    door.free_slot()
    await door.take_slot()
    assert door.in_flight == 2


async def test_busy_shrinks_the_window_and_starts_widen_it_again() -> None:
    door, _ = gate(in_flight=100)
    for _ in range(50):
        await door.take_slot()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 1)))
    assert door.window == 35  # 0.7 of what was in flight
    for _ in range(36):
        door.started()
    assert door.window == 36  # about one more for every window of starts
    for _ in range(100_000):
        door.started()
    assert door.window == 100
