"""The tasks that the service has, durable: what was asked, how far it is, what came of it."""

import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from orchestrator.transcoder import notices, restarts
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.events import Event, Happened, Tell, nobody
from orchestrator.transcoder.vault import Vault

#: A task that was running in each of so many crashes in a row is not tried again.
MAX_CRASHES = 3

#: Seconds that orders are listed after what they asked for is forgotten.
_SEASON = 90 * 24 * 3600.0

#: The longest ``IN (...)`` list that one statement takes.
_MANY = 500


class TaskState(StrEnum):
    """Where a task stands; also the ``status`` that clients see.

    The values are those of the API's documents, and ``created`` for a task that
    was never started, so that a client whose answer was lost can tell.
    """

    CREATED = "created"
    QUEUED = "queued"
    DOWNLOADING = "downloading"
    ENCODING = "encoding"
    SAVING = "saving"
    COMPLETED = "completed"
    ERROR = "error"


#: A worker has it. Found so at start-up: the process died meanwhile.
RUNNING = (TaskState.DOWNLOADING, TaskState.ENCODING, TaskState.SAVING)


class UnknownTask(Exception):
    """Raised when the store has no such task."""


class AlreadyStarted(Exception):
    """Raised when a task was started before, and with another request."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task as stored.

    ``key`` is the unguessable part of its download URLs. ``query`` is the inner
    query document until the task has ended. ``outputs`` are records that
    ``answers`` makes and reads; ``facts`` are the source's size and duration, the
    warnings, and what clients call the service (``base_url``); ``notices`` are
    warnings that came apart from the encode. ``crashes`` counts the times in a row
    that the process died while the task ran. Times are UNIX seconds.
    """

    token: str
    state: TaskState
    key: str
    created: float
    ended: float | None
    crashes: int
    query: Mapping[str, Any] | None
    payload: str | None
    outputs: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
    error: str | None
    notices: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """That a failed task asks for another try; ``refused`` says why there can be none."""

    refused: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """A request to start: the inner query document, its digest, and what to log.

    ``source`` goes to the log of starts and must hold no credentials. Of two that
    wait, the one with the higher ``priority`` goes first.
    """

    query: Mapping[str, Any]
    digest: str
    source: str
    outputs: Sequence[Mapping[str, Any]]
    payload: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0


class TaskStore:
    """Reads and writes of tasks. Everything it returns from is on disk.

    Queries lie there sealed by ``vault``.
    """

    def __init__(self, database: Database, vault: Vault, tell: Tell = nobody) -> None:
        self._database, self._vault, self._tell = database, vault, tell

    async def create(self) -> str:
        """A new task; the answer is its token, 32 hex digits."""
        token, key = secrets.token_hex(16), secrets.token_urlsafe(24)
        await self._database.run(
            lambda db: db.execute(
                "INSERT INTO tasks (token, state, key, created) VALUES (?, ?, ?, ?)",
                (token, TaskState.CREATED, key, time.time()),
            )
        )
        return token

    async def find(self, tokens: Sequence[str]) -> list[Task]:
        """The tasks of ``tokens`` that exist, without their queries."""
        return await self._database.run(lambda db: _find(db, tokens))

    async def was_started(self, token: str, start: Start) -> bool:
        """Whether this very start was taken before. Raises like ``start``."""
        return await self._database.run(lambda db: _was_started(db, token, start))

    async def start(
        self, token: str, start: Start, also: Callable[[sqlite3.Connection], None] | None = None
    ) -> bool:
        """Queue a task and log its start; False if the same start was taken before.

        What ``also`` writes is written together with it. Raises ``UnknownTask``,
        ``AlreadyStarted``.
        """
        sealed = self._vault.seal(_text(start.query))

        def work(db: sqlite3.Connection) -> bool:
            if _was_started(db, token, start):
                return False
            _start(db, token, start, sealed)
            if also is not None:
                also(db)
            self._tell(db, self._one(db, token), Event(Happened.QUEUED))
            return True

        return await self._database.run(work)

    async def claim(self) -> Task | None:
        """The next task for a worker, its state moved on from ``queued``."""

        def work(db: sqlite3.Connection) -> Task | None:
            rows = db.execute(_CLAIM).fetchall()
            return self._with_query(rows[0]) if rows else None

        return await self._database.run(work)

    async def move(self, token: str, state: TaskState) -> None:
        """Note how far a running task is."""
        await self._database.run(
            lambda db: db.execute("UPDATE tasks SET state = ? WHERE token = ?", (state, token))
        )

    async def note(self, token: str, outputs: Sequence[Mapping[str, Any]], event: Event) -> None:
        """Note what of a running task's outputs is stored, and tell of it as ``event``."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE tasks SET outputs = ? WHERE token = ?", (_text(outputs), token))
            self._tell(db, self._one(db, token), event)

        await self._database.run(work)

    async def release(self, token: str) -> None:
        """Queue a task again, in its old place, if it is still running."""
        await self._database.run(lambda db: db.execute(_RELEASE, (TaskState.QUEUED, token)))

    async def end(
        self,
        token: str,
        outputs: Sequence[Mapping[str, Any]],
        facts: Mapping[str, Any],
        error: str | None = None,
        retry: Retry | None = None,
    ) -> str | None:
        """Finish a task, with an ``error`` if it failed. Its query is forgotten.

        With ``retry`` the same request begins as a new task, once: the answer is
        its token, and the failed task's warnings name it.
        """
        state = TaskState.COMPLETED if error is None else TaskState.ERROR
        row = (state, time.time(), _text(outputs), _text(facts), error, token)

        def work(db: sqlite3.Connection) -> str | None:
            before = db.execute("SELECT * FROM tasks WHERE token = ?", (token,)).fetchone()
            db.execute(
                "UPDATE tasks SET state = ?, ended = ?, outputs = ?, facts = ?, error = ?,"
                " query = NULL, crashes = 0 WHERE token = ?",
                row,
            )
            if before is None:
                return None
            query = self._query(before)
            told = restarts.begin(db, before, retry.refused) if retry else None
            self._tell_of_end(db, replace(self._one(db, token), query=query), told)
            if told is None or not told.again:
                return None
            self._tell(db, self._one(db, told.again), Event(Happened.QUEUED))
            return told.again

        return await self._database.run(work)

    async def warn(self, token: str, notice: Mapping[str, Any]) -> None:
        """Add a warning to a task's status, whatever its state; the same one counts once."""
        await self._database.run(lambda db: notices.add(db, token, notice))

    async def recover(self) -> tuple[int, list[str]]:
        """After start-up: queue what was running. How many wait, and which gave up."""

        def work(db: sqlite3.Connection) -> tuple[int, list[str]]:
            queries = {row["token"]: self._query(row) for row in db.execute(_RAN)}
            waiting, given_up = _recover(db)
            for token in given_up:
                task = replace(self._one(db, token), query=queries.get(token))
                self._tell_of_end(db, task, None)
            return waiting, given_up

        return await self._database.run(work)

    async def live_keys(self, ended_after: float) -> set[str]:
        """The download keys whose outputs are still to be kept."""
        return await self._database.run(
            lambda db: {
                row["key"] for row in db.execute(_LIVE_KEYS, (TaskState.COMPLETED, ended_after))
            }
        )

    async def by_key(self, key: str) -> Task | None:
        """The task whose outputs are downloaded with ``key``."""
        rows = await self._database.run(
            lambda db: db.execute("SELECT * FROM tasks WHERE key = ?", (key,)).fetchall()
        )
        return _task(rows[0]) if rows else None

    async def forget(self, before: float) -> None:
        """Drop tasks that ended, or were created and never started, before then."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "DELETE FROM tasks WHERE ended < ? OR (state = ? AND created < ?"
                " AND NOT EXISTS (SELECT 1 FROM uploads WHERE task = token))",
                (before, TaskState.CREATED, before),
            )
            for table in ("notices", "restarts", "callbacks"):
                db.execute(f"DELETE FROM {table} WHERE task NOT IN (SELECT token FROM tasks)")  # noqa: S608
            # Of orders what was asked is forgotten; that they were is kept for a season.
            db.execute(
                "UPDATE edge_orders SET sealed = NULL WHERE task NOT IN (SELECT token FROM tasks)"
            )
            db.execute("DELETE FROM edge_orders WHERE created < ?", (before - _SEASON,))

        await self._database.run(work)

    def _tell_of_end(
        self, db: sqlite3.Connection, task: Task, restart: "restarts.Restart | None"
    ) -> None:
        """Every job ends with ``saved``, those that failed with ``error`` before it."""
        if task.state is TaskState.ERROR:
            self._tell(db, task, Event(Happened.ERROR))
        self._tell(db, task, Event(Happened.SAVED))
        if restart is not None:
            what = Happened.RESTARTED if restart.again else Happened.RESTART_FAILED
            self._tell(db, task, Event(what))

    def _one(self, db: sqlite3.Connection, token: str) -> Task:
        row = db.execute("SELECT * FROM tasks WHERE token = ?", (token,)).fetchone()
        return replace(self._with_query(row), notices=notices.of(db, [token]).get(token, ()))

    def _with_query(self, row: sqlite3.Row) -> Task:
        return replace(_task(row), query=self._query(row))

    def _query(self, row: sqlite3.Row) -> Mapping[str, Any] | None:
        text = None if row["query"] is None else self._vault.open(row["query"])
        query: Mapping[str, Any] | None = None if text is None else orjson.loads(text)
        return query


def _listed(states: Sequence[TaskState]) -> str:
    return "(" + ", ".join(f"'{state}'" for state in states) + ")"


_RUNNING = _listed(RUNNING)
_RELEASE = f"UPDATE tasks SET state = ?, crashes = 0 WHERE token = ? AND state IN {_RUNNING}"  # noqa: S608
# The plus keeps SQLite off the index by state, under which most tasks are completed.
_LIVE_KEYS = f"SELECT key FROM tasks WHERE +state = ? AND ended > ? OR state IN {_RUNNING}"  # noqa: S608


def _find(db: sqlite3.Connection, tokens: Sequence[str]) -> list[Task]:
    found: list[Task] = []
    for at in range(0, len(tokens), _MANY):
        some = tokens[at : at + _MANY]
        marks = ", ".join("?" * len(some))
        rows = db.execute(f"SELECT * FROM tasks WHERE token IN ({marks})", some)  # noqa: S608 - marks only
        told = notices.of(db, some)
        found.extend(replace(_task(row), notices=told.get(row["token"], ())) for row in rows)
    return found


def _was_started(db: sqlite3.Connection, token: str, start: Start) -> bool:
    row = db.execute("SELECT state, digest FROM tasks WHERE token = ?", (token,)).fetchone()
    if row is None:
        raise UnknownTask(token)
    if row["state"] == TaskState.CREATED:
        return False
    if row["digest"] != start.digest:
        raise AlreadyStarted(token)
    return True


def _start(db: sqlite3.Connection, token: str, start: Start, sealed: str) -> None:
    place = db.execute(
        "INSERT INTO starts (task, payload, source, at) VALUES (?, ?, ?, ?)",
        (token, start.payload, start.source, time.time()),
    ).lastrowid
    db.execute(
        "UPDATE tasks SET state = ?, place = ?, query = ?, digest = ?, payload = ?, outputs = ?,"
        " facts = ?, priority = ? WHERE token = ?",
        (
            TaskState.QUEUED,
            place,
            sealed,
            start.digest,
            start.payload,
            _text(start.outputs),
            _text(start.facts),
            -start.priority,
            token,
        ),
    )


# Of the tasks that ran when the process died, one at a time is tried again:
# otherwise a task that kills the process takes its neighbours down with it.
_CLAIM = f"""
UPDATE tasks SET state = '{TaskState.DOWNLOADING}' WHERE token = (
    SELECT token FROM tasks
    WHERE state = '{TaskState.QUEUED}' AND (crashes = 0 OR NOT EXISTS (
        SELECT 1 FROM tasks WHERE state IN {_RUNNING} AND crashes > 0))
    ORDER BY priority, place LIMIT 1)
RETURNING *
"""  # noqa: S608 - constants only


_RAN = f"SELECT token, query FROM tasks WHERE state IN {_RUNNING}"  # noqa: S608
_BLAME = f"UPDATE tasks SET crashes = crashes + 1 WHERE state IN {_RUNNING}"  # noqa: S608
_GIVE_UP = (
    "UPDATE tasks SET state = ?, ended = ?, query = NULL, error = ?"  # noqa: S608
    f" WHERE state IN {_RUNNING} AND crashes >= ? RETURNING token"
)
_REQUEUE = f"UPDATE tasks SET state = ? WHERE state IN {_RUNNING}"  # noqa: S608
_GAVE_UP = (
    f"the service stopped unexpectedly {MAX_CRASHES} times while it worked on this task,"
    " so it was given up"
)


def _recover(db: sqlite3.Connection) -> tuple[int, list[str]]:
    db.execute(_BLAME)
    given_up = db.execute(
        _GIVE_UP, (TaskState.ERROR, time.time(), _GAVE_UP, MAX_CRASHES)
    ).fetchall()
    db.execute(_REQUEUE, (TaskState.QUEUED,))
    waiting = db.execute(
        "SELECT count(*) FROM tasks WHERE state = ?", (TaskState.QUEUED,)
    ).fetchone()[0]
    return waiting, [row["token"] for row in given_up]


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _task(row: sqlite3.Row) -> Task:
    return Task(
        token=row["token"],
        state=TaskState(row["state"]),
        key=row["key"],
        created=row["created"],
        ended=row["ended"],
        crashes=row["crashes"],
        query=None,
        payload=row["payload"],
        outputs=orjson.loads(row["outputs"]),
        facts=orjson.loads(row["facts"]),
        error=row["error"],
    )
