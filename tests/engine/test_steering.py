"""What may be asked of an engine while it runs."""

from collections import Counter
from functools import partial

import anyio
import pytest

from orchestrator.engine import Limits
from orchestrator.model.states import State
from orchestrator.model.turns import AGEING
from tests.engine.house import House, row

pytestmark = pytest.mark.looptime


@pytest.fixture
def house(tmp_path) -> House:
    return House(tmp_path, [row(number) for number in range(12)])


def cancelled(key, change):
    return change.cancel(key)


async def states(ledger) -> Counter[str]:
    return Counter({str(state): count for state, count in (await ledger.counts()).items()})


async def test_a_pause_holds_everything_new_and_follows_the_rest(house):
    house.limits = Limits(uploads=2, starts=2, in_flight=2, collects=2, upload_ahead=2)
    async with house.ledger() as ledger, anyio.create_task_group() as tasks:
        engine = house.engine(ledger)
        tasks.start_soon(engine.run)
        await anyio.sleep(5)
        engine.pause()
        started = house.service.starts.total()
        await anyio.sleep(600)
        assert house.service.starts.total() == started
        counts = await states(ledger)
        assert counts["encoding"] == counts["uploading"] == 0
        assert counts["completed"] == started
        engine.resume()
    assert house.service.starts.total() == len(house.rows)


async def test_closed_nothing_new_begins_and_what_is_paid_for_is_fetched(house):
    house.limits = Limits(uploads=2, starts=2, in_flight=3, collects=2, upload_ahead=2)
    async with house.ledger() as ledger:
        engine = house.engine(ledger)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.sleep(5)
            engine.close("it is six o'clock")
        counts = await states(ledger)
        started = house.service.starts.total()
        assert 0 < started < len(house.rows)
        assert counts["completed"] == started
        assert counts["encoding"] == counts["collecting"] == counts["starting"] == 0
        assert engine.closed == "it is six o'clock"
    assert await house.run() == {State.COMPLETED: 12}
    assert max(house.service.starts.values()) == 1


async def test_what_is_cancelled_gives_its_place_to_the_next(house):
    house.limits = Limits(uploads=2, starts=2, in_flight=1, collects=2, upload_ahead=2)
    async with house.ledger() as ledger:
        engine = house.engine(ledger)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.sleep(5)
            (encoding,) = await ledger.in_flight([State.ENCODING], 0, 10)
            waiting = (await ledger.in_flight([State.UPLOADED], 0, 10))[0]
            for item in (encoding, waiting):
                changed = await ledger.alter(partial(cancelled, item.key))
                engine.cancel(changed.ids)
            await anyio.sleep(5)
            assert house.service.starts.total() == 2, "the place is free at once"
        assert await states(ledger) == {"completed": 10, "cancelled": 2}
    assert house.service.starts[waiting.source] == 0


async def test_what_became_more_urgent_overtakes_what_has_not_started(house):
    house.limits = Limits(uploads=1, starts=1, in_flight=1, collects=1, upload_ahead=2)
    last = house.rows[-1].key
    async with house.ledger() as ledger:
        engine = house.engine(ledger)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.sleep(5)
            before = house.service.starts.total()
            changed = await ledger.alter(lambda change: change.prioritize(last, 9, AGEING))
            turns = zip(changed.ids, changed.ranks, strict=True)
            engine.reordered({item: (9, rank) for item, rank in turns})
    assert house.service.order[before] == f"tus:{last.rpartition('/')[2]}"


async def test_more_may_be_in_flight_from_now_on(house):
    house.limits = Limits(uploads=4, starts=4, in_flight=1, collects=2, upload_ahead=8)
    async with house.ledger() as ledger, anyio.create_task_group() as tasks:
        engine = house.engine(ledger)
        tasks.start_soon(engine.run)
        await anyio.sleep(20)
        assert house.service.most_running == 1
        engine.set_limits(in_flight=4, uploads=6)
    assert house.service.most_running == 4


async def test_a_run_that_follows_takes_up_what_comes_and_ends_when_closed(house):
    rows = house.rows
    async with house.ledger(rows[:2]) as ledger:
        engine = house.engine(ledger, follow=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.sleep(300)
            assert await states(ledger) == {"completed": 2}
            await house.take_in(ledger, rows[:5], following=True)
            engine.look_again()
            await anyio.sleep(300)
            assert await states(ledger) == {"completed": 5}
            engine.close("enough")
