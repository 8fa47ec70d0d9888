"""How manifest rows are written: new ones, known ones, and those set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, update

from orchestrator.ledger import codec, schema
from orchestrator.ledger.bulk import Bulk, adding, each
from orchestrator.ledger.rows import Found
from orchestrator.ledger.staging import NewItems, Stage
from orchestrator.model import turns
from orchestrator.model.errors import BadInput
from orchestrator.model.items import DEFAULT_PRIORITY, Problem, Row
from orchestrator.model.plain import PlainRow
from orchestrator.model.states import State
from orchestrator.model.turns import Order

_I, _A = schema.items.c, schema.attempts.c

_FROM_MANIFEST = (
    *("source", "stitch", "priority", "payload", "tags", "fields", "size", "duration", "line"),
)

_OF_ITEM = update(schema.items).where(_I.id == bindparam("of_item"))

#: A changed priority moves the rank, and leaves it the time that was waited.
_RANK_MOVED = _I.rank + (_I.priority - bindparam("priority")) * bindparam("ageing")

_ADD = adding(schema.items, "id")
_PRIORITISE = Bulk(
    _OF_ITEM.where(schema.IS_PENDING).values(each("priority") | {"rank": _RANK_MOVED})
)
_SEE_PROBLEM = Bulk(_OF_ITEM.values(each("line", "seen_run")))
_REQUEUE = Bulk(
    _OF_ITEM.values(each("state", "attempt", "due_at", "error_class", "error", "updated_at"))
)
_SET_ASIDE = Bulk(_OF_ITEM.values(each("state", "folder", "error_class", "error", "updated_at")))
_END_ATTEMPT = Bulk(
    update(schema.attempts)
    .where(
        _A.item_id == bindparam("of_item"),
        _A.number == bindparam("of_number"),
        _A.ended_at.is_(None),
    )
    .values(ended_at=bindparam("updated_at"), error=bindparam("note"))
)
_ADD_EVENTS = adding(schema.events, "id")

#: States in which a row that can't be used fails its item. Work that was begun
#: or done is not thrown away for a typing error in the manifest.
MAY_FAIL = frozenset({State.PENDING.value, State.FAILED.value})


@dataclass(frozen=True, slots=True)
class Turn:
    """When rows came in (UNIX seconds), and what says whose turn comes first."""

    now: float
    order: Order = Order.FIRST
    ageing: float = turns.AGEING

    def rank(self, priority: int) -> float:
        """The rank of a row that comes in now."""
        return turns.rank(self.now, priority, self.ageing)

    def weight(self, row: Row) -> int:
        """How much a row goes before others of its rank."""
        return turns.weight(self.order, row.duration, row.size)


@dataclass(frozen=True, slots=True)
class Intake:
    """Writes rows of one run's manifest, within the caller's transaction.

    ``seen`` is what ``seen_run`` says of items that the manifest has.
    """

    connection: Connection
    job: int
    run: int
    seen: int
    turn: Turn

    @property
    def now(self) -> float:
        """When the rows came in, UNIX seconds."""
        return self.turn.now

    @property
    def stage(self) -> Stage:
        """Where a chunk of rows is held against the items."""
        return Stage(self.connection, self.job, self.run, self.seen)

    @property
    def new_items(self) -> NewItems:
        """Adds rows that were not seen before."""
        return NewItems(self.job, self.run, self.seen, float(self.now), float(self.turn.ageing))

    def write_staged(self, drop: Sequence[int], match: Sequence[tuple[int, int]]) -> None:
        """What the manifest says: of ``match``, an item and its row; of new items.

        Of the rows in ``drop`` there is nothing to write.
        """
        self.stage.drop(drop)
        self.stage.match(match)
        if match:
            self.stage.rewrite(self.turn.ageing)
        self.stage.add(self.now, self.turn.ageing)

    def prioritise(self, known: Sequence[tuple[PlainRow, Found]]) -> None:
        """Items of this run: a changed priority counts while they are pending."""
        values = [
            {"of_item": found.id, "priority": now.priority, "ageing": self.turn.ageing}
            for now, found in known
            if now.priority != found.priority
        ]
        _PRIORITISE.run(self.connection, values)

    def requeue(self, known: Sequence[tuple[Found, str]]) -> None:
        """Items that go back to pending, each with the reason."""
        values = [
            {
                "of_item": found.id,
                "of_number": found.attempt,
                "state": State.PENDING.value,
                "attempt": None,
                "due_at": 0.0,
                "error_class": None,
                "error": None,
                "updated_at": self.now,
                "note": note,
            }
            for found, note in known
        ]
        _REQUEUE.run(self.connection, values)
        _END_ATTEMPT.run(self.connection, [row for row in values if row["of_number"] is not None])
        self._tell(known, State.PENDING)

    def set_aside(self, known: Sequence[tuple[Found, str]]) -> None:
        """Items whose rows can't be used, where nothing was begun for them.

        They keep no folder, since nothing of theirs will be written there.
        """
        failing = [(found, note) for found, note in known if found.state in MAY_FAIL]
        values = [
            {
                "of_item": found.id,
                "state": State.FAILED.value,
                "folder": "",
                "error_class": BadInput.error_class,
                "error": codec.plain(note),
                "updated_at": self.now,
            }
            for found, note in failing
        ]
        _SET_ASIDE.run(self.connection, values)
        moved = [(found, note) for found, note in failing if found.state == State.PENDING]
        self._tell(moved, State.FAILED)

    def see_problems(self, known: Sequence[tuple[Found, Problem]]) -> None:
        """Items that are on record and whose rows can't be used now."""
        values = [
            {"of_item": found.id, "line": problem.line, "seen_run": self.seen}
            for found, problem in known
        ]
        _SEE_PROBLEM.run(self.connection, values)
        self.set_aside([(found, str(problem)) for found, problem in known])

    def add_problems(self, problems: Sequence[tuple[str, Problem]]) -> None:
        """Failed items, by key, for rows that can't be used and were not seen before."""
        blank = self._blank() | {
            **dict.fromkeys(_FROM_MANIFEST),
            "priority": DEFAULT_PRIORITY,
            "fingerprint": "",
            "digest": "",
            "folder": "",
            "state": State.FAILED.value,
            "error_class": BadInput.error_class,
        }
        values = [
            {**blank, "key": key, "line": problem.line, "error": codec.plain(str(problem))}
            for key, problem in problems
        ]
        _ADD.run(self.connection, values)

    def _blank(self) -> dict[str, Any]:
        """What a new item has, whatever the manifest says."""
        return {
            "job_id": self.job,
            "first_run": self.run,
            "seen_run": self.seen,
            "state": State.PENDING.value,
            "rank": self.turn.rank(DEFAULT_PRIORITY),
            "weight": 0,
            "attempts": 0,
            "attempt": None,
            "due_at": 0.0,
            "error_class": None,
            "error": None,
            "updated_at": self.now,
        }

    def _tell(self, known: Sequence[tuple[Found, str]], now: State) -> None:
        events = [
            {
                "item_id": found.id,
                "attempt": found.attempt,
                "run_id": self.run,
                "at": self.now,
                "was": found.state,
                "now": now.value,
                "note": codec.plain(note),
            }
            for found, note in known
        ]
        _ADD_EVENTS.run(self.connection, events)
