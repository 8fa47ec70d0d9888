"""What goes wrong on the machine that the engine runs on: its clock, its disk, its ledger."""

import contextlib
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.model.items import Item
from orchestrator.model.outcome import Ending
from orchestrator.model.states import State
from orchestrator.wiring.clock import SystemClock
from tests.endtoend.proxy import Exchange, ordinary
from tests.faults.place import Place

HOUR = 3600.0


class JumpingClock(SystemClock):
    """The machine's clock, whose wall time somebody sets; monotonic time goes on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    """The clock of the run, and of the session with the service."""
    clock = JumpingClock()
    monkeypatch.setattr("orchestrator.wiring.runs.SystemClock", lambda: clock)
    return clock


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
@pytest.mark.parametrize("at", ["uploading", "uploaded", "starting", "encoding", "collecting"])
async def test_a_clock_that_jumps(here: Place, clock: JumpingClock, at: str, jump: float) -> None:
    def seen(item: Item) -> None:
        if item.state == at:
            clock.ahead = jump

    await here.finishes(seen)
    assert clock.ahead == jump


async def test_an_item_that_waits_for_another_attempt_while_the_clock_goes_back(
    here: Place, clock: JumpingClock
) -> None:
    async def change(exchange: Exchange) -> bool:
        with here.files["large.mp4"].open("ab") as file:
            file.write(b"more")
        return await ordinary(exchange)

    def seen(item: Item) -> None:
        if item.state is State.PENDING:
            clock.ahead = -HOUR

    here.proxy.breaks("PATCH upload_file", ordinary, change)
    await here.finishes(seen, within=5.0)


# --- the ledger ----------------------------------------------------------------------


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """This process can write no file beyond ``size``, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("at", ["uploading", "uploaded", "starting", "encoding", "collecting"])
async def test_a_ledger_that_can_grow_no_more(here: Place, at: str) -> None:
    with contextlib.ExitStack() as full:

        def seen(item: Item) -> None:
            if item.state == at:
                log = here.ledger.with_name("job.db-wal")
                full.enter_context(files_no_larger_than(log.stat().st_size))

        outcome = await here.run(seen)
    assert outcome.ending is Ending.BROKEN
    assert str(here.ledger) in outcome.message
    assert "the disk" in outcome.message
    assert whole(here.ledger)
    await here.finishes()


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Another program writes to the ledger, and takes its time."""
    other = sqlite3.connect(ledger, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.mark.parametrize("at", ["uploading", "uploaded", "starting", "encoding", "collecting"])
async def test_a_ledger_that_another_program_locks(
    here: Place, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.ledger.sqlite.BUSY_WAIT", 0.05)
    with contextlib.ExitStack() as lock:
        held: list[str] = []

        def seen(item: Item) -> None:
            if item.state == at and not held:
                held.append(item.key)
                lock.enter_context(locked(here.ledger))

        outcome = await here.run(seen)
    assert outcome.ending is Ending.BROKEN
    assert "another program has it locked" in outcome.message
    assert whole(here.ledger)
    await here.finishes()


def whole(ledger: Path) -> bool:
    """Whether the ledger's file is in order."""
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone() == ("ok",))
