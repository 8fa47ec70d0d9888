import asyncio
import sqlite3
from dataclasses import replace

import pytest

from orchestrator.ledger import LedgerReader
from orchestrator.model.errors import LedgerProblem
from orchestrator.model.items import Change
from orchestrator.model.states import State
from tests.ledger.support import begin, row, rows, take_in


def fill_the_disk(ledger):
    """No page can be added from now on."""
    raw = ledger._writer.connection.driver_connection
    (pages,) = raw.execute("PRAGMA page_count").fetchone()
    raw.execute(f"PRAGMA max_page_count = {pages}").close()


async def test_a_full_disk_is_told_to_everyone_who_waits_and_to_all_after(opened, path, url):
    async with opened() as ledger:
        await take_in(ledger, rows(300))
        items = await ledger.pending(300, ())
        good = items.pop()
        await ledger.post(Change(begin(good), good.state))
        fill_the_disk(ledger)
        answers = await asyncio.gather(
            *(
                ledger.post(Change(begin(item).to(State.FAILED, error="x" * 2000), item.state))
                for item in items
            ),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {LedgerProblem}
        assert f"the ledger {path}: the disk is full; make room" in str(answers[0])
        with pytest.raises(LedgerProblem, match="the disk is full"):
            await ledger.post(Change(begin(good).to(State.UPLOADED), State.UPLOADING))
        assert await ledger.counts() == {State.UPLOADING: 1, State.PENDING: 299}
    assert LedgerReader(url, "demo").counts() == {State.UPLOADING: 1, State.PENDING: 299}


async def test_a_full_disk_during_an_ingest_leaves_the_ledger_as_it_was(opened):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        fill_the_disk(ledger)
        with pytest.raises(LedgerProblem, match="the disk is full"):
            await take_in(ledger, rows(5000))
        assert await ledger.counts() == {State.PENDING: 3}


async def test_a_program_that_locks_the_ledger_is_told(opened, path, monkeypatch):
    monkeypatch.setattr("orchestrator.ledger.sqlite.BUSY_WAIT", 0.0)
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        item = (await ledger.pending(1, ()))[0]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerProblem, match="another program has it locked"):
            await ledger.post(Change(begin(item), item.state))
        other.execute("ROLLBACK")
        other.close()
        assert await ledger.counts() == {State.PENDING: 1}


async def test_a_step_that_can_not_be_stored_harms_no_other(opened):
    bad_name = b"\xff".decode(errors="surrogateescape")
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        one, two, three = await ledger.pending(3, ())
        bad = begin(two, upload_url=f"/{bad_name}")
        answers = await asyncio.gather(
            ledger.post(Change(begin(one), one.state)),
            ledger.post(Change(bad, two.state)),
            ledger.post(Change(begin(three), three.state)),
            return_exceptions=True,
        )
        assert answers[0] is answers[2] is None
        assert isinstance(answers[1], LedgerProblem)
        assert "item-00001: can't be put on record" in str(answers[1])
        await ledger.post(Change(begin(two), two.state))
        assert await ledger.counts() == {State.UPLOADING: 3}


async def test_words_about_a_name_that_is_not_utf8_can_be_stored(opened, url):
    words = b"can't read /media/\xff.mp4".decode(errors="surrogateescape")
    async with opened() as ledger:
        await take_in(ledger, [row("a")])
        item = (await ledger.pending(1, ()))[0]
        tried = begin(item)
        failed = tried.to(
            State.FAILED, error_class="x", error=words, attempt=replace(tried.attempt, error=words)
        )
        await ledger.post(Change(failed, item.state, note=words))
    reader = LedgerReader(url, "demo")
    assert reader.failures(1)[0].error == "can't read /media/\\udcff.mp4"
    assert reader.history("a")[0].note == "can't read /media/\\udcff.mp4"


async def test_a_fault_of_the_writer_itself_leaves_nobody_waiting(opened, monkeypatch):
    def broken(connection, steps):
        raise AssertionError("a fault of our own")

    ledger = opened()
    await ledger.__aenter__()
    await take_in(ledger, rows(1))
    item = (await ledger.pending(1, ()))[0]
    monkeypatch.setattr("orchestrator.ledger.writes.write", broken)
    with pytest.raises(LedgerProblem):
        await ledger.post(Change(begin(item), item.state))
    with pytest.raises(AssertionError, match="a fault of our own"):
        await ledger.__aexit__(None, None, None)
