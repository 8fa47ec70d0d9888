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
from enum import IntEnum
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    StatementError,
)

from orchestrator.ledger import codec, schema
from orchestrator.ledger.bulk import Many, driven
from orchestrator.model.errors import LedgerProblem, OrchestratorError, Superseded
from orchestrator.model.items import Attempt, Change, Item
from orchestrator.model.states import State

_BEGUN = frozenset({State.UPLOADING, State.UPLOADED})

#: What every step writes of its item, and what few do.
_STANDING = ("state", "attempts", "attempt", "updated_at")
_REST = ("fingerprint", "digest", "size", "due_at", "error_class", "error")

#: What is written of an attempt, and the part of it that changes once its encode has begun.
_ATTEMPT = (
    *("service", "fingerprint", "digest", "task", "upload_to", "upload_url", "remote_source"),
    *("status_url", "started_at", "ended_at", "error_class", "error", "duration", "cost"),
)
_MARKS = ("status_url", "ended_at", "duration", "cost")

_rest_of = attrgetter(*_REST)
_attempt_of = attrgetter(*_ATTEMPT)
_marks_of = attrgetter(*_MARKS)
_unmarked_of = attrgetter("number", *(name for name in _ATTEMPT if name not in _MARKS))

#: Values that stand before those to be set, and what they are held against.
_FENCE = ("items.id = {}", "items.state = {}", "items.attempts BETWEEN {} AND {}")
_NAMED = ("attempts.item_id = {}", "attempts.number = {}")


def _setting(table: Table, columns: Sequence[str], of: Sequence[str]) -> Many:
    """Sets columns of the rows that meet all conditions of ``of``."""
    where = " AND ".join(of)
    places = [f"new.column{at + 1}" for at in range(where.count("{}") + len(columns))]
    held, news = places[: -len(columns)], places[-len(columns) :]
    values = ", ".join(f"{name} = {new}" for name, new in zip(columns, news, strict=True))
    update = f"UPDATE {table} SET {values}"  # noqa: S608 - names from the schema alone
    return Many(f"{update} FROM (VALUES {{rows}}) AS new WHERE {where.format(*held)}", len(places))


def _adding(table: Table, *columns: str) -> Many:
    names = ", ".join(columns)
    return Many(f"INSERT INTO {table} ({names}) VALUES {{rows}}", len(columns))  # noqa: S608


def _dropping(table: Table, *key: str) -> Many:
    of = ", ".join(f"column{at + 1}" for at in range(len(key)))
    named = f"({', '.join(key)}) IN (SELECT {of} FROM (VALUES {{rows}}))"  # noqa: S608
    return Many(f"DELETE FROM {table} WHERE {named}", len(key))  # noqa: S608


_MOVE_ITEM = _setting(schema.items, _STANDING, _FENCE)
_NOTE_ITEM = _setting(schema.items, _STANDING + _REST, _FENCE)
_ADD_ATTEMPT = _adding(schema.attempts, "item_id", "number", *_ATTEMPT)
_NOTE_ATTEMPT = _setting(schema.attempts, _ATTEMPT, _NAMED)
_MARK_ATTEMPT = _setting(schema.attempts, _MARKS, _NAMED)
_DROP_ATTEMPT = _dropping(schema.attempts, "item_id", "number")
_ADD_OUTPUT = _adding(schema.outputs, "item_id", "attempt", "position", *codec.OUTPUT)
_DROP_OUTPUTS = _dropping(schema.outputs, "item_id", "attempt")
_ADD_EVENT = _adding(schema.events, "item_id", "attempt", "run_id", "at", "was", "now", "note")

#: What a database says about one row's data, as opposed to its own health.
_REFUSED = (
    *(DataError, IntegrityError, InterfaceError, ProgrammingError),
    *(ValueError, TypeError, OverflowError),
)


class _Of(IntEnum):
    """What is written of an attempt; the first one covers those after it."""

    ADD = 0
    REPLACE = 1
    NOTE = 2
    MARK = 3


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
    def of_attempt(self) -> "_Of | None":
        """What this step has to write of its attempt; None: all of it is on record."""
        since, now = self.change.since, self.change.item.attempt
        if self.may_begin:
            return _Of.ADD if self.begins else _Of.REPLACE
        if since is None or since.attempt is None or now is None:
            return _Of.NOTE
        if since.attempt is now:
            return None
        return _Of.MARK if _unmarked_of(since.attempt) == _unmarked_of(now) else _Of.NOTE


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
    with driven(connection) as cursor:
        moved = 0
        for statement, whole in ((_MOVE_ITEM, False), (_NOTE_ITEM, True)):
            ours = [chain for item, chain in chains.items() if (item in noted) is whole]
            moved += statement.run(cursor, [_item_values(*chain, whole=whole) for chain in ours])
        if moved != len(chains):
            raise Superseded(_superseded(steps[0].change))
        _write_attempts(cursor, steps)
        _ADD_EVENT.run(cursor, [_event_values(step) for step in steps])
        _write_outputs(cursor, steps)


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


def _write_attempts(cursor: DBAPICursor, steps: Sequence[Step]) -> None:
    """Put attempts on record; of several steps of one attempt the last one counts."""
    latest: dict[tuple[int, int], tuple[_Of, Attempt]] = {}
    for step in steps:
        item, of = step.change.item, step.of_attempt
        if item.attempt is None or of is None:
            continue
        name = item.id, item.attempt.number
        earlier = latest.get(name)
        latest[name] = min(of, earlier[0]) if earlier else of, item.attempt
    rows: dict[_Of, list[Sequence[Any]]] = {of: [] for of in _Of}
    for name, (of, attempt) in latest.items():
        values = _marks_of(attempt) if of is _Of.MARK else _attempt_values(attempt)
        rows[of].append(name + values)
    _DROP_ATTEMPT.run(cursor, [row[:2] for row in rows[_Of.REPLACE]])
    _ADD_ATTEMPT.run(cursor, rows[_Of.ADD] + rows[_Of.REPLACE])
    _NOTE_ATTEMPT.run(cursor, rows[_Of.NOTE])
    _MARK_ATTEMPT.run(cursor, rows[_Of.MARK])


def _write_outputs(cursor: DBAPICursor, steps: Sequence[Step]) -> None:
    """Replace outputs; of several steps of one attempt the last one counts."""
    latest = {}
    for step in steps:
        item, outputs = step.change.item, step.change.outputs
        if outputs is not None and item.attempt is not None:
            latest[item.id, item.attempt.number] = outputs
    _DROP_OUTPUTS.run(cursor, list(latest))
    rows = [
        (item, number, position, *codec.output_values(output))
        for (item, number), outputs in latest.items()
        for position, output in enumerate(outputs)
    ]
    _ADD_OUTPUT.run(cursor, rows)


def _attempt_values(attempt: Attempt) -> tuple[Any, ...]:
    if attempt.error is not None:
        attempt = attempt.but(error=codec.plain(attempt.error))
    values: tuple[Any, ...] = _attempt_of(attempt)
    return values


def _item_values(first: Step, last: Step, *, whole: bool) -> tuple[Any, ...]:
    """``first`` says what must be on record, ``last`` what is to be."""
    item = last.change.item
    at_least = at_most = first.change.item.attempts
    if first.change.was is State.PENDING:
        at_least -= first.begins or first.may_begin
        at_most -= first.begins
    number = item.attempt.number if item.attempt and item.state is not State.PENDING else None
    values = (
        item.id,
        first.change.was._value_,
        at_least,
        at_most,
        item.state._value_,
        item.attempts,
        number,
        last.at,
    )
    return values + _rest_values(item) if whole else values


def _rest_values(item: Item) -> tuple[Any, ...]:
    if item.error is not None:
        item = item.to(item.state, error=codec.plain(item.error))
    values: tuple[Any, ...] = _rest_of(item)
    return values


def _event_values(step: Step) -> tuple[Any, ...]:
    item = step.change.item
    return (
        item.id,
        item.attempt.number if item.attempt else None,
        step.run,
        step.at,
        step.change.was._value_,
        item.state._value_,
        codec.plain(step.change.note),
    )


def _superseded(change: Change) -> str:
    item = change.item
    return (
        f"{item.key}: has moved on without this process: the step from {change.was} to "
        f"{item.state} of attempt {item.attempts} was not recorded"
    )
