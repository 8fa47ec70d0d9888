"""What an HTTP answer other than success means, in the families of ``model.errors``."""

import math
import re
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    OrchestratorError,
    OutcomeUnknown,
    TooLarge,
    Transient,
)
from orchestrator.services.redact import scrub


class Unauthorized(AccountProblem):
    """Raised for HTTP 401: who asks is not, or no longer, known."""


class NotThere(BadRequest):
    """Raised for HTTP 404 and 410: what was asked for does not exist."""


#: Statuses that mean something of their own to a protocol.
Refusals = Mapping[int, type[OrchestratorError]]

_LONGEST_DELAY = 86400.0
_IN_WORDS = re.compile(r"(?i)(\d+(?:\.\d+)?)\s*(s|secs?|seconds?|m|mins?|minutes?)\b")
_ACCOUNT = frozenset({402, 403, 407})
_PASSING = frozenset({408, 425})

#: Content, address or header fields too large (RFC 9110, 15.5.14 and 15.5.15; RFC 6585, 5).
_SIZE = frozenset({413, 414, 431})


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    where: str,
    *,
    idempotent: bool,
    secrets: Collection[str] = (),
) -> OrchestratorError:
    """The error for a ``status`` that is not 2xx. ``where`` names the request.

    429 and 503 say that nothing was done, so they are ``Busy`` for every kind
    of request; any other 5xx leaves the outcome of a request open that must
    not be sent twice.
    """
    doc = as_document(body)
    said = scrub(message_in(doc) or _plain(body), secrets)
    message = f"{where} answered {status}" + (f": {said}" if said else "")
    if status in (429, 503):
        return Busy(message, delay_named(headers, doc, said))
    if 300 <= status < 400:
        return AccountProblem(f"{message}: it redirects; give the service's own address as its url")
    if status == 401:
        return Unauthorized(message)
    if status in _ACCOUNT:
        return AccountProblem(message)
    if status in _PASSING:
        return Transient(message)
    if status in _SIZE:
        return TooLarge(message)
    if status in (404, 410):
        return NotThere(message)
    if 400 <= status < 500:
        return BadRequest(message)
    return Transient(message) if idempotent else OutcomeUnknown(message)


def as_document(body: bytes) -> Any:
    """``body`` as JSON, None where it isn't."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def message_in(doc: Any) -> str:
    """What a JSON answer says about itself, for people; "" if nothing."""
    if not isinstance(doc, dict):
        return ""
    for name in ("message", "error_description", "detail", "error"):
        said = doc.get(name)
        if isinstance(said, str) and said.strip():
            return said
    return ""


def delay_named(headers: Mapping[str, str], doc: Any, message: str = "") -> float | None:
    """Seconds to wait, as ``retry_after``, ``Retry-After`` or the message names them."""
    named = _seconds(doc.get("retry_after")) if isinstance(doc, dict) else None
    if named is None:
        named = _header_delay(headers.get("Retry-After", ""))
    if named is None and (found := _IN_WORDS.search(message)):
        named = float(found[1]) * (60.0 if found[2][0] in "mM" else 1.0)
    return None if named is None else min(max(named, 0.0), _LONGEST_DELAY)


def _header_delay(value: str) -> float | None:
    """Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if (named := _seconds(value)) is not None:
        return named
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        named = float(value)
    except ValueError:
        return None
    return named if math.isfinite(named) else None


def _plain(body: bytes) -> str:
    text = body[:2000].decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else text
