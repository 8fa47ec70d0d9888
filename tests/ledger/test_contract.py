import asyncio

import pytest

from orchestrator.model.items import Change
from orchestrator.model.states import IN_FLIGHT, State
from tests.ledger.contract import LedgerContract
from tests.ledger.support import begin, rows, take_in


class TestThreaded(LedgerContract):
    @pytest.fixture
    async def ledger(self, opened):
        async with opened() as ledger:
            await take_in(ledger, rows(5))
            yield ledger


class TestInline(LedgerContract):
    @pytest.fixture
    async def ledger(self, opened):
        async with opened(inline=True) as ledger:
            await take_in(ledger, rows(5))
            yield ledger


@pytest.mark.looptime
async def test_inline_needs_no_time_on_a_virtual_clock(opened):
    loop = asyncio.get_running_loop()
    async with opened(inline=True) as ledger:
        await take_in(ledger, rows(50))
        started = loop.time()
        for item in await ledger.pending(50, ()):
            await ledger.post(Change(begin(item), item.state))
        assert loop.time() == started
        await asyncio.sleep(3600)
        assert len(await ledger.in_flight(IN_FLIGHT, 0, 100)) == 50
        assert await ledger.counts() == {State.UPLOADING: 50}
