"""Everything that is SQLite's alone: connecting, pragmas, its error codes.

Transactions are begun by hand (``isolation_level=None``): Python's ``sqlite3``
would otherwise begin them late, and leave schema changes outside of them.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from orchestrator.ledger.bulk import driven
from orchestrator.model.errors import LedgerProblem

#: How long a statement waits for a lock of some other program, in seconds.
BUSY_WAIT = 5.0

#: The page cache of the writing connection, in KiB: what ingest may use.
CACHE = 12_288

#: A page of the file, in bytes, and how many of them may gather in the log before a commit
#: moves them into the file: SQLite's own defaults.
PAGE = 4096
LOG_PAGES = 1000

#: What the result codes mean for a person: https://sqlite.org/rescode.html.
_CAUSES = {
    "SQLITE_NOTADB": "it is not a ledger, nor any SQLite database; check the path",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a copy",
    "SQLITE_FULL": "the disk is full; make room, then run again: everything awaited is kept",
    "SQLITE_BUSY": "another program has it locked; close that program, then run again",
    "SQLITE_LOCKED": "another program has it locked; close that program, then run again",
    "SQLITE_READONLY": "it can't be written; check its owner and permissions",
    "SQLITE_CANTOPEN": "it can't be opened; check that its folder is there, and the permissions",
    "SQLITE_IOERR": "the disk reported an error; check the disk, then run again",
    "SQLITE_PERM": "access was refused; check its owner and permissions",
}


def path_of(url: str) -> Path:
    """The file that a ledger URL names. Raises ``LedgerProblem``.

    All that follows ``sqlite:///`` is the path as it is: a folder's name may
    hold a ``?`` or a ``%``.
    """
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path == ":memory:":
        raise LedgerProblem(
            f"no ledger can be kept at {_shown(url)}; write sqlite:////folder/name.db"
        )
    return Path(path).expanduser().absolute()


def writing(path: Path) -> Engine:
    """An engine for the one writing connection; makes the file if need be."""

    def connect() -> sqlite3.Connection:
        connection = _connect(path, "rwc")
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size=-{CACHE}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection

    return _beginning_with(
        "BEGIN IMMEDIATE", create_engine("sqlite://", creator=connect, poolclass=NullPool)
    )


def reading(path: Path) -> Engine:
    """An engine whose connections can't write, and don't keep a writer waiting.

    Each use of a connection sees one moment, from its first question on.
    """
    return _beginning_with(
        "BEGIN",
        create_engine(
            "sqlite://",
            creator=lambda: _connect(path, "ro"),
            poolclass=QueuePool,
            pool_reset_on_return=None,
        ),
    )


@contextlib.contextmanager
def loading(connection: Connection) -> Iterator[None]:
    """For one transaction of many rows. Between transactions alone.

    Parents, which have to be there, are not looked up. What is committed stays in
    the log, until ``log.Log`` moves it.
    """
    with driven(connection) as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute("PRAGMA foreign_keys=OFF")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            cursor.execute("PRAGMA foreign_keys=ON")


def beside(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """One more connection to a ledger that is open already. Raises ``sqlite3.Error``."""
    return contextlib.closing(_connect(path, "rw"))


def close(connection: Connection) -> None:
    """Close the writing connection, with all it wrote moved into the one file."""
    with contextlib.suppress(SQLAlchemyError):
        connection.rollback()
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        with contextlib.suppress(sqlite3.Error):  # the log is kept, and read at the next opening
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    connection.close()


def problem(path: Path, error: Exception) -> LedgerProblem:
    """What went wrong with the ledger at ``path``, for a person."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(origin, "sqlite_errorname", "")
    cause = next((text for code, text in _CAUSES.items() if name.startswith(code)), "")
    told = f"{origin}" if not name else f"{origin}, {name}"
    return LedgerProblem(
        f"the ledger {path}: {cause} ({told})" if cause else f"the ledger {path}: {told}"
    )


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "a URL that can't be read"


def _beginning_with(statement: str, engine: Engine) -> Engine:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return engine


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_WAIT,
        isolation_level=None,
        check_same_thread=False,
    )
