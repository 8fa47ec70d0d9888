"""Changes that people ask for: priorities, cancelling, trying again."""

import sqlite3
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.ledger import LedgerReader
from orchestrator.ledger.globs import glob
from orchestrator.ledger.wishes import Retry
from orchestrator.model import turns
from orchestrator.model.errors import Superseded
from orchestrator.model.items import Change, Problem
from orchestrator.model.states import State
from tests.ledger.support import begin, bring_to, row, rows, take_in

AGEING = turns.AGEING


def prioritize(match, priority):
    return lambda change: change.prioritize(match, priority, AGEING)


async def keys(ledger, limit=100):
    return [item.key for item in await ledger.pending(limit, ())]


async def failed(ledger, item, error_class="transient"):
    now = begin(item)
    await ledger.post(Change(now, State.PENDING))
    gone = replace(now, state=State.FAILED, error_class=error_class, error="no luck")
    await ledger.post(Change(gone, State.UPLOADING))


# --- patterns ----------------------------------------------------------------------

texts = st.text("ab[]!^*?/é", max_size=8)


@given(texts, texts)
@example("[!a]*", "ba")
@example("[^a]", "^")
@example("[^]", "^")
@example("[a-c]*", "b")
@example("[", "[")
@example("[]a]", "]")
@example("[!]", "[!]")
@example("[!^a]", "^")
def test_a_pattern_means_to_sqlite_what_it_means_to_fnmatch(pattern, text):
    with sqlite3.connect(":memory:") as db:
        (matched,) = db.execute("SELECT ? GLOB ?", (text, glob(pattern))).fetchone()
    assert bool(matched) == fnmatchcase(text, pattern)


# --- priorities --------------------------------------------------------------------


async def test_waiting_items_get_another_turn_and_an_event(opened, url, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(20))
        before = {item.id: item for item in await ledger.pending(100, ())}
        altered = await ledger.alter(prioritize("item-0001?", 9))
        assert len(altered) == 10
        assert altered.states == {State.PENDING: 10}
        after = await ledger.pending(100, ())
        assert [item.priority for item in after] == [9] * 10 + [5] * 10
        for item in after[:10]:
            assert item.rank == before[item.id].rank - 4 * AGEING
        assert dict(zip(altered.ids, altered.ranks, strict=True)) == {
            item.id: item.rank for item in after[:10]
        }
    event = LedgerReader(url, "demo").history("item-00010")[-1]
    assert (event.was, event.now, event.note) == (
        State.PENDING,
        State.PENDING,
        "priority 5 to 9",
    )


async def test_only_what_waits_changes_its_turn(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(4))
        first, second, third, _ = await ledger.pending(10, ())
        await bring_to(ledger, first, State.ENCODING)
        await bring_to(ledger, second, State.UPLOADED)
        await bring_to(ledger, third, State.COMPLETED)
        altered = await ledger.alter(prioritize("*", 0))
        assert altered.states == {State.PENDING: 1, State.UPLOADED: 1}


async def test_the_same_priority_again_changes_nothing(opened, url):
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        altered = await ledger.alter(prioritize("*", 5))
        assert len(altered) == 1
    assert LedgerReader(url, "demo").history("item-00000") == []


# --- cancelling --------------------------------------------------------------------


async def test_cancelled_items_are_left_alone_and_late_steps_are_superseded(opened, url, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(4))
        first, second, third, _ = await ledger.pending(10, ())
        sending = await bring_to(ledger, first, State.UPLOADING)
        encoding = await bring_to(ledger, second, State.ENCODING)
        await bring_to(ledger, third, State.COMPLETED)
        altered = await ledger.alter(lambda change: change.cancel("*"))
        assert altered.states == {State.UPLOADING: 1, State.ENCODING: 1, State.PENDING: 1}
        assert list(altered.ids) == [1, 2, 4]
        with pytest.raises(Superseded):
            await ledger.post(Change(sending.to(State.UPLOADED), State.UPLOADING))
        with pytest.raises(Superseded):
            await ledger.post(Change(encoding.to(State.COLLECTING), State.ENCODING))
        counts = await ledger.counts()
        assert counts == {State.CANCELLED: 3, State.COMPLETED: 1}
        assert await keys(ledger) == []
    event = LedgerReader(url, "demo").history("item-00001")[-1]
    assert (event.was, event.now) == (State.ENCODING, State.CANCELLED)
    assert event.note == "cancelled by a person"
    with sqlite3.connect(ledger._path) as db:
        ended = db.execute("SELECT error, ended_at FROM attempts WHERE item_id = 2").fetchone()
    assert ended == ("cancelled by a person", clock.now())


async def test_steps_under_way_in_one_batch_with_a_cancelled_item_are_kept(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        items = await ledger.pending(10, ())
        await ledger.alter(lambda change: change.cancel("item-00001"))
        posted = [ledger.post(Change(begin(item), State.PENDING)) for item in items]
        await posted[0]
        with pytest.raises(Superseded):
            await posted[1]
        await posted[2]


async def test_a_cancelled_item_stays_so_in_the_next_run(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(2))
        await ledger.alter(lambda change: change.cancel("*0"))
        await take_in(ledger, rows(2))
        assert await keys(ledger) == ["item-00001"]


# --- trying again ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "again"),
    [
        (Retry(failed=True), ["item-00000", "item-00001"]),
        (Retry(error_class="stalled"), ["item-00001"]),
        (Retry(error_class="nonsense"), []),
        (Retry(match="*[02]"), ["item-00000", "item-00002"]),
        (Retry(match="*[02]", failed=True), ["item-00000"]),
        (Retry(match="*", error_class="transient"), ["item-00000"]),
    ],
)
async def test_what_is_tried_again(opened, wish, again):
    async with opened() as ledger:
        await take_in(ledger, rows(4))
        first, second, _, fourth = await ledger.pending(10, ())
        await failed(ledger, first)
        await failed(ledger, second, "stalled")
        await ledger.alter(lambda change: change.cancel("*2"))
        await bring_to(ledger, fourth, State.COMPLETED)
        altered = await ledger.alter(lambda change: change.retry(wish))
        assert len(altered) == len(again)
        assert await keys(ledger) == again
        for item in await ledger.pending(10, ()):
            assert (item.error, item.error_class, item.attempt) == (None, None, None)
            await bring_to(ledger, item, State.COMPLETED)


async def test_a_row_that_could_not_be_used_is_not_tried_again(opened):
    async with opened() as ledger:
        problem = Problem("m.csv", "is empty", line=3, key="bad")
        await take_in(ledger, [row("good"), problem], keep_going=True)
        assert (await ledger.counts())[State.FAILED] == 1
        assert len(await ledger.alter(lambda change: change.retry(Retry(failed=True)))) == 0
        assert await ledger.alter(lambda change: change.classes()) == {"bad_input": 1}


async def test_items_of_an_earlier_manifest_are_not_touched(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await take_in(ledger, rows(1))
        assert len(await ledger.alter(lambda change: change.cancel("*"))) == 1
        assert await ledger.alter(lambda change: change.example()) == "item-00000"


async def test_a_change_that_fails_leaves_nothing_behind(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))

        def breaks(change):
            change.cancel("*")
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            await ledger.alter(breaks)
        assert len(await ledger.alter(lambda change: change.cancel("*"))) == 3
