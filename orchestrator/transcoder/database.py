"""One SQLite connection in one thread, with all that waits committed in one go.

An await on ``Database.run`` ends when what it wrote is on disk (WAL with
``synchronous=FULL``), and a hundred callers share one fsync.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

_R = TypeVar("_R")

#: How much one transaction may hold, so that no caller waits for all others.
_GROUP = 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    token     TEXT PRIMARY KEY,
    state     TEXT NOT NULL,
    key       TEXT NOT NULL,
    created   REAL NOT NULL,
    ended     REAL,
    priority  INTEGER NOT NULL DEFAULT 0,
    place     INTEGER,
    crashes   INTEGER NOT NULL DEFAULT 0,
    query     TEXT,
    digest    TEXT,
    payload   TEXT,
    outputs   TEXT NOT NULL DEFAULT '[]',
    facts     TEXT NOT NULL DEFAULT '{}',
    error     TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS tasks_waiting ON tasks (state, priority, place);
CREATE INDEX IF NOT EXISTS tasks_ended ON tasks (ended);
CREATE UNIQUE INDEX IF NOT EXISTS tasks_key ON tasks (key);
CREATE TABLE IF NOT EXISTS starts (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    task      TEXT NOT NULL,
    payload   TEXT,
    source    TEXT NOT NULL,
    at        REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS uploads (
    id        TEXT PRIMARY KEY,
    task      TEXT NOT NULL,
    length    INTEGER,
    metadata  TEXT NOT NULL,
    concat    TEXT NOT NULL,
    created   REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS uploads_task ON uploads (task);
CREATE TABLE IF NOT EXISTS notices (
    task      TEXT NOT NULL,
    notice    TEXT NOT NULL,
    PRIMARY KEY (task, notice)
) STRICT;
CREATE TABLE IF NOT EXISTS restarts (
    task      TEXT PRIMARY KEY,
    again     TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS callbacks (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    task      TEXT NOT NULL,
    event     TEXT NOT NULL,
    letter    TEXT NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    due       REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS callbacks_task ON callbacks (task, id);
CREATE TABLE IF NOT EXISTS edge_orders (
    place     INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE,
    company   TEXT NOT NULL,
    task      TEXT NOT NULL,
    created   REAL NOT NULL,
    names     TEXT NOT NULL,
    shown     TEXT NOT NULL,
    sealed    TEXT,
    status    TEXT,
    outcome   TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX IF NOT EXISTS edge_orders_company ON edge_orders (company, place);
CREATE INDEX IF NOT EXISTS edge_orders_task ON edge_orders (task);
CREATE TABLE IF NOT EXISTS edge_profiles (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    company   TEXT NOT NULL,
    name      TEXT NOT NULL,
    sealed    TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS edge_profiles_company ON edge_profiles (company, id);
CREATE TABLE IF NOT EXISTS chains (
    tag       TEXT NOT NULL,
    place     TEXT NOT NULL,
    facts     TEXT NOT NULL,
    at        REAL NOT NULL,
    PRIMARY KEY (tag, place)
) STRICT;
"""


@dataclass(slots=True)
class _Call:
    work: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def attempt(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT call")
        try:
            self.result = self.work(connection)
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            self.error = error
            connection.execute("ROLLBACK TO call")
        connection.execute("RELEASE call")

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Database:
    """The service's SQLite file. ``run`` may be called from one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name="transcoder-database", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()

    async def open(self) -> None:
        """Open the file and make its tables. Raises ``sqlite3.Error``."""
        self._thread.start()
        await self._opened

    async def close(self) -> None:
        """Finish what was asked, then close the file."""
        self._calls.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, work: Callable[[sqlite3.Connection], _R]) -> _R:
        """Do ``work`` in a transaction; returns when it is committed.

        What ``work`` raises undoes its own part alone. Raises ``sqlite3.Error``.
        """
        future: asyncio.Future[_R] = self._loop.create_future()
        self._calls.put(_Call(work, future))
        return await future

    def _serve(self) -> None:
        try:
            connection = _connect(self._path)
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        while (call := self._calls.get()) is not None:
            self._commit(connection, self._group(call))
        connection.close()

    def _group(self, first: _Call) -> list[_Call]:
        calls = [first]
        while len(calls) < _GROUP and not self._calls.empty():
            call = self._calls.get()
            if call is None:
                self._calls.put(None)
                break
            calls.append(call)
        return calls

    def _commit(self, connection: sqlite3.Connection, calls: list[_Call]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for call in calls:
                call.attempt(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for call in calls:
                call.error = error
        self._loop.call_soon_threadsafe(_settle, calls)


def _settle(calls: list[_Call]) -> None:
    for call in calls:
        call.settle()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(_SCHEMA)
    return connection
