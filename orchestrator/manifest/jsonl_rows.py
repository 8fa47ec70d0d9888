"""Rows of a JSON Lines manifest: one object on each line."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.rows import RowMaker, column_fault, tags_of
from orchestrator.model.items import Problem, Row

_ONE_OBJECT = 'each line holds one object, such as {"source": "film.mov"}'


def read_jsonl(
    lines: Iterator[str | Problem], maker: RowMaker, file: str
) -> Iterator[Row | Problem]:
    """The rows of a JSON Lines manifest. Blank lines are skipped."""
    parser = _Parser()
    for number, line in enumerate(lines, 1):
        if isinstance(line, Problem):
            yield line
            continue
        if line.isspace():
            continue
        try:
            values = parser.values(line)
        except Fault as fault:
            yield fault.at(file, number, parser.key)
            continue
        yield maker.row(number, **values)


class _Parser:
    """One line -> what ``RowMaker.row`` takes."""

    def __init__(self) -> None:
        self._good_names: set[str] = set()
        #: The id on the line last seen, for the problem with it.
        self.key: str | None = None

    def values(self, line: str) -> dict[str, Any]:
        """Raises ``Fault``."""
        self.key = None
        document = _object(line)
        taken: dict[str, Any] = {}
        if "id" in document:
            taken["id"] = self.key = _id(document.pop("id"))
        source = document.pop("source", None)
        if not isinstance(source, str) and source is not None:
            raise Fault("source", f"{_kind(source)}, not text", "give a path or a URL")
        taken["source"] = source if source and not source.isspace() else ""
        for name, take in _TAKERS:
            if name in document:
                taken[name] = take(document.pop(name))
        if document:
            taken["fields"] = self._fields(document)
        return taken

    def _fields(self, document: dict[str, Any]) -> dict[str, str]:
        for name in document.keys() - self._good_names:
            if fault := column_fault(name):
                raise fault
            self._good_names.add(name)
        return {name: _text(name, value) for name, value in document.items()}


def _object(line: str) -> dict[str, Any]:
    try:
        document = orjson.loads(line)
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
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # Too large an integer is one of these: it arrives as a float, its last digits gone.
    raise Fault("id", f"{_kind(value)}, not text or an integer", "write it in quotes")


def _stitch(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Fault("stitch", f"{_kind(value)}, not a list", "write a list of URLs")
    if not value:
        raise Fault("stitch", "the list is empty", "list the URLs to stitch together")
    return value


def _priority(value: Any) -> str:
    if isinstance(value, bool | float | list | dict):
        raise Fault("priority", f"{_kind(value)}, not an integer", "write an integer from 0 to 10")
    return "" if value is None else str(value)


def _payload(value: Any) -> str:
    return _text("payload", value)


def _tags(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return tags_of(value or "")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise Fault("tags", "neither text nor a list of texts", 'write ["news", "2024"]')
    return tuple(filter(None, map(str.strip, value)))


_TAKERS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("stitch", _stitch),
    ("priority", _priority),
    ("payload", _payload),
    ("tags", _tags),
)


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
