"""Rows of one manifest whose outputs would overwrite each other's.

Found in one pass after all rows are in: sorting the folders once is cheaper
than keeping an index of them. Of the rows that share a folder the first keeps
it, but one that has something there already goes before one that has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, select

from orchestrator.ledger import rows, schema
from orchestrator.ledger.intake import MAY_FAIL
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


def find(connection: Connection, job: int, run: int, manifest: str) -> Iterator[list[Clash]]:
    """All clashes among the rows of this run, some at a time."""
    keeper: tuple[str, int] = ("", 0)
    members = connection.execute(_members(job, run), execution_options={"yield_per": CHUNK})
    for some in members.partitions():
        clashes = []
        for row in some:
            if row.folder != keeper[0]:
                keeper = row.folder, row.line
            else:
                clashes.append(_clash(row, run, manifest, keeper[1]))
        yield clashes


def _members(job: int, run: int) -> Select[Any]:
    shared = (
        select(_I.folder)
        .where(_I.job_id == job, _I.seen_run == run, _I.folder != "")
        .group_by(_I.folder)
        .having(func.count() > 1)
    )
    requeued = select(_E.id).where(_E.item_id == _I.id, _E.run_id == run).exists()
    return (
        select(*rows.FOUND, _I.folder, _I.first_run, requeued.label("requeued"))
        .where(_I.job_id == job, _I.seen_run == run, _I.folder.in_(shared))
        .order_by(_I.folder, case((_I.state.in_(MAY_FAIL), 1), else_=0), _I.line, _I.id)
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
