"""Questions to the ledger that the engine and people share. All take a connection.

``seen`` tells the items that the last manifest has: those whose ``seen_run`` it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from sqlalchemy import ColumnElement, Connection, func, select

from orchestrator.ledger import codec, schema
from orchestrator.model.items import Item, Output
from orchestrator.model.states import State

_I, _A, _O, _E, _R = (
    schema.items.c,
    schema.attempts.c,
    schema.outputs.c,
    schema.events.c,
    schema.runs.c,
)
_WITH_ATTEMPT = schema.items.outerjoin(
    schema.attempts, (_A.item_id == _I.id) & (_A.number == _I.attempt)
)
_ITEM = select(*codec.ITEM_COLUMNS).select_from(_WITH_ATTEMPT)
#: Who waits has no attempt: none is looked for.
_WAITING = select(*codec.WAITING_COLUMNS)

#: Seconds. No item waits longer for its next attempt: one that seems to has been due
#: since the machine's clock was set back.
LONGEST_WAIT = 900.0


@dataclass(frozen=True, slots=True)
class Event:
    """One step in an item's history. ``at`` is in UNIX seconds."""

    at: float
    run: int
    attempt: int | None
    was: State
    now: State
    note: str

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        attempt = f", attempt {self.attempt}" if self.attempt else ""
        note = f": {self.note}" if self.note else ""
        return f"{when} UTC, run {self.run}{attempt}: {self.was} to {self.now}{note}"


def job_id(connection: Connection, name: str) -> int | None:
    """The number of the job of that name; None where it has never run."""
    return connection.execute(select(schema.jobs.c.id).where(schema.jobs.c.name == name)).scalar()


def last_seen(connection: Connection, job: int) -> int:
    """What ``seen_run`` says of items that the job's last manifest has; 0 where it has none."""
    latest = select(func.max(_I.seen_run)).where(_I.job_id == job)
    return max(connection.execute(latest).scalar() or 0, 0)


def pending(
    connection: Connection,
    job: int,
    seen: int,
    now: float,
    limit: int,
    skip: Collection[int],
    without: Collection[str] = (),
) -> list[Item]:
    """Items to do now, whose turn comes first before the others (``model.turns``).

    ``without`` leaves out rows that name one of these services.
    """
    query = (
        _WAITING.where(_I.job_id == job, _I.seen_run == seen, schema.IS_PENDING)
        .where((_I.due_at <= now) | (_I.due_at > now + LONGEST_WAIT))
        .where(*(_I.fields.is_(None) | ~_names(service) for service in without))
        .order_by(_I.rank, _I.weight.desc(), _I.id)
        .limit(limit + len(skip))
    )
    rows = connection.execute(query).all()
    return [codec.item(row) for row in rows if row[0] not in skip][:limit]


def in_flight(
    connection: Connection, job: int, seen: int, states: Collection[State], after: int, limit: int
) -> list[Item]:
    """Items in ``states`` with a number above ``after``, in the order of their numbers.

    The numbers are found in the index first, so that only a page is sorted whole.
    """
    numbers = (
        select(_I.id)
        .where(
            _I.job_id == job,
            _I.seen_run == seen,
            _I.state.in_([state.value for state in states]),
            _I.id > after,
        )
        .order_by(_I.id)
        .limit(limit)
    )
    query = _ITEM.where(_I.id.in_(numbers)).order_by(_I.id)
    return [codec.item(row) for row in connection.execute(query)]


def next_due(connection: Connection, job: int, seen: int, after: float) -> float | None:
    """When the first pending item due later than ``after`` is due.

    Not what ``pending`` calls due for a clock that jumped; twice the wait, because
    an item may have been set back since ``after``.
    """
    due = select(func.min(_I.due_at)).where(
        _I.job_id == job,
        _I.seen_run == seen,
        schema.IS_PENDING,
        schema.HAS_DUE,
        _I.due_at > after,
        _I.due_at <= after + 2 * LONGEST_WAIT,
    )
    return connection.execute(due).scalar()


def outputs(connection: Connection, item: int, attempt: int) -> tuple[Output, ...]:
    """What an attempt has on record, in the order in which it was reported."""
    query = (
        select(*codec.OUTPUT_COLUMNS)
        .where(_O.item_id == item, _O.attempt == attempt)
        .order_by(_O.position)
    )
    return tuple(codec.output(row) for row in connection.execute(query))


def counts(connection: Connection, job: int, seen: int) -> Mapping[State, int]:
    """How many items of the run are in each state; a state without items is missing."""
    query = (
        select(_I.state, func.count())
        .where(_I.job_id == job, _I.seen_run == seen)
        .group_by(_I.state)
    )
    return {State(state): count for state, count in connection.execute(query)}


def history(connection: Connection, item: int) -> list[Event]:
    """Every step of an item, the oldest first."""
    query = (
        select(_E.at, _E.run_id, _E.attempt, _E.was, _E.now, _E.note)
        .where(_E.item_id == item)
        .order_by(_E.id)
    )
    return [
        Event(at, run, attempt, State(was), State(now), note)
        for at, run, attempt, was, now, note in connection.execute(query)
    ]


def _names(service: str) -> ColumnElement[bool]:
    """Whether a row's column ``service`` has this name: in JSON, no text holds bare quotes."""
    wanted = orjson.dumps({"service": service}).decode()[1:-1]
    return _I.fields.contains(wanted, autoescape=True)
