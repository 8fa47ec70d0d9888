"""The valve before new work."""

import anyio
import pytest

from orchestrator.engine.valve import Valve

pytestmark = pytest.mark.looptime


async def _pass(valve: Valve, passed: list[int], number: int) -> None:
    await valve.passed()
    passed.append(number)


async def test_an_open_valve_does_not_even_suspend() -> None:
    step = Valve().passed()
    with pytest.raises(StopIteration):
        step.send(None)


async def test_it_opens_with_the_last_reason() -> None:
    valve, passed = Valve(), []
    valve.shut("paused")
    valve.shut("too many failures")
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(_pass, valve, passed, number)
        await anyio.sleep(1)
        assert valve.reasons == ("paused", "too many failures")
        valve.open("paused")
        await anyio.sleep(1)
        assert passed == []
        valve.open("too many failures")
    assert passed == [0, 1, 2]
    assert valve.reasons == ()


async def test_the_same_reason_twice_is_one_reason() -> None:
    valve = Valve()
    valve.shut("paused")
    valve.shut("paused")
    valve.open("paused")
    await valve.passed()


async def test_a_probe_passes_alone_the_longest_waiting_first() -> None:
    valve, passed = Valve(), []
    valve.shut("paused")
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(_pass, valve, passed, number)
        await anyio.sleep(1)
        valve.let_one()
        await anyio.sleep(1)
        assert passed == [0]
        tasks.cancel_scope.cancel()


async def test_a_probe_for_the_next_who_comes() -> None:
    valve = Valve()
    valve.shut("paused")
    valve.let_one()
    await valve.passed()
    with anyio.move_on_after(60) as second:
        await valve.passed()
    assert second.cancelled_caught


async def test_an_unused_pass_ends_with_the_opening() -> None:
    valve = Valve()
    valve.shut("paused")
    valve.let_one()
    valve.open("paused")
    valve.let_one()  # open: there is nothing to give out
    valve.shut("paused")
    with anyio.move_on_after(60) as waits:
        await valve.passed()
    assert waits.cancelled_caught


async def test_a_pass_is_not_lost_with_the_waiter_it_was_given_to() -> None:
    valve, passed = Valve(), []
    valve.shut("paused")
    async with anyio.create_task_group() as tasks:
        leaving = anyio.CancelScope()

        async def goes_away() -> None:
            with leaving:
                await _pass(valve, passed, 0)

        tasks.start_soon(goes_away)
        await anyio.sleep(1)
        tasks.start_soon(_pass, valve, passed, 1)
        await anyio.sleep(1)
        leaving.cancel()
        valve.let_one()
        await anyio.sleep(1)
        assert passed == [1]
        tasks.cancel_scope.cancel()
