"""A chunk of manifest rows beside the items that the ledger has, told apart in SQL.

Rows are handed over once, many to a statement; what becomes of them is decided
set by set, so that a rerun over rows that have not changed writes nothing and
brings no more than their numbers back. The one place of the ledger that speaks
SQLite's own dialect (temporary tables, ``IS``, ``UPDATE ... FROM`` as of 3.33).
"""

# ruff: noqa: S608 - statements are built of constants and the names of columns alone

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from orchestrator.ledger.bulk import Block, driven
from orchestrator.ledger.rows import FOUND, Candidate, Found
from orchestrator.model.plain import PlainColumns, PlainRow
from orchestrator.model.states import State

#: What a manifest says of an item.
SAID = PlainRow._fields
_SAID = ", ".join(SAID)

_MAKE = f"CREATE TEMP TABLE stage (n INTEGER PRIMARY KEY, {_SAID}, item INTEGER)"
_FILL = Block(f"INSERT INTO stage ({_SAID}) VALUES ", lambda places: f"({', '.join(places)})")

#: Every row with the item that has its key. CROSS keeps SQLite from asking the other way.
_KNOWN = "stage AS s CROSS JOIN items AS i ON i.job_id = ? AND i.key = s.key"

#: What is not known ("") is no difference, as in ``decisions.Version``. A weight
#: counts for nothing once an item has had its turn.
_SAME = " AND ".join(
    [
        *(f"s.{name} IS i.{name}" for name in ("source", "stitch", "payload", "tags", "fields")),
        *(f"s.{name} IS i.{name}" for name in ("size", "duration")),
        *(f"s.{name} = i.{name}" for name in ("priority", "folder", "line")),
        *(f"s.{name} IN (i.{name}, '')" for name in ("fingerprint", "digest")),
        f"(s.weight = i.weight OR i.state <> '{State.PENDING}')",
    ]
)
_SETTLED = f"i.seen_run = ? AND i.state = '{State.COMPLETED}' AND {_SAME}"
_FOLLOWED = "i.seen_run = ? AND s.priority = i.priority"

_FOUND = ", ".join(f"i.{column.name}" for column in FOUND)
_COMPARE = f"SELECT s.n, i.seen_run = ? AND {_SAME}, {_FOUND} FROM {_KNOWN} ORDER BY s.n"

_NEW = (*("job_id", "first_run", "seen_run", "state", "rank", "attempts", "due_at", "updated_at"),)
_ADD = f"""
INSERT INTO items ({_SAID}, {", ".join(_NEW)})
SELECT {_SAID}, ?, ?, ?, '{State.PENDING}', ? - priority * ?, 0, 0.0, ?
FROM stage WHERE item IS NULL ORDER BY n
"""
_PLAIN = [name for name in SAID if name not in ("key", "fingerprint", "digest")]
_REWRITE = f"""
UPDATE items SET seen_run = ?, rank = items.rank + (items.priority - s.priority) * ?,
    fingerprint = CASE s.fingerprint WHEN '' THEN items.fingerprint ELSE s.fingerprint END,
    digest = CASE s.digest WHEN '' THEN items.digest ELSE s.digest END,
    {", ".join(f"{name} = s.{name}" for name in _PLAIN)}
FROM stage AS s WHERE s.item = items.id
"""


def said(now: Candidate, weight: int) -> PlainRow:
    """What the manifest says of an item, as it is stored."""
    row = now.row
    source = "" if row.source == row.key else row.source
    return PlainRow(
        *(row.key, source, now.stitch, row.priority, row.payload, now.tags, now.fields),
        *(row.fingerprint, now.digest, now.folder, row.size, row.duration, row.line, weight),
    )


class NewItems:
    """Rows that become pending items at once, where none of them is on record."""

    def __init__(self, job: int, run: int, seen: int, now: float, ageing: float) -> None:
        before = f"{job:d}, {run:d}, {seen:d}, '{State.PENDING}'"
        priority = SAID.index("priority")

        def row(places: Sequence[str]) -> str:
            rank = f"{now!r} - {places[priority]} * {ageing!r}"
            return f"({', '.join(places)}, {before}, {rank}, 0, 0.0, {now!r})"

        # All of a chunk is taken back in any case, so SQLite need not be ready to take
        # back a single statement: FAIL saves it a copy of the pages that each touches.
        self._block = Block(f"INSERT OR FAIL INTO items ({_SAID}, {', '.join(_NEW)}) VALUES ", row)

    def add(self, connection: Connection, rows: PlainColumns) -> None:
        """Raises ``IntegrityError``, with nothing written, where a key is on record.

        There is no savepoint: with one, SQLite copies each page that leaves its cache.
        """
        with driven(connection) as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM items")
            last = cursor.fetchall()
            try:
                self._block.run(cursor, rows)
            except connection.dialect.loaded_dbapi.IntegrityError:
                cursor.execute("DELETE FROM items WHERE id > ?", last[0])
                raise


@dataclass(frozen=True, slots=True)
class Stage:
    """The table for one chunk after the other. Rows are numbered from 1 within theirs.

    ``seen`` marks the items whose rows the present manifest has: ``schema.items``.
    """

    connection: Connection
    job: int
    run: int
    seen: int

    def open(self) -> None:
        """Make the table; ``close`` takes it away."""
        self._do("DROP TABLE IF EXISTS temp.stage")
        self._do(_MAKE)

    def close(self) -> None:
        """Take the table away."""
        self._do("DROP TABLE temp.stage")

    def fill(self, rows: PlainColumns) -> None:
        """Have these rows alone on the stage."""
        self._do("DELETE FROM stage")
        with driven(self.connection) as cursor:
            _FILL.run(cursor, rows)

    def settled(self) -> list[tuple[int, int]]:
        """Rows of completed items that say what is on record: their number, and the item's."""
        return self._left_alone(_SETTLED)

    def followed(self) -> list[tuple[int, int]]:
        """Rows that the run has already, with the priority that they have."""
        return self._left_alone(_FOLLOWED)

    def compare(self) -> list[tuple[int, bool, Found]]:
        """Rows of items on record: number, whether they say the same as before, the item."""
        rows = self._do(_COMPARE, (self.seen, self.job)).all()
        return [(row[0], bool(row[1]), Found._make(row[2:])) for row in rows]

    def drop(self, rows: Iterable[int]) -> None:
        """Take rows off the stage: nothing is to be written of them."""
        self._each("DELETE FROM stage WHERE n = ?", [(number,) for number in rows])

    def match(self, rows: Iterable[tuple[int, int]]) -> None:
        """Say which item (first) a row (second) is to be written to."""
        self._each("UPDATE stage SET item = ? WHERE n = ?", list(rows))

    def add(self, now: float, ageing: float) -> None:
        """Make pending items of the rows that have none.

        Raises ``IntegrityError``, with nothing written, where a key is on record.
        """
        self._do(_ADD, (self.job, self.run, self.seen, now, ageing, now))

    def rewrite(self, ageing: float) -> None:
        """Put on record what matched rows say now."""
        self._do(_REWRITE, (self.seen, ageing))

    def _left_alone(self, which: str) -> list[tuple[int, int]]:
        query = f"SELECT s.n, i.id FROM {_KNOWN} WHERE {which}"
        return [(row[0], row[1]) for row in self._do(query, (self.job, self.seen))]

    def _do(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        return self.connection.exec_driver_sql(statement, values)

    def _each(self, statement: str, rows: list[tuple[int, ...]]) -> None:
        if rows:
            self.connection.exec_driver_sql(statement, rows)
