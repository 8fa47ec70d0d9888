"""Rows of a JSON Lines manifest: one object on each line."""

from collections.abc import Iterator
from typing import Any

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.rows import RowMaker, column_fault
from orchestrator.model.items import Problem, Row

_ONE_OBJECT = 'each line holds one object, such as {"source": "film.mov"}'


def read_jsonl(
    lines: Iterator[str | Problem], maker: RowMaker, file: str
) -> Iterator[Row | Problem]:
    """The rows of a JSON Lines manifest. Blank lines are skipped."""
    parser = _Parser(maker)
    for number, line in enumerate(lines, 1):
        if isinstance(line, Problem):
            yield line
        elif not line.isspace():
            try:
                yield parser.row(number, line)
            except Fault as fault:
                yield fault.at(file, number, parser.key or None)


class _Parser:
    def __init__(self, maker: RowMaker) -> None:
        self._maker = maker
        self._good_names: set[str] = set()
        #: The id on the line last seen, for the problem with it.
        self.key = ""

    def row(self, number: int, line: str) -> Row | Problem:
        """Raises ``Fault`` for what ``RowMaker`` can't be given."""
        self.key = ""
        document = _object(line)
        take = document.pop
        self.key = _id(take("id", None))
        source, stitch = take("source", None), take("stitch", None)
        priority, payload = take("priority", None), take("payload", None)
        return self._maker.row(
            number,
            _source(source),
            stitch="" if stitch is None else stitch,
            id=self.key,
            priority="" if priority is None else _text("priority", priority),
            payload="" if payload is None else _text("payload", payload),
            tags=take("tags", None),
            fields=self._fields(document) if document else None,
        )

    def _fields(self, document: dict[str, Any]) -> dict[str, str]:
        if not self._good_names.issuperset(document):
            for name in document:
                if fault := column_fault(name):
                    raise fault
            self._good_names.update(document)
        return {name: _text(name, value) for name, value in document.items()}


def _object(line: str) -> dict[str, Any]:
    try:
        document = orjson.loads(line.rstrip("\r\n"))
    except orjson.JSONDecodeError as error:
        message = f"malformed JSON at column {error.pos + 1}: {error.msg}"
        raise Fault("", message, _ONE_OBJECT) from None
    if not isinstance(document, dict):
        raise Fault("", f"{_kind(document)}, not an object", _ONE_OBJECT)
    # A backslash that is itself escaped does not begin an escape.
    if "\\u0000" in line and "\\u0000" in line.replace("\\\\", ""):
        raise Fault("", r"a NUL character (\u0000)", "remove it: text has no such character")
    return document


def _id(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # Too large an integer is one of these: it arrives as a float, its last digits gone.
    raise Fault("id", f"{_kind(value)}, not text or an integer", "write it in quotes")


def _source(value: Any) -> str:
    if isinstance(value, str):
        return "" if value.isspace() else value
    if value is None:
        return ""
    raise Fault("source", f"{_kind(value)}, not text", "give a path or a URL")


def _text(name: str, value: Any) -> str:
    """A value as templates see it: text as it is, no value as "", the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise Fault(name, "the value is nested too deeply", "write it as text") from None


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    words = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return words.get(type(value), "a number")
