"""The task store: what is durable, what happens once only, and who is blamed for a crash."""

import asyncio
import sqlite3

import pytest
from cryptography.fernet import Fernet

from orchestrator.transcoder.database import Database
from orchestrator.transcoder.tasks import (
    MAX_CRASHES,
    AlreadyStarted,
    Start,
    TaskState,
    TaskStore,
    UnknownTask,
)
from orchestrator.transcoder.vault import Vault

QUERY = {"source": "tus:x", "format": [{"output": "mp4"}]}


def start(digest="d", source="tus:x", payload=None):
    return Start(QUERY, digest, source, [{"tag": "video-0-0"}], payload)


@pytest.fixture
async def database(tmp_path):
    database = Database(tmp_path / "tasks.sqlite")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database):
    return TaskStore(database, Vault(Fernet.generate_key()))


async def begin(store, digest="d"):
    token = await store.create()
    await store.start(token, start(digest))
    return token


async def count(database, table):
    return await database.run(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_of_many_same_starts_one_counts(store, database):
    token = await store.create()
    ends = await asyncio.gather(*(store.start(token, start()) for _ in range(50)))
    assert sorted(ends) == [False] * 49 + [True]
    assert await count(database, "starts") == 1
    assert await store.was_started(token, start())
    with pytest.raises(AlreadyStarted):
        await store.start(token, start("other"))
    with pytest.raises(UnknownTask):
        await store.start("nobody", start())


async def test_a_task_is_claimed_once(store):
    tokens = [await begin(store) for _ in range(20)]
    claimed = await asyncio.gather(*(store.claim() for _ in range(30)))
    assert [task.token for task in claimed if task] == tokens
    assert claimed.count(None) == 10
    assert all(task.state is TaskState.DOWNLOADING for task in claimed if task)


async def test_urgent_tasks_go_first(store, database):
    tokens = [await begin(store) for _ in range(3)]
    await database.run(
        lambda db: db.execute("UPDATE tasks SET priority = -1 WHERE token = ?", (tokens[2],))
    )
    order = [(await store.claim()).token for _ in range(3)]
    assert order == [tokens[2], tokens[0], tokens[1]]


async def test_what_ended_stays_ended(store):
    token = await begin(store)
    await store.claim()
    await store.end(token, [{"tag": "video-0-0"}], {"duration": 3.0})
    await store.release(token)  # a worker that was cancelled a moment too late
    [task] = await store.find([token])
    assert task.state is TaskState.COMPLETED
    assert (task.query, task.facts) == (None, {"duration": 3.0})
    assert await store.claim() is None


async def test_a_task_that_kills_the_process_is_given_up(store):
    token = await begin(store)
    for crash in range(1, MAX_CRASHES):
        await store.claim()
        assert await store.recover() == (1, [])
        assert (await store.find([token]))[0].crashes == crash
    await store.claim()
    assert await store.recover() == (0, [token])
    [task] = await store.find([token])
    assert task.state is TaskState.ERROR
    assert "3 times" in task.error


async def test_its_neighbours_are_not(store):
    """The third task kills the process; it takes all running ones down with it."""
    tokens = [await begin(store) for _ in range(6)]
    killer, crashes = tokens[2], 0
    for _ in range(50):
        workers = [await store.claim() for _ in range(3)]
        running = [task.token for task in workers if task is not None]
        if not running:
            break
        if killer in running:
            crashes += 1
            await store.recover()
            continue
        for token in running:
            await store.end(token, [], {})
    states = {task.token: task.state for task in await store.find(tokens)}
    assert states.pop(killer) is TaskState.ERROR
    assert set(states.values()) == {TaskState.COMPLETED}
    assert crashes == MAX_CRASHES


async def test_crashes_must_be_in_a_row(store):
    token = await begin(store)
    for _ in range(2 * MAX_CRASHES):
        await store.claim()
        await store.recover()
        await store.claim()
        await store.release(token)
    assert (await store.find([token]))[0].state is TaskState.QUEUED


async def test_one_failure_does_not_undo_its_neighbours(store, database):
    def fail(db):
        db.execute("INSERT INTO starts (task, source, at) VALUES ('x', 'y', 0)")
        raise ValueError("no")

    ends = await asyncio.gather(
        store.create(), database.run(fail), store.create(), return_exceptions=True
    )
    assert isinstance(ends[1], ValueError)
    assert await count(database, "tasks") == 2
    assert await count(database, "starts") == 0


async def test_what_was_answered_is_on_disk(store, tmp_path):
    token = await begin(store)
    other = sqlite3.connect(tmp_path / "tasks.sqlite")
    try:
        assert other.execute("SELECT state FROM tasks").fetchall() == [("queued",)]
        assert other.execute("SELECT task, source FROM starts").fetchall() == [(token, "tus:x")]
    finally:
        other.close()


async def test_a_thousand_tasks_are_found_at_once(store):
    tokens = await asyncio.gather(*(store.create() for _ in range(1000)))
    assert {task.token for task in await store.find([*tokens, "nobody"])} == set(tokens)


async def test_old_tasks_are_forgotten_and_their_starts_kept(store, database):
    done, waiting = await begin(store), await begin(store)
    await store.claim()
    await store.end(done, [], {})
    await store.create()
    await store.forget(before=9e12)
    assert [task.token for task in await store.find([done, waiting])] == [waiting]
    assert await count(database, "tasks") == 1
    assert await count(database, "starts") == 2


async def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "tasks.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(sqlite3.DatabaseError):
        await Database(tmp_path / "tasks.sqlite").open()
