"""The states of an item and the one table of allowed moves.

Every state's comment says who moves the item on, and what a crash in that
state leaves behind.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where an item stands. The ledger stores the value."""

    #: In the manifest, nothing done yet. The upload stage moves it on.
    #: A crash leaves nothing: start over.
    PENDING = "pending"

    #: The service gave a task (``Attempt.task``) and the source is on its way.
    #: The upload stage moves it on. A crash leaves a partial upload: ask for
    #: its offset and go on; if it is gone, upload again.
    UPLOADING = "uploading"

    #: The service can read the source (``Attempt.remote_source``). The start
    #: stage moves it on. A crash leaves an upload that waits: go on.
    UPLOADED = "uploaded"

    #: The intent to start is on disk; the request may have left. The start
    #: stage moves it on. A crash leaves an unknown outcome: ask for the
    #: task's status before anything else.
    STARTING = "starting"

    #: The service has taken the task. The poller moves it on. A crash leaves
    #: an encode that goes on without us: re-attach and poll.
    ENCODING = "encoding"

    #: The service is done and its outputs are on record. The collect stage
    #: moves it on. A crash leaves some outputs fetched: check, fetch the rest.
    COLLECTING = "collecting"

    #: Every output is where the job wants it. Only a changed version or an
    #: explicit retry moves it on.
    COMPLETED = "completed"

    #: Gave up, with an error class and a reason. A rerun tries again by class.
    FAILED = "failed"

    #: A person said so. Only an explicit retry moves it on.
    CANCELLED = "cancelled"


_ENDINGS = frozenset({State.FAILED, State.CANCELLED})

#: From each state, the states that an item may move to. A move back to
#: ``PENDING`` gives up the present attempt; a new one begins at the next stage.
#: A state that may follow itself takes notes on the way (an upload URL, a new
#: status URL, a replaced task, where outputs were collected to).
MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: _ENDINGS | {State.UPLOADING, State.UPLOADED},
        State.UPLOADING: _ENDINGS | {State.UPLOADING, State.UPLOADED, State.PENDING},
        State.UPLOADED: _ENDINGS | {State.STARTING, State.PENDING},
        State.STARTING: _ENDINGS | {State.ENCODING, State.PENDING},
        State.ENCODING: _ENDINGS | {State.ENCODING, State.COLLECTING, State.PENDING},
        State.COLLECTING: _ENDINGS | {State.COLLECTING, State.COMPLETED, State.PENDING},
        State.COMPLETED: frozenset({State.PENDING}),
        State.FAILED: frozenset({State.PENDING}),
        State.CANCELLED: frozenset({State.PENDING}),
    }
)

#: Nothing of the engine's is under way for an item in one of these.
SETTLED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})

#: An attempt exists and recovery has something to pick up.
IN_FLIGHT = frozenset(
    {State.UPLOADING, State.UPLOADED, State.STARTING, State.ENCODING, State.COLLECTING}
)


def allowed(was: State, now: State) -> bool:
    """Whether the table lets an item go from ``was`` to ``now``."""
    return now in MOVES[was]
