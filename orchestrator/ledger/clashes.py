"""Rows of one manifest whose outputs would overwrite each other's.

Found in one pass after all rows are in: sorting the folders once is cheaper
than keeping an index of them. Of the rows that share a folder the first keeps
it, but one that has something there already goes before one that has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from orchestrator.ledger import rows, schema
from orchestrator.ledger.intake import MAY_FAIL, Intake
from orchestrator.ledger.rows import CHUNK, Found
from orchestrator.model.decisions import Action
from orchestrator.model.items import Problem
from orchestrator.model.states import State

_I, _E = schema.items.c, schema.events.c


@dataclass(frozen=True, slots=True)
class Clash:
    """A row that is not the first in its folder."""

    problem: Problem
    found: Found
    counted_as: Action

    @property
    def may_fail(self) -> bool:
        """Whether nothing was begun for it, so that it can be set aside."""
        return self.found.state in MAY_FAIL


def find(intake: Intake, manifest: str, *, oldest_first: bool) -> Iterator[list[Clash]]:
    """All clashes among the manifest's rows, some at a time.

    ``oldest_first``: a folder is left to the item that was there before, wherever
    its row is.
    """
    keeper: tuple[str, int] = ("", 0)
    run = intake.run
    members = intake.connection.execute(
        _members(intake, oldest_first=oldest_first), execution_options={"yield_per": CHUNK}
    )
    for some in members.partitions():
        clashes = []
        for row in some:
            if row.folder != keeper[0]:
                keeper = row.folder, row.line
            else:
                clashes.append(_clash(row, run, manifest, keeper[1]))
        yield clashes


def _members(intake: Intake, *, oldest_first: bool) -> Select[Any]:
    ours = (_I.job_id == intake.job, _I.seen_run == intake.seen)
    shared = (
        select(_I.folder).where(*ours, _I.folder != "").group_by(_I.folder).having(func.count() > 1)
    )
    turn = (_I.id,) if oldest_first else (_I.line, _I.id)
    requeued = select(_E.id).where(_E.item_id == _I.id, _E.run_id == intake.run).exists()
    return (
        select(*rows.FOUND, _I.folder, _I.first_run, requeued.label("requeued"))
        .where(*ours, _I.folder.in_(shared))
        .order_by(_I.folder, case((_I.state.in_(MAY_FAIL), 1), else_=0), *turn)
    )


def _clash(row: Row[Any], run: int, manifest: str, first_line: int) -> Clash:
    problem = rows.clashing(manifest, row.key, row.line, row.folder, first_line)
    return Clash(problem, Found._make(row[: len(rows.FOUND)]), _counted_as(row, run))


def _counted_as(row: Row[Any], run: int) -> Action:
    """What was decided about the row as it was read."""
    if row.state == State.FAILED:
        return Action.LEAVE_FAILED
    if row.first_run == run:
        return Action.NEW
    return Action.AGAIN if row.requeued else Action.KEEP
