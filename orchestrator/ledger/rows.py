"""Manifest rows on their way in: read in chunks, checked, given their version."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, bindparam, select

from orchestrator.ledger import codec, schema
from orchestrator.model.decisions import Known, Version
from orchestrator.model.items import Problem, Row
from orchestrator.model.plain import PlainColumns
from orchestrator.model.states import State

#: Rows per statement. Below 999, the most variables that any SQLite takes.
CHUNK = 900

_I = schema.items.c

#: What ``Found`` is made of, in its order.
FOUND = (
    *(_I.id, _I.key, _I.state, _I.fingerprint, _I.digest, _I.error_class),
    *(_I.seen_run, _I.line, _I.attempt, _I.priority),
)
_LOOK_UP = select(*FOUND).where(
    _I.job_id == bindparam("job"), _I.key.in_(bindparam("keys", expanding=True))
)

#: Faster than ``State(value)``.
_STATES = {state.value: state for state in State}


class Versions(Protocol):
    """What a job's recipe knows of a row before anything is sent."""

    def digest(self, row: Row) -> str:
        """Of the row's resolved query and payload, credentials left out."""

    def folder(self, row: Row) -> str:
        """Where its outputs are collected; "" where nothing is."""

    def check(self, row: Row) -> Problem | None:
        """What keeps the recipe from being filled in for this row."""


class Candidate(NamedTuple):
    """A row that can be used, and what its job makes of it; JSON as it is stored."""

    row: Row
    digest: str
    folder: str
    stitch: str | None
    tags: str | None
    fields: str | None

    @property
    def version(self) -> Version:
        """What the row asks for now."""
        return Version(self.row.fingerprint, self.digest)


class Found(NamedTuple):
    """What the ledger has about a row's key."""

    id: int
    key: str
    state: str
    fingerprint: str
    digest: str
    error_class: str | None
    seen_run: int
    line: int
    attempt: int | None
    priority: int

    @property
    def known(self) -> Known:
        """The part that a decision needs."""
        version = Version(self.fingerprint, self.digest)
        return Known(_STATES[self.state], version, self.error_class)


#: A row, what is wrong with one, or a plain row: a ``PlainRow``, perhaps without its name;
#: or many plain rows at once.
Entry = Row | Problem | tuple[Any, ...] | PlainColumns

T = TypeVar("T")


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows, ``CHUNK`` at a time."""
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def several(entries: Iterable[Entry]) -> Iterator[list[Entry] | PlainColumns]:
    """The entries in their order, single ones up to ``CHUNK`` at a time."""
    some: list[Entry] = []
    for entry in entries:
        if isinstance(entry, PlainColumns):
            if some:
                yield some
                some = []
            yield entry
            continue
        some.append(entry)
        if len(some) == CHUNK:
            yield some
            some = []
    if some:
        yield some


def candidate(row: Row, versions: Versions, manifest: str) -> Candidate | Problem:
    """The row with its version, or what is wrong with it."""
    problem = versions.check(row)
    if problem is not None:
        return problem
    source = row.source or ""
    if not (row.key.isascii() and source.isascii()) and not storable(row.key, source):
        return _unreadable(manifest, row)
    digest, folder = versions.digest(row), versions.folder(row)
    stitch = codec.stitch(row.stitch) if row.stitch else None
    tags = codec.json(row.tags) if row.tags else None
    try:
        return Candidate(row, digest, folder, stitch, tags, codec.fields(row))
    except TypeError:
        return _unreadable(manifest, row)


def storable(*texts: str) -> bool:
    """Whether these are text, and not bytes of another encoding in disguise."""
    try:
        for text in texts:
            text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


def look_up(connection: Connection, job: int, keys: Sequence[str]) -> dict[str, Found]:
    """What is on record about these keys (at most ``CHUNK``)."""
    rows = connection.execute(_LOOK_UP, {"job": job, "keys": keys}).all()
    return {row[1]: Found._make(row) for row in rows}


def repeated(manifest: str, key: str, line: int, first_line: int) -> Problem:
    """A second row of one key."""
    return Problem(
        manifest,
        f"{key} is in the manifest already{_at(first_line)}",
        hint="remove one of the two, or give each an id of its own",
        line=line,
    )


def clashing(manifest: str, key: str, line: int, folder: str, first_line: int) -> Problem:
    """A row whose outputs would overwrite another's."""
    where = f"line {first_line}" if first_line else "another row"
    return Problem(
        manifest,
        f"would write to the same folder as {where}: {folder}",
        hint="add {parent} or {id} to [collect] into",
        line=line,
        key=key,
    )


def _unreadable(manifest: str, row: Row) -> Problem:
    key = codec.plain(row.key)
    return Problem(
        manifest, f"the name {key} is not valid UTF-8", "rename the file", row.line, key=key
    )


def _at(line: int) -> str:
    return f", on line {line}" if line else ""
