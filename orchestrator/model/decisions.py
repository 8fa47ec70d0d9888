"""What a rerun does about a row that the ledger may know already. Pure.

The ledger asks once per manifest row, for a run and for ``--dry-run`` alike, so
that what was announced is what happens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from orchestrator.model.errors import BadInput
from orchestrator.model.states import IN_FLIGHT, State


class Action(StrEnum):
    """What happens to an item when its row is read again."""

    #: Not seen before: pending.
    NEW = "new"

    #: Completed, and nothing has changed since.
    SKIP = "skip"

    #: Back to pending, for the reason given.
    AGAIN = "again"

    #: Under way at the service: the engine attaches to it again.
    REATTACH = "reattach"

    #: Still pending, with what the row says now.
    KEEP = "keep"

    #: Failed, and left so: its error class is not one to retry.
    LEAVE_FAILED = "leave_failed"

    #: Cancelled, and left so.
    LEAVE_CANCELLED = "leave_cancelled"

    #: The row can't be used (``--keep-going`` sets it aside).
    SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, and why, for people."""

    action: Action
    reason: str


class Version(NamedTuple):
    """What makes an encode current: the source's fingerprint, the query's digest.

    "" stands for not known, and matches anything. (A tuple, as ``Known`` is:
    one of each is made per manifest row.)
    """

    fingerprint: str
    digest: str

    def difference(self, now: "Version") -> str:
        """Why ``now`` is another version than this one; "" if it is not."""
        if _differ(self.fingerprint, now.fingerprint):
            return "source changed"
        if _differ(self.digest, now.digest):
            return "query changed"
        return ""


class Known(NamedTuple):
    """What the ledger has on record about an item, as far as a decision needs it."""

    state: State
    version: Version
    error_class: str | None = None


_NEW = Decision(Action.NEW, "not seen before")
_DONE = Decision(Action.SKIP, "already completed")
_WAITING = Decision(Action.KEEP, "still to do")
_REATTACH = {state: Decision(Action.REATTACH, f"under way: {state}") for state in IN_FLIGHT}
_CANCELLED = Decision(Action.LEAVE_CANCELLED, "was cancelled")


def decide(known: Known | None, now: Version, retry: Callable[[str], bool]) -> Decision:
    """What to do about a row that asks for version ``now``.

    ``retry`` says whether failed items of an error class are tried again.
    """
    if known is None:
        return _NEW
    if known.state is State.CANCELLED:
        return _CANCELLED
    if known.state is State.PENDING:
        return _WAITING
    changed = known.version.difference(now)
    if changed:
        return _again(known, changed)
    if known.state is State.COMPLETED:
        return _DONE
    if known.state is State.FAILED:
        return _failed(known.error_class or "error", retry)
    return _REATTACH[known.state]


def _differ(then: str, now: str) -> bool:
    return then != now and then != "" and now != ""


def _again(known: Known, changed: str) -> Decision:
    if known.state in IN_FLIGHT:
        changed += "; the old encode is left to the service"
    return Decision(Action.AGAIN, changed)


def _failed(error_class: str, retry: Callable[[str], bool]) -> Decision:
    if error_class == BadInput.error_class:
        return Decision(Action.AGAIN, "its row can be read now")
    if retry(error_class):
        return Decision(Action.AGAIN, f"failed before: {error_class}")
    return Decision(Action.LEAVE_FAILED, f"failed before: {error_class}; not retried")
