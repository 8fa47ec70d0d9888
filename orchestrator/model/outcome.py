"""What a run came to: what ``run`` reports, and the exit code is decided by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.model.items import Problem
from orchestrator.model.money import Account
from orchestrator.model.states import State


class Ending(StrEnum):
    """Why a run ended."""

    #: Nothing was left to do; items may still have failed.
    FINISHED = "finished"
    #: As planned, with items left: its window closed, or its budget was used up.
    CLOSED = "closed"
    #: A person asked it to stop; what was under way is recorded and resumable.
    DRAINED = "drained"
    #: The service refused the account; everything stays resumable.
    ACCOUNT = "account"
    #: It could not go on: the ledger, the disk, or a fault of our own.
    BROKEN = "broken"
    #: Nothing was begun, because the job or its manifest can't be used as it stands.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that failed, for a person to read."""

    key: str
    error_class: str
    error: str


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run's result.

    ``counts`` are the items of this manifest by state, ``skipped`` those that
    had been completed before the run. ``problems`` and ``failures`` are the
    first ones; ``problems_total`` and ``failures_by_class`` count all.
    ``seconds`` is wall time, ``sent_bytes`` and ``got_bytes`` what was uploaded
    and collected, ``started`` the encodes started in this run. ``ledger`` is
    the ledger's URL without credentials; ``outputs_folder`` is None where the
    job collects nothing. ``account`` is what the encodes came to that this run
    started, None where it started none.
    """

    job: str
    ending: Ending
    ledger: str
    message: str = ""
    counts: Mapping[State, int] = field(default_factory=dict)
    skipped: int = 0
    problems: tuple[Problem, ...] = ()
    problems_total: int = 0
    failures: tuple[Failure, ...] = ()
    failures_by_class: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    sent_bytes: int = 0
    got_bytes: int = 0
    started: int = 0
    outputs_folder: str | None = None
    account: Account | None = None

    @property
    def failed(self) -> int:
        """How many of this manifest's items stand at failed."""
        return self.counts.get(State.FAILED, 0)
