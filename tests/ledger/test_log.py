"""A manifest's rows are on disk with the commit, and moved from the log while the run goes on."""

import sqlite3
import threading
from contextlib import closing

import pytest

from orchestrator.ledger import log as logs
from orchestrator.model.states import State
from tests.ledger.support import bring_to, rows, take_in

COUNT = 500


@pytest.fixture
def any_is_long(monkeypatch):
    monkeypatch.setattr("orchestrator.ledger.sqlite.LOG_PAGES", 1)


@pytest.fixture
def held(monkeypatch):
    """Holds the move up until it is let go."""
    began, let_go, move = threading.Event(), threading.Event(), logs.Log._move

    def late(log):
        began.set()
        assert let_go.wait(30)
        move(log)

    monkeypatch.setattr(logs.Log, "_move", late)
    yield began, let_go
    let_go.set()


def in_file(path):
    """How many items the file holds without its log."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database:
        return database.execute("SELECT count(*) FROM items").fetchone()[0]


async def test_steps_do_not_wait_for_a_long_log(opened, path, any_is_long, held):
    began, let_go = held
    async with opened() as ledger:
        await take_in(ledger, rows(COUNT))
        assert began.wait(30)
        assert in_file(path) == 0
        (item,) = await ledger.pending(1, ())
        await bring_to(ledger, item, State.COMPLETED)
        assert (await ledger.counts())[State.COMPLETED] == 1
        let_go.set()
    assert in_file(path) == COUNT
    assert not path.with_name(f"{path.name}-wal").exists()


async def test_the_move_empties_the_log_and_harms_no_reader(opened, path, any_is_long):
    async with opened() as ledger:
        await take_in(ledger, rows(COUNT))
        ledger._log.settle()
        assert in_file(path) == COUNT
        assert await ledger.counts() == {State.PENDING: COUNT}


async def test_inline_there_is_no_thread(opened, path, any_is_long):
    async with opened(inline=True) as ledger:
        await take_in(ledger, rows(COUNT))
        assert "log" not in {thread.name for thread in threading.enumerate()}
        assert in_file(path) == COUNT


async def test_a_short_log_is_left_to_later_commits(opened, path, monkeypatch):
    monkeypatch.delattr(logs.Log, "_move")
    async with opened() as ledger:
        await take_in(ledger, rows(COUNT))
        assert in_file(path) == 0
        assert await ledger.counts() == {State.PENDING: COUNT}
    assert in_file(path) == COUNT


async def test_a_log_that_can_not_be_moved_is_kept(opened, path, any_is_long, monkeypatch):
    monkeypatch.setattr(logs.sqlite, "beside", lambda path: closing(sqlite3.connect("/nowhere/x")))
    async with opened() as ledger:
        await take_in(ledger, rows(COUNT))
        ledger._log.settle()
        assert await ledger.counts() == {State.PENDING: COUNT}
    assert in_file(path) == COUNT
