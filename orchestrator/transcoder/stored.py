"""The form of ``/v1/start_encode``: a source, stored profiles, and what fills them in."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic_core import PydanticCustomError

from orchestrator.query.values import as_number
from orchestrator.transcoder.answers import ApiError, Code

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST = 100
_LONGEST = 1000


def input_of(form: Mapping[str, str]) -> dict[str, Any]:
    """``source`` or ``stitch`` of the query. Raises ``ApiError``.

    ``start_time`` and ``duration`` cut the one source, for every output alike: it
    is then a stitch list of one.
    """
    uri, stitch = form.get("uri"), form.get("stitch")
    if bool(uri) == bool(stitch):
        code = Code.BAD_QUERY if uri else Code.FIELD_REQUIRED
        told = "uri and stitch exclude each other" if uri else "uri is required, or stitch"
        raise ApiError(code, told, field="uri")
    window = {name: _seconds(form[name], name) for name in _WINDOW if form.get(name)}
    if stitch:
        if window:
            name = next(iter(window))
            told = f"{name}: with stitch, write it to the parts of that list"
            raise ApiError(Code.BAD_QUERY, told, field=name)
        return {"stitch": _json(stitch, "stitch", list)}
    return {"stitch": [{"url": uri, **window}]} if window else {"source": uri}


_WINDOW = ("start_time", "duration")


def variables_of(text: str | None) -> dict[str, str]:
    """``output_path_variables``, a JSON object of texts and numbers. Raises ``ApiError``."""
    if not text:
        return {}
    field = "output_path_variables"
    found = _json(text, field, dict)
    if len(found) > _MOST:
        raise ApiError(Code.BAD_QUERY, f"{field}: more than {_MOST} are given", field=field)
    return {name: _value(name, value, field) for name, value in found.items()}


def ids_of(text: str) -> list[str]:
    """The profiles' ids, each once."""
    return list(dict.fromkeys(each.strip() for each in text.split(",")))


def _value(name: str, value: Any, field: str) -> str:
    if not _NAME.fullmatch(name):
        raise ApiError(Code.BAD_QUERY, f"{field}: {name[:40]!r} is no name", field=field)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ApiError(Code.BAD_QUERY, f"{field}: {name} must be text or a number", field=field)
    said = str(value)
    # A secret of the service's environment is for the owner's profiles alone to name.
    if "${" in said or _CONTROL.search(said) or len(said) > _LONGEST:
        told = f"{field}: {name} must be a line of at most {_LONGEST} characters without ${{"
        raise ApiError(Code.BAD_QUERY, told, field=field)
    return said


def _json(text: str, field: str, kind: type) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(Code.BAD_QUERY, f"{field} is not JSON: {error}", field=field) from error
    if not isinstance(found, kind):
        told = "a list" if kind is list else "an object"
        raise ApiError(Code.BAD_QUERY, f"{field} must be {told}", field=field)
    return found


def _seconds(text: str, field: str) -> float:
    try:
        return as_number(text)
    except PydanticCustomError as error:
        told = f"{field} must be seconds, as in 12.5"
        raise ApiError(Code.BAD_QUERY, told, field=field) from error
