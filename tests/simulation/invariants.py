"""What must never be, whatever a night brings."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from orchestrator.model.states import SETTLED, State
from tests.simulation.world import Fate, Task, World

#: Of the start calls, the part that may be refused for want of a place; and how many on
#: top for each life, since a new process has to learn how many places there are.
REFUSED, LEARNING = 0.03, 20

#: Status requests, and tasks looked at in them, that an encode may cost on the average.
REQUESTS, LOOKS = 12, 40


def broken(
    world: World, ledger: Path, items: int, counts: Mapping[State, int], lives: int
) -> list[str]:
    """A sentence for each invariant that does not hold; none after a good night."""
    with closing(sqlite3.connect(ledger)) as database:
        return [
            *_settled(items, counts),
            *_begun_once(world, items),
            *_as_planned(world, database),
            *_on_record(database, counts),
            *_cheap(world, lives),
        ]


def _settled(items: int, counts: Mapping[State, int]) -> Iterator[str]:
    if sum(counts.values()) != items or not SETTLED.issuperset(counts):
        yield f"not every item has settled: {dict(counts)}"


def _begun_once(world: World, items: int) -> Iterator[str]:
    """An encode is begun again only where the one before is void."""
    begun = [task for task in world.tasks.values() if not task.copy]
    good = Counter(task.source for task in begun if not _is_void(world, task))
    if twice := [source for source, count in good.items() if count > 1]:
        yield f"{len(twice)} sources have more than one encode that is good: {twice[:5]}"
    if missing := items - len({task.source for task in begun}):
        yield f"{missing} items never reached the service"
    if idle := [task.token for task in world.alive if task.fate is not Fate.SILENT]:
        yield f"{len(idle)} encodes go on that nobody waits for: {idle[:5]}"


def _is_void(world: World, task: Task) -> bool:
    """Also where the copy that the service made of it is void."""
    copy = world.tasks.get(task.replaced_by or "")
    return task.is_void or (copy is not None and copy.is_void)


def _as_planned(world: World, database: sqlite3.Connection) -> Iterator[str]:
    """Completed is what the service's books call done, failed what they call failed."""
    last = {task.token: task.fate for task in world.tasks.values() if not task.forgotten}
    wanted = {"completed": {Fate.DONE}, "failed": {Fate.FAILS}}
    rows = database.execute(
        "SELECT items.key, items.state, items.error_class, attempts.task FROM items LEFT JOIN "
        "attempts ON attempts.item_id = items.id AND attempts.number = items.attempts"
    )
    odd = [row for row in rows if last.get(row[3]) not in wanted.get(row[1], ())]
    if odd:
        yield f"{len(odd)} items ended as the service's books don't have it: {odd[:3]}"


def _on_record(database: sqlite3.Connection, counts: Mapping[State, int]) -> Iterator[str]:
    if (said := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        yield f"the ledger is damaged: {said}"
    rows = dict(database.execute("SELECT state, count(*) FROM items GROUP BY state"))
    if rows != {str(state): count for state, count in counts.items()}:
        yield f"the ledger says {rows}, the run {dict(counts)}"
    unsaid = database.execute(
        "SELECT count(*) FROM attempts JOIN items ON items.id = attempts.item_id "
        "WHERE attempts.number < items.attempts AND attempts.error_class IS NULL"
    ).fetchone()[0]
    if unsaid:
        yield f"{unsaid} attempts were given up without a reason on record"


def _cheap(world: World, lives: int) -> Iterator[str]:
    encodes, starts = len(world.tasks), world.calls["start"]
    if world.refused > LEARNING * lives + REFUSED * starts:
        yield f"{world.refused} of {starts} starts were refused"
    if (requests := world.calls["report"]) > REQUESTS * encodes:
        yield f"{requests} status requests for {encodes} encodes"
    if world.looks > LOOKS * encodes:
        yield f"{world.looks} looks at {encodes} encodes"
