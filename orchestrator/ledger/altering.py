"""Changes of many items at once, as people ask for them: set-wise, one event per item.

Each change names its items once, in a temporary table, and everything else goes by
that: a scan of a million keys takes long enough to do it once only. The engine's
own steps are kept apart by the fence of ``writes``: one that comes too late for an
item that was cancelled here is superseded.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    Text,
    and_,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.schema import CreateTable, DropTable

from orchestrator.ledger import schema
from orchestrator.ledger.globs import glob
from orchestrator.ledger.wishes import Retry
from orchestrator.model.errors import BadInput
from orchestrator.model.states import SETTLED, State

#: States in which an item waits for its turn: nothing was begun that costs anything.
WAITING = (State.PENDING, State.UPLOADING, State.UPLOADED)

_UNSETTLED = tuple(state for state in State if state not in SETTLED)
_CANCELLED = "cancelled by a person"

_I, _A = schema.items.c, schema.attempts.c
_chosen = Table(
    "chosen",
    MetaData(),
    Column("id", schema.BigId, primary_key=True),
    Column("was", Text, nullable=False),
    prefixes=["TEMPORARY"],
)
_IS_CHOSEN = _I.id.in_(select(_chosen.c.id))


@dataclass(frozen=True, slots=True)
class Altered:
    """The items that a change concerned.

    Their ``ids``, their ``ranks`` after it (in the same order), and how many of
    them were in each state before. (Arrays, since there may be a million.)
    """

    ids: Sequence[int]
    ranks: Sequence[float]
    states: Mapping[State, int]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Alterations:
    """Changes to a job's items, within the caller's transaction.

    Only items of the manifest of run ``seen`` are touched; events are told under
    ``run``, at ``now`` (UNIX seconds).
    """

    connection: Connection
    job: int
    seen: int
    run: int
    now: float

    def prioritize(self, match: str, priority: int, ageing: float) -> Altered:
        """Give waiting items another priority; ``ageing``: see ``model.turns``."""
        self._choose(WAITING, _matches(match))
        other = _I.priority != priority
        note = literal("priority ") + cast(_I.priority, Text) + f" to {priority}"
        self._tell(_I.state, note, other)
        self._change(
            {"priority": priority, "rank": _I.rank + (_I.priority - priority) * ageing}, other
        )
        return self._altered()

    def cancel(self, match: str) -> Altered:
        """Give up what is not settled; its attempts end here."""
        self._choose(_UNSETTLED, _matches(match))
        self._tell(literal(State.CANCELLED.value), literal(_CANCELLED))
        ended = update(schema.attempts).where(
            _A.item_id.in_(select(_chosen.c.id)), _A.ended_at.is_(None)
        )
        self.connection.execute(ended.values(ended_at=self.now, error=_CANCELLED))
        self._change(
            {"state": State.CANCELLED.value, "due_at": 0.0, "error_class": None, "error": None}
        )
        return self._altered()

    def retry(self, wish: Retry) -> Altered:
        """Put failed or cancelled items back to pending.

        A row that could not be used stays failed: there is nothing to try until the
        manifest is corrected, and then the next run does so by itself.
        """
        failed_alone = wish.failed or wish.error_class is not None
        unusable = and_(_I.state == State.FAILED.value, _I.error_class == BadInput.error_class)
        conditions = [or_(_I.error_class.is_(None), ~unusable)]
        if wish.error_class is not None:
            conditions.append(_I.error_class == wish.error_class)
        if wish.match is not None:
            conditions.append(_matches(wish.match))
        states = (State.FAILED,) if failed_alone else (State.FAILED, State.CANCELLED)
        self._choose(states, *conditions)
        self._tell(literal(State.PENDING.value), literal("again, as a person asked"))
        again = {"attempt": None, "due_at": 0.0, "error_class": None, "error": None}
        self._change({"state": State.PENDING.value, **again})
        return self._altered()

    def classes(self) -> Mapping[str, int]:
        """The manifest's failed items by error class."""
        query = (
            select(_I.error_class, func.count())
            .where(*self._ours([State.FAILED]))
            .group_by(_I.error_class)
            .order_by(_I.error_class)
        )
        return {kind or "error": number for kind, number in self.connection.execute(query)}

    def example(self) -> str | None:
        """A key of the manifest, to show what they look like."""
        query = select(_I.key).where(_I.job_id == self.job, _I.seen_run == self.seen)
        return self.connection.execute(query.limit(1)).scalar()

    def _ours(self, states: Sequence[State]) -> list[ColumnElement[bool]]:
        named = [state.value for state in states]
        return [_I.job_id == self.job, _I.seen_run == self.seen, _I.state.in_(named)]

    def _choose(self, states: Sequence[State], *conditions: ColumnElement[bool]) -> None:
        self.connection.execute(CreateTable(_chosen))
        ours = select(_I.id, _I.state).where(*self._ours(states), *conditions)
        self.connection.execute(insert(_chosen).from_select(["id", "was"], ours))

    def _tell(
        self, now: ColumnElement[Any], note: ColumnElement[Any], *only: ColumnElement[bool]
    ) -> None:
        events = select(
            _I.id, _I.attempt, literal(self.run), literal(self.now), _I.state, now, note
        ).where(_IS_CHOSEN, *only)
        columns = ["item_id", "attempt", "run_id", "at", "was", "now", "note"]
        self.connection.execute(insert(schema.events).from_select(columns, events))

    def _change(self, values: Mapping[str, Any], *only: ColumnElement[bool]) -> None:
        changed = update(schema.items).where(_IS_CHOSEN, *only)
        self.connection.execute(changed.values(**values, updated_at=self.now))

    def _altered(self) -> Altered:
        ids, ranks = array("q"), array("d")
        for number, rank in self.connection.execute(
            select(_I.id, _I.rank).where(_IS_CHOSEN).order_by(_I.id)
        ):
            ids.append(number)
            ranks.append(rank)
        by_state = select(_chosen.c.was, func.count()).group_by(_chosen.c.was)
        states = {State(was): number for was, number in self.connection.execute(by_state)}
        self.connection.execute(DropTable(_chosen))
        return Altered(ids, ranks, states)


def _matches(match: str) -> ColumnElement[bool]:
    return _I.key.op("GLOB", is_comparison=True)(glob(match))
