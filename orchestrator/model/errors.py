"""The exception root and its families.

A family says what the engine does next; the class inside it says why. Foreign
exceptions are mapped to these where they enter, and each is retried by exactly
one layer: the engine's stages.

``error_class`` is the short word that the ledger, reports and ``retry
--error-class`` use. Messages are written for the person who reads the report
at breakfast, and never hold a secret.
"""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar


class OrchestratorError(Exception):
    """Root of everything this package raises on purpose."""

    error_class: ClassVar[str] = "error"


# --- about the run as a whole ------------------------------------------------


class BadInput(OrchestratorError):
    """Raised when a config, job file or manifest can't be used as it stands."""

    error_class = "bad_input"


class LedgerProblem(OrchestratorError):
    """Raised when the ledger can't be opened, is in use, or can't be written."""

    error_class = "ledger"


class LedgerInUse(LedgerProblem):
    """Raised when another process holds the ledger."""


class TooManyFailures(OrchestratorError):
    """Raised when so many items failed that the run was stopped. Everything is resumable."""

    error_class = "too_many_failures"


class IllegalMove(OrchestratorError):
    """Raised when code asks for a move that the state table does not hold."""

    error_class = "illegal_move"

    def __init__(self, key: str, was: str, now: str, history: Sequence[str] = ()) -> None:
        lines = "".join(f"\n  {line}" for line in history)
        super().__init__(f"{key}: no move from {was} to {now}; its history:{lines or ' none'}")
        self.key, self.was, self.now, self.history = key, was, now, tuple(history)


class Superseded(OrchestratorError):
    """Raised when a write names an attempt that is no longer the item's own."""

    error_class = "superseded"


# --- families: what a service or a source did to an item ---------------------


class Transient(OrchestratorError):
    """Raised when the same thing may work a little later: retry with backoff."""

    error_class = "transient"


class Busy(OrchestratorError):
    """Raised when the service asks for a pause. Waiting is not failing.

    ``delay`` is in seconds, or None where the answer named none.
    """

    error_class = "busy"

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class Permanent(OrchestratorError):
    """Raised when this item will not get better by trying again."""

    error_class = "permanent"


class AccountProblem(OrchestratorError):
    """Raised when the account is refused: stops the run, everything resumable."""

    error_class = "account"


class OutcomeUnknown(OrchestratorError):
    """Raised when a request left and its answer was lost: reconcile, then retry."""

    error_class = "outcome_unknown"


class NotSettled(OutcomeUnknown):
    """Raised when a start that may have left could still arrive: ask again before a repeat.

    ``delay`` is in seconds.
    """

    error_class = "not_settled"

    def __init__(self, message: str, delay: float) -> None:
        super().__init__(message)
        self.delay = delay


# --- members of the families -------------------------------------------------


class Unreachable(Transient):
    """Raised when no connection to the service could be made."""

    error_class = "unreachable"


class Stalled(Transient):
    """Raised when a transfer moved no bytes for longer than allowed."""

    error_class = "stalled"


class UploadGone(Transient):
    """Raised when the service no longer knows an upload: begin it again."""

    error_class = "upload_gone"


class SourceChanged(Transient):
    """Raised when a source was changed while it was read: begin again."""

    error_class = "source_changed"


class SourceMissing(Permanent):
    """Raised when a source is not there, or can't be read."""

    error_class = "source_missing"


class BadRequest(Permanent):
    """Raised when the service refuses the request itself, naming a field."""

    error_class = "bad_request"


class TooLarge(BadRequest):
    """Raised when the service refuses a request for its size: a shorter one may do."""

    error_class = "too_large"


class EncodeFailed(Permanent):
    """Raised when the service took the task and could not encode it."""

    error_class = "encode_failed"


class TaskLost(Transient):
    """Raised when the service no longer knows a task that it had taken."""

    error_class = "task_lost"


class DiskFull(Transient):
    """Raised when there is no room left where outputs are collected to."""

    error_class = "disk_full"


class Stuck(Transient):
    """Raised when a service has said nothing new of a task for longer than allowed."""

    error_class = "stuck"


class VerificationFailed(Permanent):
    """Raised when what was collected is not what was asked for. Nothing is deleted."""

    error_class = "verification_failed"


class OutputDamaged(Transient):
    """Raised when what arrived is not of the size or checksum that was promised."""

    error_class = "output_damaged"


class Moved(OrchestratorError):
    """An attempt's end where nothing failed: its item goes to another service."""

    error_class = "moved"


class NoRoom(OrchestratorError):
    """Raised when outputs have found no room for too long: stops the run, all resumable."""

    error_class = "no_room"


class OutputMissing(Permanent):
    """Raised when an output that the service reported can't be fetched."""

    error_class = "output_missing"


def may_pass(error_class: str) -> bool:
    """Whether a failed item of this class is worth another attempt on the next run.

    What failed it may have passed by then: a transient trouble, a lost answer, a
    source that was not there, a fault of our own.
    """
    return error_class in _passing()


@cache
def _passing() -> frozenset[str]:
    classes = {"internal", SourceMissing.error_class}
    waiting: list[type[OrchestratorError]] = [Transient, OutcomeUnknown]
    while waiting:
        family = waiting.pop()
        classes.add(family.error_class)
        waiting += family.__subclasses__()
    return frozenset(classes)
