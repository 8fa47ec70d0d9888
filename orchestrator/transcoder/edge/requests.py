"""What clients send: forms and lists, read with care.

``curl -d`` sends its text as it is. A JSON document sent so arrives whole unless
it holds a ``+``, a ``%`` or a ``&``, which mean other things in a form: that is
refused, because the order would be another one.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from orchestrator.transcoder.edge.orders import STATUSES, Asked

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_CHANGED: Final = re.compile(rb"[+%&]")
_HINT: Final = "send it with curl --data-urlencode, or as form-data (curl -F)"
#: Of a form's fields, those that hold lists in JSON.
_LISTS: Final = ("custom_profiles",)
_MOST: Final = 1_000_000


class BadForm(Exception):
    """Raised when a request can't be read; the message is for its sender."""


async def fields_of(request: web.Request) -> dict[str, str]:
    """The text fields of a form, or of a JSON object. Raises ``BadForm``."""
    if request.content_type == "application/json":
        return {str(name): str(value) for name, value in (await _json(request)).items()}
    return await _form(request)


async def order_of(request: web.Request) -> Mapping[str, Any]:
    """The order that a form holds in its one field. Raises ``BadForm``."""
    if request.content_type not in _FORMS:
        raise BadForm(f"send the order as a form with one field, order, not {request.content_type}")
    if request.content_type == _FORMS[0]:
        _check_encoded(await request.read())
    form = await _form(request)
    if not form.get("order"):
        raise BadForm("order is required: one field with the order's JSON")
    others = [name for name in form if name != "order"]
    if others:
        raise BadForm(f"the form has more than the one field order; {_HINT}")
    return _object(form["order"], "order")


async def profile_of(request: web.Request) -> Mapping[str, Any]:
    """A profile, as JSON or as a form. Raises ``BadForm``."""
    if request.content_type not in _FORMS:
        return await _json(request)
    form: dict[str, Any] = {name: value for name, value in (await _form(request)).items() if value}
    for name in _LISTS:
        if name in form:
            form[name] = _parsed(form[name], name)
    return form


def list_of(asked: Mapping[str, str]) -> Asked:
    """Which orders a list is to hold. Raises ``BadForm``.

    ``filters`` is not explained by the documents: here it is ``status:`` and words.
    """
    if asked.get("output", "std") != "std":
        raise BadForm("output can be std alone")
    if "offset" in asked and "limit" not in asked:
        raise BadForm("offset needs limit")
    return Asked(
        search=asked.get("search", ""),
        statuses=_statuses(asked.get("filters", "")),
        limit=_number(asked, "limit", -1),
        offset=_number(asked, "offset", 0),
    )


def _statuses(filters: str) -> tuple[str, ...]:
    if not filters:
        return ()
    name, _, words = filters.partition(":")
    wanted = tuple(word.strip().upper() for word in words.split(","))
    known = tuple(dict.fromkeys(STATUSES.values()))
    if name.strip() != "status" or not set(wanted) <= set(known):
        raise BadForm(f"filters is status: and some of {', '.join(known)}, with commas between")
    return wanted


def _number(asked: Mapping[str, str], name: str, usual: int) -> int:
    text = asked.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdecimal()) or int(text[:18]) > _MOST:
        raise BadForm(f"{name} must be a whole number from 0 to {_MOST}")
    return int(text)


def _check_encoded(body: bytes) -> None:
    """An encoder leaves no quote as it is; without one, nothing else may need encoding."""
    if b'"' in body and _CHANGED.search(body):
        raise BadForm(f"the order holds a +, % or & that was not encoded; {_HINT}")


async def _form(request: web.Request) -> dict[str, str]:
    try:
        posted = await request.post()
        found = {name: _value(value) for name, value in posted.items()}
    except (ValueError, LookupError) as error:
        raise BadForm("the body can't be read as a form") from error
    return found


def _value(value: object) -> str:
    if isinstance(value, web.FileField):
        return value.file.read().decode()
    return value if isinstance(value, str) else ""


async def _json(request: web.Request) -> Mapping[str, Any]:
    return _object(await request.text(), "the body")


def _object(text: str, what: str) -> Mapping[str, Any]:
    found = _parsed(text, what)
    if not isinstance(found, dict):
        raise BadForm(f"{what} must be a JSON object")
    return found


def _parsed(text: str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadForm(f"{what} is not JSON: {error}; {_HINT}") from None
