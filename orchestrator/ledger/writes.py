"""Puts steps of items on record: a batch in as few statements as there are kinds.

The fence: a step names the state and the number of attempts that it started
from, and changes nothing when the item has moved on without it (another process
took it over, or a person cancelled it). A step that begins an attempt counts it
in its snapshot already, so its row still has one less. Only a step from
``pending`` straight to an end may or may not bring an attempt of its own; it is
let through either way, as nothing at a service hangs on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, update
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    StatementError,
)

from orchestrator.ledger import codec, schema
from orchestrator.ledger.bulk import Bulk, adding, each
from orchestrator.model.errors import LedgerProblem, OrchestratorError, Superseded
from orchestrator.model.items import Attempt, Change
from orchestrator.model.states import State

_BEGUN = frozenset({State.UPLOADING, State.UPLOADED})

_I, _A, _O = schema.items.c, schema.attempts.c, schema.outputs.c

#: What every step writes of its item, and what few do.
_STANDING = ("state", "attempts", "attempt", "updated_at")
_REST = ("fingerprint", "digest", "size", "due_at", "error_class", "error")
_rest_of = attrgetter(*_REST)


def _moving(*columns: str) -> Bulk:
    """Sets columns of an item, if it still is where the step began."""
    fence = (
        _I.id == bindparam("of_item"),
        _I.state == bindparam("was"),
        _I.attempts.between(bindparam("at_least"), bindparam("at_most")),
    )
    return Bulk(update(schema.items).where(*fence).values(each(*columns)))


_MOVE_ITEM = _moving(*_STANDING)
_NOTE_ITEM = _moving(*_STANDING, *_REST)
_OF_ATTEMPT = (_A.item_id == bindparam("of_item"), _A.number == bindparam("of_number"))
_ADD_ATTEMPT = adding(schema.attempts)
_NOTE_ATTEMPT = Bulk(
    update(schema.attempts)
    .where(*_OF_ATTEMPT)
    .values(each(*(column.name for column in _A if not column.primary_key)))
)
_DROP_ATTEMPT = Bulk(delete(schema.attempts).where(*_OF_ATTEMPT))
_DROP_OUTPUTS = Bulk(
    delete(schema.outputs).where(
        _O.item_id == bindparam("of_item"), _O.attempt == bindparam("of_number")
    )
)
_ADD_OUTPUTS = adding(schema.outputs)
_ADD_EVENTS = adding(schema.events, "id")

#: What a database says about one row's data, as opposed to its own health.
_REFUSED = (
    *(DataError, IntegrityError, InterfaceError, ProgrammingError),
    *(ValueError, TypeError, OverflowError),
)


@dataclass(slots=True)
class Step:
    """A change, when it was made (UNIX seconds) and in which run."""

    change: Change
    at: float
    run: int

    @property
    def begins(self) -> bool:
        """Whether this step begins the attempt that its snapshot names."""
        return self.change.was is State.PENDING and self.change.item.state in _BEGUN

    @property
    def may_begin(self) -> bool:
        """Whether this step may have an attempt that is not on record yet."""
        return self.change.was is State.PENDING and self.change.item.attempt is not None

    @property
    def notes_item(self) -> bool:
        """Whether this step may change more of its item than where it stands."""
        since = self.change.since
        return since is None or _rest_of(since) != _rest_of(self.change.item)

    @property
    def notes_attempt(self) -> bool:
        """Whether this step's attempt may differ from what is on record."""
        since = self.change.since
        return since is None or since.attempt is not self.change.item.attempt or self.may_begin


def check(change: Change) -> None:
    """Raise ``ValueError`` for a snapshot whose parts contradict each other."""
    item, attempt = change.item, change.item.attempt
    if attempt is None and (change.outputs is not None or item.state in _BEGUN):
        raise ValueError(f"{item.key}: a step to {item.state} needs an attempt")
    if attempt is not None and attempt.number != item.attempts:
        raise ValueError(
            f"{item.key}: attempt {attempt.number} is not the last of {item.attempts} attempts"
        )


def write(connection: Connection, steps: Sequence[Step]) -> None:
    """Write all steps, in their order. Raises ``Superseded`` if one is fenced off.

    Part of the steps is written by then: the caller rolls back. Of several steps
    of one item only the first one's fence and the last one's snapshot are written,
    and an event for each.
    """
    chains = _chained(steps)
    noted = {step.change.item.id for step in steps if step.notes_item}
    moved = 0
    for statement, whole in ((_MOVE_ITEM, False), (_NOTE_ITEM, True)):
        ours = [chain for item, chain in chains.items() if (item in noted) is whole]
        moved += statement.run(connection, [_item_values(*chain, whole=whole) for chain in ours])
    if moved != len(chains):
        raise Superseded(_superseded(steps[0].change))
    _write_attempts(connection, steps)
    _ADD_EVENTS.run(connection, [_event_values(step) for step in steps])
    _write_outputs(connection, steps)


def write_each(connection: Connection, steps: Sequence[Step]) -> list[OrchestratorError | None]:
    """Write what can be written, and say for each other step why it can't."""
    return [_write_one(connection, step) for step in steps]


def refused_data(error: Exception) -> bool:
    """Whether ``error`` is about what was to be written, not about the database."""
    cause = error.orig if isinstance(error, StatementError) else error
    return isinstance(error, _REFUSED) or isinstance(cause, _REFUSED)


def _write_one(connection: Connection, step: Step) -> OrchestratorError | None:
    try:
        with connection.begin_nested():
            write(connection, [step])
    except Superseded as error:
        return error
    except (StatementError, *_REFUSED) as error:
        if refused_data(error):
            return LedgerProblem(f"{step.change.item.key}: can't be put on record: {error}")
        raise
    return None


def _chained(steps: Sequence[Step]) -> dict[int, tuple[Step, Step]]:
    """The first and the last step of each item, where each follows from the one before."""
    chains: dict[int, tuple[Step, Step]] = {}
    for step in steps:
        now = step.change.item
        if chain := chains.get(now.id):
            before = chain[1].change.item
            begun = now.attempts - step.begins
            if before.state is not step.change.was or before.attempts != begun:
                raise Superseded(_superseded(step.change))
            chains[now.id] = chain[0], step
        else:
            chains[now.id] = step, step
    return chains


def _write_attempts(connection: Connection, steps: Sequence[Step]) -> None:
    """Put attempts on record; of several steps of one attempt the last one counts."""
    latest: dict[tuple[int, int], Attempt] = {}
    added: dict[tuple[int, int], bool] = {}
    for step in steps:
        item = step.change.item
        if item.attempt is None or not step.notes_attempt:
            continue
        attempt = item.id, item.attempt.number
        latest[attempt] = item.attempt
        if step.may_begin:
            added[attempt] = step.begins
    values = {name: codec.attempt_values(name[0], attempt) for name, attempt in latest.items()}
    unsure = [values[name] for name, begun in added.items() if not begun]
    _DROP_ATTEMPT.run(connection, unsure)
    _ADD_ATTEMPT.run(connection, [values[name] for name in added])
    _NOTE_ATTEMPT.run(connection, [each for name, each in values.items() if name not in added])


def _write_outputs(connection: Connection, steps: Sequence[Step]) -> None:
    """Replace outputs; of several steps of one attempt the last one counts."""
    latest = {}
    for step in steps:
        item, outputs = step.change.item, step.change.outputs
        if outputs is not None and item.attempt is not None:
            latest[item.id, item.attempt.number] = outputs
    owners = [{"of_item": item, "of_number": number} for item, number in latest]
    _DROP_OUTPUTS.run(connection, owners)
    rows = [
        codec.output_values(item, number, position, output)
        for (item, number), outputs in latest.items()
        for position, output in enumerate(outputs)
    ]
    _ADD_OUTPUTS.run(connection, rows)


def _item_values(first: Step, last: Step, *, whole: bool) -> dict[str, Any]:
    """``first`` says what must be on record, ``last`` what is to be."""
    item, attempts = last.change.item, first.change.item.attempts
    number = item.attempt.number if item.attempt and item.state is not State.PENDING else None
    values = {
        "of_item": item.id,
        "was": first.change.was._value_,
        "at_least": attempts - (first.begins or first.may_begin),
        "at_most": attempts - first.begins,
        "state": item.state._value_,
        "attempts": item.attempts,
        "attempt": number,
        "updated_at": last.at,
    }
    if whole:
        values |= {
            "fingerprint": item.fingerprint,
            "digest": item.digest,
            "size": item.size,
            "due_at": item.due_at,
            "error_class": item.error_class,
            "error": codec.plain(item.error),
        }
    return values


def _event_values(step: Step) -> dict[str, Any]:
    item = step.change.item
    return {
        "item_id": item.id,
        "attempt": item.attempt.number if item.attempt else None,
        "run_id": step.run,
        "at": step.at,
        "was": step.change.was._value_,
        "now": item.state._value_,
        "note": codec.plain(step.change.note),
    }


def _superseded(change: Change) -> str:
    item = change.item
    return (
        f"{item.key}: has moved on without this process: the step from {change.was} to "
        f"{item.state} of attempt {item.attempts} was not recorded"
    )
