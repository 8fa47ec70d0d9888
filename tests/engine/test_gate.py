"""The admission gate."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.limits import Patience
from orchestrator.engine.spacing import StartPace
from orchestrator.model.errors import (
    BadRequest,
    Busy,
    LedgerProblem,
    Superseded,
    Unreachable,
)
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


@pytest.mark.parametrize("error", [Superseded("cancelled"), LedgerProblem("the disk is full")])
async def test_what_the_ledger_says_is_no_answer_of_the_service(error: Exception) -> None:
    door, _ = gate()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", 10)))
    with pytest.raises(type(error)):
        await door.call(raising(error))
    entered: list[float] = []

    async def probe() -> None:
        entered.append(anyio.current_time())
        await anyio.sleep(3)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(door.call, probe)
    assert entered == [pytest.approx(10), pytest.approx(13)]  # still one at a time


async def test_one_place_wakes_one_of_many_who_wait_and_a_cancelled_one_is_passed_over() -> None:
    door, _ = gate(in_flight=1)
    await begin(door)
    took: list[int] = []

    async def worker(number: int) -> None:
        await door.take_slot()
        took.append(number)

    async with anyio.create_task_group() as tasks:
        first = anyio.CancelScope()
        tasks.start_soon(_wait_in, first, worker, 0)
        await anyio.sleep(1)
        for number in (1, 2, 3):
            tasks.start_soon(worker, number)
        await anyio.sleep(1)
        first.cancel()
        door.free_slot()
        await anyio.sleep(1)
        assert took == [1]
        door.set_most(3)
    assert took == [1, 2, 3]


async def _wait_in(
    scope: anyio.CancelScope, worker: Callable[[int], Awaitable[None]], number: int
) -> None:
    with scope:
        await worker(number)


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


async def begin(door: AdmissionGate) -> None:
    await door.call(fine, start=await door.take_slot())


async def refuse(door: AdmissionGate, delay: float | None = None) -> None:
    ticket = await door.take_slot()
    with pytest.raises(Busy):
        await door.call(raising(Busy("full", delay)), start=ticket)
    door.free_slot()


async def test_a_refused_start_without_a_time_waits_for_an_encode_to_end_and_no_longer() -> None:
    door, notes = gate(in_flight=100)
    for _ in range(50):
        await begin(door)
    await refuse(door)
    assert (door.window, door.in_flight) == (49, 50)
    assert not notes  # the service is as well as ever: it is only full
    with anyio.move_on_after(5) as scope:
        await door.take_slot()
    assert scope.cancelled_caught
    await door.call(fine)  # all other calls go on
    for _ in range(2):
        door.free_slot()
    await begin(door)
    assert door.in_flight == 49
    assert anyio.current_time() == 5


async def test_a_refused_start_with_a_time_closes_the_gate_for_every_call() -> None:
    door, _ = gate(in_flight=100)
    for _ in range(5):
        await begin(door)
    await refuse(door, 40)
    assert await door.call(fine) == pytest.approx(40)


async def test_refused_though_nothing_runs_it_is_not_the_places_that_are_full() -> None:
    door, _ = gate()
    await refuse(door)
    assert 7.5 <= await door.call(fine) <= 22.5


async def test_a_start_that_fails_frees_its_place() -> None:
    door, _ = gate(in_flight=1)
    ticket = await door.take_slot()
    with pytest.raises(BadRequest):
        await door.call(raising(BadRequest("no")), start=ticket)
    door.free_slot()
    await begin(door)
    assert door.in_flight == 1


async def test_starts_keep_to_their_pace_which_can_be_changed() -> None:
    door, _ = gate(in_flight=1000)
    door.set_starts_per_second(2)
    for _ in range(11):
        await begin(door)
    assert anyio.current_time() == pytest.approx(5, abs=0.1)
    async with anyio.create_task_group() as tasks:
        door.set_starts_per_second(0.01)
        tasks.start_soon(begin, door)
        await anyio.sleep(1)
        door.set_starts_per_second(None)
    assert anyio.current_time() < 7


async def test_the_most_in_flight_can_be_changed() -> None:
    door, _ = gate(in_flight=10)
    for _ in range(10):
        await begin(door)
    door.set_most(3)
    for _ in range(7):
        door.free_slot()
    with anyio.move_on_after(5) as scope:
        await door.take_slot()
    assert scope.cancelled_caught
    door.set_most(4)
    await begin(door)
    assert (door.window, door.in_flight) == (4, 4)


def test_a_pace_must_be_above_nothing() -> None:
    with pytest.raises(ValueError, match="above 0"):
        StartPace(0)
