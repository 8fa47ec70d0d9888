"""The collect stage over a real ledger: verified before completed, on record before failed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.engine.collect import CollectStage
from orchestrator.engine.disk import DiskGuard
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.policy import RetryPolicy
from orchestrator.engine.setback import Setbacks
from orchestrator.engine.valve import Valve
from orchestrator.engine.work import Work
from orchestrator.ledger import SqlLedger
from orchestrator.model.errors import DiskFull, VerificationFailed
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import Shortage, Verifier
from orchestrator.model.states import State
from tests.engine.house import PATIENCE, House
from tests.engine.simulated import LoopClock, SimulatedCollector, SimulatedVerifier
from tests.services.contract_verifier import VerifierContract

pytestmark = pytest.mark.looptime

REPORTED = (Output("video-0-0", "video", "/out/a.mp4", size=1000),)


@dataclass
class Endless:
    """A disk with room for everything."""

    async def hold(self, item: Item, outputs: object) -> Shortage | None:
        return None

    def let_go(self, item: Item) -> None: ...


@dataclass
class Bench:
    """The stage, its surroundings, and an item that it may take."""

    ledger: SqlLedger
    house: House
    work: Work
    collector: SimulatedCollector = field(default_factory=SimulatedCollector)
    verifier: SimulatedVerifier = field(default_factory=SimulatedVerifier)

    async def collect(self) -> None:
        clock, seen = LoopClock(), self.house.seen
        journal = Journal(self.ledger, seen)
        disk = DiskGuard(Endless(), clock, 3600, seen.note, Valve())
        stage = CollectStage(self.collector, self.ledger, journal, seen, clock, self.verifier, disk)
        gate = AdmissionGate(clock, PATIENCE, 1, seen.note)
        try:
            await stage(self.work)
        except Exception as error:
            await Setbacks(RetryPolicy(PATIENCE), gate, journal, clock).take(self.work, error)
            raise


@asynccontextmanager
async def bench(house: House) -> AsyncIterator[Bench]:
    async with house.ledger() as ledger:
        (item,) = await ledger.pending(1, ())
        journal = Journal(ledger, house.seen)
        attempt = Attempt(1, "simulated", "v1", "digest", task="task", remote_source="tus:1")
        item = journal.jot(item, item.to(State.UPLOADED, attempts=1, attempt=attempt))
        for state in (State.STARTING, State.ENCODING):
            item = journal.jot(item, item.to(state))
        item = await journal.move(item, item.to(State.COLLECTING), outputs=REPORTED)
        yield Bench(ledger, house, Work(item))


async def test_verified_then_completed(house: Callable[..., House]) -> None:
    async with bench(house(1)) as on:
        on.verifier.notes = ("video-0-0: not sure",)
        await on.collect()
        assert on.work.item.state is State.COMPLETED
        assert on.verifier.verified == {on.work.item.key: 1}
        assert [each.path for each in await on.ledger.outputs(on.work.item)] == [
            f"/collected/{on.work.item.key}"
        ]


async def test_outputs_that_stay_where_they_are_stay_on_record(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave(_item: Item, outputs: tuple[Output, ...], _got: object) -> tuple[Output, ...]:
        return tuple(outputs)

    async with bench(house(1)) as on:
        monkeypatch.setattr(on.collector, "collect", leave)
        await on.collect()
        assert on.work.item.state is State.COMPLETED
        assert await on.ledger.outputs(on.work.item) == REPORTED


async def test_a_failure_leaves_what_was_collected_on_record(house: Callable[..., House]) -> None:
    async with bench(house(1)) as on:
        path = f"/collected/{on.work.item.key}"
        on.verifier.wrong.add(path)
        with pytest.raises(VerificationFailed):
            await on.collect()
        item = on.work.item
        assert (item.state, item.error_class) == (State.FAILED, "verification_failed")
        assert path in (item.error or "")
        (output,) = await on.ledger.outputs(item)
        assert output.path == path
        assert dict(await on.ledger.counts()) == {State.FAILED: 1}


async def test_what_a_crash_left_is_verified_too(house: Callable[..., House]) -> None:
    async with bench(house(1)) as on:
        assert on.work.outputs is None  # as after a restart: the ledger has them
        await on.collect()
        assert on.verifier.verified == {on.work.item.key: 1}


async def test_a_full_disk_costs_no_try(house: Callable[..., House]) -> None:
    async with bench(house(1)) as on:
        on.collector.trouble.plan("collect", DiskFull("full"), times=20)
        await on.collect()
        assert on.work.item.state is State.COMPLETED
        assert on.house.seen.notes[0].startswith("full. Collecting waits")


class TestContract(VerifierContract):
    @pytest.fixture
    def good(self, tmp_path: Path) -> Output:
        (tmp_path / "a").write_bytes(b"good")
        return replace(REPORTED[0], path=str(tmp_path / "a"))

    @pytest.fixture
    def bad(self, tmp_path: Path) -> Output:
        (tmp_path / "b").write_bytes(b"bad")
        return replace(REPORTED[0], path=str(tmp_path / "b"))

    @pytest.fixture
    def verifier(self, bad: Output) -> Verifier:
        verifier = SimulatedVerifier()
        verifier.wrong.add(str(bad.path))
        return verifier
