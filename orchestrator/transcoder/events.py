"""What happens to a task that its client may be told of (Transcoding API, Receive Callbacks)."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.transcoder.tasks import Task


class Happened(StrEnum):
    """The documents' events; what is ``LANDED`` is told as ``saved``, of a stream."""

    QUEUED = "queued"
    SAVED = "saved"
    ERROR = "error"
    RESTARTED = "restarted"
    RESTART_FAILED = "restart_failed"
    #: An output is stored, and so is all of it.
    STORED = "stored"
    #: More of an output can be seen now, and its playlist names it.
    LANDED = "landed"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, and to which outputs (by tag) where it is not the whole task's."""

    what: Happened
    tags: tuple[str, ...] = ()


#: Told of an event in the very transaction that records it. The task still has its query.
Tell = Callable[[sqlite3.Connection, "Task", Event], None]


def both(one: Tell, other: Tell) -> Tell:
    """Tell two."""

    def tell(db: sqlite3.Connection, task: "Task", event: Event) -> None:
        one(db, task, event)
        other(db, task, event)

    return tell


def nobody(db: sqlite3.Connection, task: "Task", event: Event) -> None:
    """Nobody wants to know."""
