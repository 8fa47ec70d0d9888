"""The scope that ends a transfer which has stopped moving."""

import asyncio

import pytest

from orchestrator.model.errors import Stalled
from orchestrator.services.watchdog import watched

pytestmark = pytest.mark.looptime


async def test_what_moves_goes_on_and_what_rests_too() -> None:
    clock = asyncio.get_running_loop()
    async with watched(1.0, "http://host/x") as moved:
        for _ in range(5):
            await asyncio.sleep(0.9)
            moved()
        moved(resting=True)
        await asyncio.sleep(100)
        moved()
    assert clock.time() > 104


async def test_what_moves_too_late_changes_nothing() -> None:
    """A thread may come back with bytes once the scope has ended its wait."""

    async def comes_back_late() -> None:
        async with watched(1.0, "http://host/x") as moved:
            try:
                await asyncio.Event().wait()
            finally:
                moved()

    with pytest.raises(Stalled, match="nothing moved for 1 seconds"):
        await comes_back_late()


async def test_a_stall_is_noticed_soon_after_its_time_and_never_before() -> None:
    clock = asyncio.get_running_loop()
    moved_last = 0.0

    async def moves_for_a_while() -> None:
        nonlocal moved_last
        async with watched(16.0, "http://host/x") as moved:
            for _ in range(100):
                await asyncio.sleep(0.33)
                moved()
                moved_last = clock.time()
            await asyncio.Event().wait()

    with pytest.raises(Stalled):
        await moves_for_a_while()
    assert 16.0 <= clock.time() - moved_last <= 17.0
