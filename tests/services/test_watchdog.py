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
