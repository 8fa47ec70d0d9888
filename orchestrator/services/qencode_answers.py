"""Error codes of the Qencode API (its document's last table), as our families."""

from collections.abc import Mapping
from typing import Any

from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    OrchestratorError,
)
from orchestrator.services.http import lost
from orchestrator.services.redact import scrub
from orchestrator.services.refusals import delay_named, message_in

_SUSPENDED = 6
_BUSY = 8

_MEANINGS: Mapping[int, str] = {
    1: "internal error of the service",
    2: "the API key did not pass validation; check that it was copied whole",
    3: "the API key is not known; check it in the service's portal",
    4: "the token did not pass validation",
    5: "the token is not known",
    _SUSPENDED: "the account is suspended; look at its billing in the service's portal",
    7: "internal error of the service",
    _BUSY: "the service is busy",
    9: "the payload is too long",
    10: "the account's project is not known; ask the service's support",
    11: "a profile did not pass validation",
    12: "a profile is not known",
    13: "task_tokens did not pass validation",
    14: "a required field is missing",
    19: "the query is missing, or not wrapped in a second query object",
}
_INTERNAL = frozenset({1, 7})
_TOKEN = frozenset({4, 5})
_ACCOUNT = frozenset({2, 3, _SUSPENDED, 10})


class TokenRefused(AccountProblem):
    """Raised when a token is not, or no longer, good (error 4 or 5)."""


class TokensRefused(BadRequest):
    """Raised when one of several task tokens is not good (error 13)."""


def fault_in(
    doc: Mapping[str, Any], where: str, *, idempotent: bool, secrets: set[str]
) -> OrchestratorError | None:
    """The error that an answer to ``where`` holds, None for a success.

    An internal error leaves open what became of a request that must not be
    sent twice.
    """
    code = code_of(doc.get("error"))
    if code == 0:
        return None
    said = scrub(message_in(doc), secrets)
    meaning = _MEANINGS.get(code, "no documented error")
    message = f"{where} answered error {code}, {meaning}" + (f": {said}" if said else "")
    if code == _BUSY:
        return Busy(message, delay_named({}, doc, said))
    if code in _INTERNAL:
        return lost(message, idempotent=idempotent)
    if code in _TOKEN:
        return TokenRefused(message)
    if code in _ACCOUNT:
        return AccountProblem(message)
    return TokensRefused(message) if code == 13 else BadRequest(message)


def code_of(value: Any) -> int:
    """An ``error`` field as a number: 0 for none, 1 for one that says no more than that."""
    if not value or str(value).strip().lower() in ("none", "null", "false"):
        return 0
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 1
