import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from orchestrator.ledger import LedgerReader, SqlLedger
from orchestrator.model.errors import LedgerInUse, LedgerProblem
from orchestrator.model.items import Change
from orchestrator.model.states import State
from tests.ledger.support import HandClock, begin, rows, take_in


async def test_opening_makes_the_folder_and_closing_leaves_one_file_and_the_lock(fresh, path):
    async with fresh() as ledger:
        await take_in(ledger, rows(3))
    assert sorted(file.name for file in path.parent.iterdir()) == ["demo.db", "demo.db.lock"]


async def test_a_second_opening_is_refused_naming_who_has_it(fresh):
    async with fresh():
        with pytest.raises(LedgerInUse, match=rf"process {os.getpid()} on .* has it since 20"):
            await fresh().__aenter__()
    async with fresh():
        pass


@pytest.mark.slow
async def test_another_process_that_holds_it_is_named(fresh, url):
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from orchestrator.ledger import SqlLedger
        from tests.ledger.support import HandClock

        async def main():
            async with SqlLedger({url!r}, "demo", clock=HandClock()):
                print("open", flush=True)
                sys.stdin.readline()

        asyncio.run(main())
        """
    )
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert await child.stdout.readline() == b"open\n"
    with pytest.raises(LedgerInUse, match=f"process {child.pid} on "):
        await fresh().__aenter__()
    child.kill()
    await child.communicate()
    async with fresh() as ledger:
        await take_in(ledger, rows(1))


async def test_a_lock_file_of_any_content_is_no_lock(fresh, path):
    path.parent.mkdir()
    path.with_name("demo.db.lock").write_bytes(b'{"pid": 1, \xff')
    async with fresh():
        pass


async def test_who_had_the_lock_before_is_forgotten(fresh, path):
    path.parent.mkdir()
    path.with_name("demo.db.lock").write_text('{"pid": 1, "host": "' + "h" * 500 + '"}')
    async with fresh():
        with pytest.raises(LedgerInUse, match=f"process {os.getpid()} on "):
            await fresh().__aenter__()


async def test_a_commit_reaches_the_disk_before_it_is_acknowledged(fresh):
    """Only pulling the plug would prove it: SQLite promises it for these settings."""
    async with fresh() as ledger:
        raw = ledger._writer.connection.driver_connection
        (synchronous,) = raw.execute("PRAGMA synchronous").fetchone()
        (journal,) = raw.execute("PRAGMA journal_mode").fetchone()
    assert (synchronous, journal) == (2, "wal")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@host/db", "no ledger can be kept at postgresql://me:"),
        ("sqlite://", "write sqlite:////folder/name.db"),
        ("not a url", "write sqlite:////folder/name.db"),
    ],
)
def test_a_url_that_names_no_file_is_refused_without_its_password(url, words):
    with pytest.raises(LedgerProblem) as refusal:
        SqlLedger(url, "demo", clock=HandClock())
    assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "#1.db", "ü.db"])
async def test_any_file_name_will_do(tmp_path, name):
    url = f"sqlite:///{tmp_path / name}"
    async with SqlLedger(url, "demo", clock=HandClock()) as ledger:
        await take_in(ledger, rows(1))
        assert LedgerReader(url, "demo").counts() == {State.PENDING: 1}
    assert (tmp_path / name).exists()


async def test_a_file_that_is_no_database_is_left_alone(fresh, path):
    path.parent.mkdir()
    path.write_text("dear diary, " * 1000)
    with pytest.raises(LedgerProblem, match="not a ledger, nor any SQLite database"):
        await fresh().__aenter__()
    assert path.read_text().startswith("dear diary")
    path.unlink()
    async with fresh():  # the lock was let go
        pass


async def test_another_programs_database_is_left_alone(fresh, path):
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(LedgerProblem, match="is a database, but not a ledger"):
        await fresh().__aenter__()


async def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerProblem, match="can't make the ledger's folder"):
        await SqlLedger(f"sqlite:///{tmp_path}/file/a.db", "demo", clock=HandClock()).__aenter__()


async def test_leaving_writes_what_was_posted(fresh, url):
    async with fresh() as ledger:
        await take_in(ledger, rows(700))
        for item in await ledger.pending(700, ()):
            ledger.post(Change(begin(item), item.state))
    assert LedgerReader(url, "demo").counts() == {State.UPLOADING: 700}


async def test_leaving_while_being_cancelled_writes_what_was_posted(fresh, url):
    entered = asyncio.Event()

    async def work():
        async with fresh() as ledger:
            await take_in(ledger, rows(700))
            for item in await ledger.pending(700, ()):
                ledger.post(Change(begin(item), item.state))
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LedgerReader(url, "demo").counts() == {State.UPLOADING: 700}


async def test_a_closed_ledger_takes_nothing(fresh):
    async with fresh() as ledger:
        await take_in(ledger, rows(1))
        item = (await ledger.pending(1, ()))[0]
    with pytest.raises(LedgerProblem, match="is closed"):
        await ledger.post(Change(begin(item), item.state))


async def test_a_run_that_never_said_how_it_ended_was_interrupted(fresh, url, clock):
    async with fresh() as ledger:
        first = await ledger.begin_run("qencode", "m.csv", {"keep_going": False})
        clock.time += 10
        assert LedgerReader(url, "demo").last_run().outcome is None
        second = await ledger.begin_run("qencode", "m.csv", {})
        clock.time += 10
        await ledger.end_run("finished")
    run = LedgerReader(url, "demo").last_run()
    assert (run.number, run.outcome, run.ended_at - run.started_at) == (second, "finished", 10.0)
    assert (run.service, run.manifest, run.pid) == ("qencode", "m.csv", os.getpid())
    assert first < second


@pytest.mark.slow
def test_a_ledger_of_the_present_schema_is_opened_without_alembic(url):
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from orchestrator.ledger import SqlLedger
        from tests.ledger.support import HandClock

        async def main():
            async with SqlLedger({url!r}, "demo", clock=HandClock()):
                print("alembic" in sys.modules)

        asyncio.run(main())
        """
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]
