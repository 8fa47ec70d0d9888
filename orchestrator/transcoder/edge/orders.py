"""Orders on disk: which task each one is, what may be shown of it, and how it ended.

What was asked, with its passwords, lies there sealed for as long as the task is
remembered, so that a failed order can be launched again; the rest is kept for
a season, for lists and usage.
"""

import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from orchestrator.transcoder.database import Database
from orchestrator.transcoder.tasks import TaskState
from orchestrator.transcoder.vault import Vault

FINISHED, ERROR = "FINISHED", "ERROR"
#: The documents name the two words of the end; the others are this service's own.
STATUSES: Final[Mapping[TaskState, str]] = {
    TaskState.CREATED: "QUEUED",
    TaskState.QUEUED: "QUEUED",
    TaskState.DOWNLOADING: "DOWNLOADING",
    TaskState.ENCODING: "ENCODING",
    TaskState.SAVING: "UPLOADING",
    TaskState.COMPLETED: FINISHED,
    TaskState.ERROR: ERROR,
}


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order. ``shown`` holds no secret; ``outcome`` is empty until it has ended.

    ``created`` is in UNIX seconds.
    """

    id: str
    task: str
    created: float
    status: str
    shown: Mapping[str, Any]
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is about: ``search`` in ids, labels and names of files."""

    search: str = ""
    statuses: Sequence[str] = ()
    limit: int = -1
    offset: int = 0


def new_id(now: float) -> str:
    """An id as the service's own: ``1631092552-1237``."""
    return f"{int(now)}-{secrets.randbelow(9000) + 1000}"


class Orders:
    """Reads and writes of orders."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def write(
        self,
        db: sqlite3.Connection,
        id_: str,
        company: str,
        task: str,
        shown: Mapping[str, Any],
        asked: Mapping[str, Any],
    ) -> None:
        """Write an order down. Raises ``sqlite3.IntegrityError`` for an id that is taken."""
        jobs = shown["jobs"]
        names = "\n".join(
            [id_, *(text for job in jobs for text in (job["label"], job["filename"]))]
        )
        sealed = self._vault.seal(_text(asked))
        row = (id_, company, task, time.time(), names.casefold(), _text(shown), sealed)
        db.execute(_ADD, row)

    def relaunch(self, db: sqlite3.Connection, id_: str, failed: str, task: str) -> None:
        """The order is another task from now on. Raises ``LookupError`` if it is one already."""
        row = (task, id_, failed, ERROR)
        if not db.execute(_RELAUNCH, row).rowcount:
            raise LookupError(id_)

    async def get(self, company: str, id_: str) -> StoredOrder | None:
        """One order of a company."""
        found = await self._database.run(
            lambda db: db.execute(f"{_SELECT} AND edge_orders.id = ?", (company, id_)).fetchall()
        )
        return _order(found[0]) if found else None

    async def asked(self, company: str, id_: str) -> Mapping[str, Any] | None:
        """What was asked, to ask it again; None where that is no longer known."""
        rows = await self._database.run(
            lambda db: db.execute(
                "SELECT sealed FROM edge_orders WHERE company = ? AND id = ?", (company, id_)
            ).fetchall()
        )
        sealed = rows[0]["sealed"] if rows else None
        text = self._vault.open(sealed) if sealed else None
        return None if text is None else orjson.loads(text)

    async def listed(self, company: str, asked: Asked) -> list[StoredOrder]:
        """The company's orders, the newest first."""
        words, values = _SELECT, [company]
        if asked.search:
            words += " AND instr(edge_orders.names, ?)"
            values.append(asked.search.casefold())
        if asked.statuses:
            marks = ", ".join("?" * len(asked.statuses))
            words += f" AND {_STATUS} IN ({marks})"
            values += asked.statuses
        words += " ORDER BY edge_orders.place DESC LIMIT ? OFFSET ?"
        page = (*values, asked.limit, asked.offset)
        rows = await self._database.run(lambda db: db.execute(words, page).fetchall())
        return [_order(row) for row in rows]

    async def used(self, company: str) -> dict[str, float]:
        """Minutes of finished orders by month (``2026-11``): each file made of each counts."""
        rows = await self._database.run(
            lambda db: db.execute(_USED, (company, FINISHED)).fetchall()
        )
        return {row["month"]: row["minutes"] or 0.0 for row in rows}


def by_task(db: sqlite3.Connection, task: str) -> sqlite3.Row | None:
    """The row of the order that is this task, if one is."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM edge_orders WHERE task = ?", (task,)
    ).fetchone()
    return row


def end(db: sqlite3.Connection, task: str, status: str, outcome: Mapping[str, Any]) -> None:
    """Note how an order ended."""
    db.execute(
        "UPDATE edge_orders SET status = ?, outcome = ? WHERE task = ?",
        (status, _text(outcome), task),
    )


_CASES = " ".join(f"WHEN '{state}' THEN '{word}'" for state, word in STATUSES.items())
_STATUS = f"coalesce(edge_orders.status, CASE tasks.state {_CASES} ELSE '{ERROR}' END)"
_SELECT = (
    f"SELECT edge_orders.*, {_STATUS} AS word FROM edge_orders"  # noqa: S608 - constants only
    " LEFT JOIN tasks ON tasks.token = edge_orders.task WHERE edge_orders.company = ?"
)
_ADD = (
    "INSERT INTO edge_orders (id, company, task, created, names, shown, sealed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_RELAUNCH = (
    "UPDATE edge_orders SET task = ?, status = NULL, outcome = '{}'"
    " WHERE id = ? AND task = ? AND status = ?"
)
_USED = """
SELECT strftime('%Y-%m', created, 'unixepoch') AS month,
    sum(coalesce(json_extract(outcome, '$.duration'), 0)
        * json_array_length(shown, '$.jobs')) / 60.0 AS minutes
FROM edge_orders WHERE company = ? AND status = ? GROUP BY month ORDER BY month DESC
"""


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _order(row: sqlite3.Row) -> StoredOrder:
    return StoredOrder(
        id=row["id"],
        task=row["task"],
        created=row["created"],
        status=row["word"],
        shown=orjson.loads(row["shown"]),
        outcome=orjson.loads(row["outcome"]),
    )
