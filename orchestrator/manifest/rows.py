"""The values of one manifest row -> a ``Row``, or the ``Problem`` with it."""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.places import Places
from orchestrator.manifest.uris import normalise, normalise_url
from orchestrator.model.errors import SourceMissing
from orchestrator.model.items import DEFAULT_PRIORITY, Problem, Row, StitchPart

#: The columns that mean something by themselves; every other is a placeholder.
COLUMNS = ("source", "stitch", "id", "priority", "payload", "tags")

#: Those, and the one that is a placeholder too.
_MEANT = frozenset({*COLUMNS, "duration"})

#: Qencode: "any string up to 1000 characters long".
PAYLOAD_LIMIT = 1000

MAX_PRIORITY = 10

PRIORITIES = {str(number): number for number in range(MAX_PRIORITY + 1)} | {"": DEFAULT_PRIORITY}
_TAG_GAPS = re.compile(r"[,\s]+")
_STITCH_GAPS = re.compile(r"[|\s]+")
_CLOCK = re.compile(r"([0-9]{1,5}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,9})?)")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
PLACES = frozenset({"name", "stem", "parent"})


class RowMaker:
    """Makes the rows of one manifest.

    ``file`` is what the manifest is called in problems, ``folder`` (absolute)
    what relative sources are relative to, ``base`` (absolute) what ``parent``
    is relative to. ``fingerprint`` gives the fingerprint and size of a local
    source, or raises ``SourceMissing``.
    """

    def __init__(
        self,
        file: str,
        folder: str,
        base: str,
        fingerprint: Callable[[str], tuple[str, int | None]],
    ) -> None:
        self._file = file
        self._folder = folder
        self._places = Places(base)
        self._fingerprint = fingerprint

    def row(
        self,
        line: int,
        source: str,
        *,
        stitch: Any = "",
        id: str = "",  # noqa: A002 - the column's name
        priority: str = "",
        payload: str = "",
        tags: Any = None,
        fields: Mapping[str, str] | None = None,
    ) -> Row | Problem:
        """The row on ``line`` of the manifest.

        What is not given is "". ``stitch`` is text as in a CSV cell, or a list
        from JSON; ``tags`` likewise. ``fields`` are all other columns; of these
        ``duration`` is the source's, for whose turn comes first.
        """
        key = id.strip()
        parts: tuple[StitchPart, ...] = ()
        version, size, length = "", None, None
        try:
            if stitch != "":
                parts = _parts(source, stitch)
                source = parts[0].url
                key = key or " ".join([part.url for part in parts])
            else:
                source = normalise(source, self._folder)
                key = key or source
            name, stem, parent = self._places.of(source)
            urgency = PRIORITIES.get(priority)
            if urgency is None:
                urgency = _priority(priority)
            if len(payload) > PAYLOAD_LIMIT:
                raise _long_payload(payload)
            labels = _tags(tags) if tags else ()
            if fields and (told := fields.get("duration")):
                length = seconds_of(told)
            if source[0] == "/":
                version, size = self._fingerprint(source)
        except Fault as fault:
            return fault.at(self._file, line, key or None)
        except SourceMissing as missing:
            hint = "put the file in place, correct the path, or leave the row out"
            return Problem(self._file, str(missing), hint, line, "source", key)
        known = {"name": name, "stem": stem, "parent": parent, "id": key}
        if fields:
            known = _joined(known, fields)
        given = None if parts else source
        own = payload or None
        return Row(key, given, parts, urgency, own, labels, known, version, size, line, length)


def _joined(known: dict[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Both; a column called ``name`` is what the person wants it to be, if filled in."""
    if PLACES.isdisjoint(fields):
        return {**known, **fields}
    return {**known, **{name: text for name, text in fields.items() if text or name not in known}}


def column_fault(name: str) -> Fault | None:
    """What is wrong with the name of a column or key, None if nothing is."""
    plain = name.strip().lower()
    if name not in _MEANT and plain in _MEANT:
        return Fault(name, f"column names are in lower case: {plain!r}, not {name!r}", "rename it")
    if not plain:
        return Fault("", "a column has no name", "name it, or take the column out")
    if not name.isprintable() or "{" in name or "}" in name:
        hint = "a column's name stands in {braces} in templates: use letters, digits and _"
        return Fault(name, f"{name!r} can't be a column's name", hint)
    return None


def _priority(text: str) -> int:
    plain = text.strip()
    if not plain:
        return DEFAULT_PRIORITY
    if plain.isascii() and plain.isdigit() and len(plain) < 20 and int(plain) <= MAX_PRIORITY:
        return int(plain)
    hint = f"leave it empty for {DEFAULT_PRIORITY}"
    raise Fault("priority", f"{short(plain)} is not an integer from 0 to {MAX_PRIORITY}", hint)


def seconds_of(text: str) -> float | None:
    """A duration in seconds, from seconds or h:mm:ss; None where there is none."""
    plain = text.strip()
    if not plain:
        return None
    clock = _CLOCK.fullmatch(plain)
    if clock:
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    else:
        seconds = float(plain) if _DECIMAL.fullmatch(plain) else 0.0
    if seconds > 0:
        return seconds
    hint = "write seconds, such as 5400 or 12.5, or h:mm:ss, such as 1:30:00"
    raise Fault("duration", f"{short(plain)} is not the length of a source", hint)


def _tags(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return _parted(given)
    if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        raise Fault("tags", "neither text nor a list of texts", 'write ["news", "2024"]')
    return tuple(filter(None, map(str.strip, given)))


@lru_cache(maxsize=1024)  # rows share their tags
def _parted(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _TAG_GAPS.split(text)))


def _long_payload(payload: str) -> Fault:
    message = f"{len(payload):,} characters; {PAYLOAD_LIMIT:,} are allowed"
    return Fault("payload", message, "shorten it, or send a reference to what it holds")


def _parts(source: str, stitch: Any) -> tuple[StitchPart, ...]:
    if source:
        raise Fault("stitch", "both source and stitch are given", "give one of the two")
    listed = stitch
    if isinstance(stitch, str):
        listed = _stitch_json(stitch) if stitch[0] == "[" else _STITCH_GAPS.split(stitch.strip("|"))
    if not isinstance(listed, list):
        raise Fault("stitch", "not a list", "list the URLs to stitch together")
    if not listed:
        raise Fault("stitch", "the list is empty", "list the URLs to stitch together")
    return tuple(_part(number, part) for number, part in enumerate(listed, 1))


def _stitch_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"malformed JSON at character {error.pos + 1} of the cell: {error.msg}"
        raise Fault("stitch", message, "write a JSON list, or URLs with spaces between") from None


def _part(number: int, part: Any) -> StitchPart:
    where = f"part {number}"
    values = {"url": part} if isinstance(part, str) else part
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        hint = 'write "https://..." or {"url": "https://...", "start_time": 1.5, "duration": 60}'
        raise Fault("stitch", f"{where} is neither a URL nor an object with a url", hint)
    if unknown := sorted(values.keys() - {"url", "start_time", "duration"}):
        raise Fault("stitch", f"{where}: {short(unknown[0])} is not known", "take it out")
    try:
        url = normalise_url(values["url"], "stitch")
    except Fault as fault:
        raise Fault("stitch", f"{where}: {fault.message}", fault.hint) from None
    return StitchPart(
        url,
        _seconds(f"{where}: start_time", values.get("start_time"), zero=True),
        _seconds(f"{where}: duration", values.get("duration"), zero=False),
    )


def _seconds(what: str, value: Any, *, zero: bool) -> float | None:
    """Seconds, as a number or, as the API's own examples have them, as text."""
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not zero):
        hint = "write seconds, such as 12.5" + ("" if zero else ", more than 0")
        raise Fault("stitch", f"{what} is not a number of seconds", hint)
    return seconds


def short(text: str) -> str:
    """A value as a message shows it."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
