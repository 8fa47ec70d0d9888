"""The ledger as a table for other programs: one row per item, CSV or JSON lines.

Text cells of a CSV file are quoted and otherwise left as they are: a program
that joins on a key needs it unchanged. Spreadsheets may take a cell that begins
with ``=``, ``+``, ``-`` or ``@`` for a formula even so: import such a file with
all columns as text.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson
from sqlalchemy import Connection, bindparam, select

from orchestrator.files import replacing
from orchestrator.ledger import codec, schema
from orchestrator.ledger.reader import LedgerReader
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Item, Output

_I, _A, _O = schema.items.c, schema.attempts.c, schema.outputs.c

#: Items read at a time. Below 999, the most variables that any SQLite takes.
PAGE = 900

COLUMNS = (
    *("key", "id", "source", "state", "priority", "tags", "payload", "attempts", "service"),
    *("task", "started", "ended", "error_class", "error", "outputs", "output_paths"),
    *("output_urls", "output_bytes"),
)

#: Fields of an item that have a column of their own, or were derived from one.
_NOT_EXTRA = frozenset(
    {"id", "source", "stitch", "priority", "tags", "payload", "stem", "name", "parent"}
)

#: The password in a URL's ``user:password@``.
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]*@")

_PAGE_OF_ITEMS = (
    select(*codec.ITEM_COLUMNS)
    .select_from(
        schema.items.outerjoin(schema.attempts, (_A.item_id == _I.id) & (_A.number == _I.attempts))
    )
    .where(_I.job_id == bindparam("job"), _I.id > bindparam("after"))
    .order_by(_I.id)
    .limit(PAGE)
)
_OUTPUTS = (
    select(_O.item_id, _O.attempt, *codec.OUTPUT_COLUMNS)
    .where(_O.item_id.in_(bindparam("items", expanding=True)))
    .order_by(_O.item_id, _O.attempt, _O.position)
)


def export(reader: LedgerReader, path: Path) -> int:
    """Write one row per item of the job to ``path``; how many.

    The suffix says how: ``.csv`` or ``.jsonl``. What was at ``path`` stays until
    the new file is complete. Passwords in URLs are hidden. Raises ``BadInput``
    for another suffix, or a path that can't be written.
    """
    formats = {".csv": _write_csv, ".jsonl": _write_jsonl}
    write = formats.get(path.suffix.lower())
    if write is None:
        raise BadInput(f"{path}: write to a name that ends in .csv or .jsonl")
    try:
        with reader.snapshot() as (connection, job, _), replacing(path) as file:
            return write(file, connection, job)
    except OSError as error:
        raise BadInput(f"can't write {path}: {error.strerror or error}") from error


def _write_csv(file: TextIO, connection: Connection, job: int) -> int:
    extra = _extra_columns(connection, job)
    table = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    table.writerow([*COLUMNS, *extra.values()])
    count = 0
    for row, fields in _rows(connection, job):
        count += 1
        cells = [_joined(row[column]) for column in COLUMNS]
        table.writerow([*cells, *(fields.get(name, "") for name in extra)])
    return count


def _write_jsonl(file: TextIO, connection: Connection, job: int) -> int:
    count = 0
    for row, fields in _rows(connection, job):
        count += 1
        more = {name: value for name, value in fields.items() if name not in _NOT_EXTRA}
        file.write(orjson.dumps({**row, "fields": more}).decode() + "\n")
    return count


def _rows(connection: Connection, job: int) -> Iterator[tuple[dict[str, Any], Mapping[str, str]]]:
    """Each item's columns, and what the manifest said beside them."""
    for page in _pages(connection, job):
        outputs: dict[tuple[int, int], list[Output]] = {}
        numbers = [item.id for item in page]
        for item, attempt, *columns in connection.execute(_OUTPUTS, {"items": numbers}):
            outputs.setdefault((item, attempt), []).append(codec.output(columns))
        for item in page:
            yield _row(item, outputs.get((item.id, item.attempts), ())), item.fields


def _pages(connection: Connection, job: int) -> Iterator[list[Item]]:
    after = 0
    while rows := connection.execute(_PAGE_OF_ITEMS, {"job": job, "after": after}).all():
        yield [codec.item(row) for row in rows]
        after = rows[-1][0]


def _row(item: Item, outputs: Sequence[Output]) -> dict[str, Any]:
    attempt = item.attempt
    source = item.source or " ".join(part.url for part in item.stitch)
    return {
        "key": _hidden(item.key),
        "id": item.fields.get("id", ""),
        "source": _hidden(source),
        "state": item.state.value,
        "priority": item.priority,
        "tags": item.tags,
        "payload": item.payload,
        "attempts": item.attempts,
        "service": attempt.service if attempt else None,
        "task": attempt.task if attempt else None,
        "started": _time(attempt.started_at) if attempt else None,
        "ended": _time(attempt.ended_at) if attempt else None,
        "error_class": item.error_class,
        "error": _hidden(item.error) if item.error else None,
        "outputs": len(outputs),
        "output_paths": [output.path for output in outputs if output.path],
        "output_urls": [_hidden(output.url) for output in outputs],
        "output_bytes": sum(output.size or 0 for output in outputs),
    }


def _extra_columns(connection: Connection, job: int) -> dict[str, str]:
    """Columns of the manifest, by name, each with a heading that no other has."""
    names: dict[str, None] = {}
    query = select(_I.fields).where(_I.job_id == job, _I.fields.is_not(None)).order_by(_I.id)
    some = connection.execute(query, execution_options={"yield_per": PAGE})
    for (fields,) in some:
        names.update(dict.fromkeys(codec.fields_told(fields, "", None)))
    extra = [name for name in names if name not in _NOT_EXTRA]
    return {name: f"manifest_{name}" if name in COLUMNS else name for name in extra}


def _joined(cell: Any) -> Any:
    return " | ".join(cell) if isinstance(cell, list | tuple) else cell


def _time(seconds: float | None) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _hidden(text: str) -> str:
    return _PASSWORD.sub(r"\1:***@", text)
