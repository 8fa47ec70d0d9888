"""What a run would do with a manifest, row by row. Takes no lock and writes nothing."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Connection

from orchestrator.ledger import rows
from orchestrator.ledger.reader import reading
from orchestrator.ledger.rows import Candidate, Found, Versions
from orchestrator.model.decisions import Action, decide
from orchestrator.model.items import DEFAULT_PRIORITY, Problem, Row


@dataclass(frozen=True, slots=True)
class Planned:
    """What would happen to a row, and why.

    A row that can't be used has the action ``set_aside`` and its problem as the
    reason: without ``--keep-going`` a run takes nothing in then. It has no ``row``.
    """

    key: str
    action: Action
    reason: str
    priority: int
    row: Row | None = None


def plan(
    url: str,
    job: str,
    manifest_rows: Iterable[Row | Problem],
    versions: Versions,
    *,
    retry: Callable[[str], bool],
    manifest: str = "manifest",
) -> Iterator[Planned]:
    """Decide about each row as a run would now, one after the other.

    A ledger that is not there yet knows nothing. ``manifest`` is what problems
    call it. Raises ``LedgerProblem`` where the ledger can't be read.
    """
    with reading(url, job, missing_ok=True) as known, closing(_Scratch()) as scratch:
        planner = _Planner(known, scratch, versions, retry, manifest)
        for chunk in rows.chunks(manifest_rows):
            yield from planner.plan(chunk)


@dataclass(frozen=True, slots=True)
class _Planner:
    known: tuple[Connection, int] | None
    scratch: "_Scratch"
    versions: Versions
    retry: Callable[[str], bool]
    manifest: str

    def plan(self, chunk: Sequence[Row | Problem]) -> Iterator[Planned]:
        found: dict[str, Found] = {}
        if self.known is not None:
            keys = [entry.key for entry in chunk if isinstance(entry, Row)]
            found = rows.look_up(*self.known, [key for key in keys if rows.storable(key)])
        for entry in chunk:
            made = entry if isinstance(entry, Problem) else self._made(entry)
            if isinstance(made, Problem):
                key = made.key or f"{made.file}:{made.line}"
                yield Planned(key, Action.SET_ASIDE, str(made), DEFAULT_PRIORITY)
            else:
                before = found.get(made.row.key)
                decision = decide(before.known if before else None, made.version, self.retry)
                row = made.row
                yield Planned(row.key, decision.action, decision.reason, row.priority, row)

    def _made(self, row: Row) -> Candidate | Problem:
        made = rows.candidate(row, self.versions, self.manifest)
        if isinstance(made, Problem):
            return made
        first = self.scratch.first("key", row.key, row.line)
        if first is not None:
            return rows.repeated(self.manifest, row.key, row.line, first)
        first = self.scratch.first("folder", made.folder, row.line) if made.folder else None
        if first is not None:
            return rows.clashing(self.manifest, row.key, row.line, made.folder, first)
        return made


class _Scratch:
    """Names met so far, in a database that SQLite keeps in memory while it is small."""

    def __init__(self) -> None:
        self._names = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._names.execute("PRAGMA journal_mode=OFF")
        self._names.execute(
            "CREATE TABLE names (kind, name, line, PRIMARY KEY (kind, name)) WITHOUT ROWID"
        )

    def first(self, kind: str, name: str, line: int) -> int | None:
        """The line on which this name was met first; None: just now."""
        cursor = self._names.execute(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?)", (kind, name, line)
        )
        if cursor.rowcount:
            return None
        query = "SELECT line FROM names WHERE kind = ? AND name = ?"
        found = self._names.execute(query, (kind, name)).fetchone()
        return int(found[0])

    def close(self) -> None:
        """Forget them."""
        self._names.close()
