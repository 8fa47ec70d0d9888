"""Items, attempts and outputs as rows of the tables, and back."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import ColumnElement

from orchestrator.ledger import schema
from orchestrator.model.items import Attempt, Item, Output, Row, StitchPart
from orchestrator.model.plain import WITHOUT_PLACE
from orchestrator.model.states import State

_I, _A, _O = schema.items.c, schema.attempts.c, schema.outputs.c

#: What ``item`` reads of an item that has no attempt, in its order.
WAITING_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(_I.id, _I.key, _I.state, _I.source, _I.stitch, _I.priority, _I.payload, _I.tags),
    *(_I.fields, _I.fingerprint, _I.digest, _I.size, _I.line, _I.attempts, _I.due_at),
    *(_I.error_class, _I.error, _I.duration, _I.rank, _I.weight),
)

#: The same for all items; the attempt's columns come last.
ITEM_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *WAITING_COLUMNS,
    *(_A.number, _A.service, _A.fingerprint, _A.digest, _A.task, _A.upload_to),
    *(_A.upload_url, _A.remote_source, _A.status_url, _A.started_at, _A.ended_at),
    *(_A.error_class, _A.error, _A.duration, _A.cost),
)
_OF_ATTEMPT = len(WAITING_COLUMNS)

#: The columns of an output, but for those that say whose it is.
OUTPUT = ("tag", "kind", "url", "user_tag", "path", "size", "duration", "bitrate", "meta")
_written = attrgetter(*OUTPUT[:-1])

#: What ``output`` reads, in its order.
OUTPUT_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(_O[name] for name in OUTPUT)


def item(row: Sequence[Any]) -> Item:
    """The item that a row of ``ITEM_COLUMNS`` holds, or of ``WAITING_COLUMNS``."""
    key, parts, tags = row[1], row[4], row[7]
    attempt = row[_OF_ATTEMPT:]
    source = key if row[3] == "" else row[3]
    return Item(
        id=row[0],
        key=key,
        state=State(row[2]),
        source=source,
        stitch=tuple(StitchPart(*part) for part in orjson.loads(parts)) if parts else (),
        priority=row[5],
        payload=row[6],
        tags=tuple(orjson.loads(tags)) if tags else (),
        fields=fields_told(row[8], key, source),
        fingerprint=row[9],
        digest=row[10],
        size=row[11],
        line=row[12],
        attempts=row[13],
        attempt=Attempt(*attempt) if attempt and attempt[0] is not None else None,
        due_at=row[14],
        error_class=row[15],
        error=row[16],
        duration=row[17],
        rank=row[18],
        weight=row[19],
    )


def output(row: Sequence[Any]) -> Output:
    """The output that a row of ``OUTPUT_COLUMNS`` holds."""
    tag, kind, url, user_tag, path, size, duration, bitrate, meta = row
    loaded = orjson.loads(meta) if meta else {}
    return Output(tag, kind, url, user_tag, path, size, duration, bitrate, loaded)


def output_values(output: Output) -> tuple[Any, ...]:
    """An output as values of the columns ``OUTPUT``."""
    return (*_written(output), json(output.meta))


def stitch(parts: Sequence[StitchPart]) -> str | None:
    """A stitch list as it is stored."""
    return json([(part.url, part.start_time, part.duration) for part in parts])


def fields(row: Row) -> str | None:
    """A row's fields as they are stored: ``plain.PlainRow``. Raises ``TypeError`` like ``json``."""
    place = _place(row.key, row.source) if row.source else {}
    if not place or not place.items() <= row.fields.items():
        return json(row.fields)
    others = {name: text for name, text in row.fields.items() if name not in place}
    return WITHOUT_PLACE + (json(others) or "{}")


def fields_told(stored: str | None, key: str, source: str | None) -> dict[str, str]:
    """The fields that are stored for an item of this key and source."""
    if not stored:
        return {}
    told: dict[str, str] = orjson.loads(stored.removeprefix(WITHOUT_PLACE))
    return {**_place(key, source or ""), **told} if stored[0] == WITHOUT_PLACE else told


def _place(key: str, source: str) -> dict[str, str]:
    name = source[source.rfind("/") + 1 :]
    dot = name.rfind(".")
    return {"name": name, "stem": name[:dot] if dot > 0 else name, "id": key}


def json(value: Mapping[str, Any] | Sequence[Any]) -> str | None:
    """JSON, None where there is nothing. Raises ``TypeError`` for what is not UTF-8."""
    return orjson.dumps(value, default=dict).decode() if value else None


def plain(text: str | None) -> str | None:
    """Text that can be stored: a file's name may hold bytes that are not UTF-8."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
