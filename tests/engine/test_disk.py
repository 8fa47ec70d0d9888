"""A full disk: the run waits, says so, goes on by itself, and ends resumable after long enough."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from orchestrator.engine.disk import FULL, LOOK_EVERY, SAY_EVERY, SHUT_AFTER, DiskGuard
from orchestrator.engine.valve import Valve
from orchestrator.model.errors import DiskFull, NoRoom, OutputMissing
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Shortage
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime

HOUR = 3600.0


def item(number: int = 1) -> Item:
    return Item(number, f"key {number}", State.COLLECTING, "/a.mp4")


@dataclass
class Fake:
    """Room, a guard over it, and what is heard of both."""

    free: int = 0
    held: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    starts: Valve = field(default_factory=Valve)
    guard: DiskGuard = field(init=False)
    quota: bool = False

    def __post_init__(self) -> None:
        self.guard = DiskGuard(self, LoopClock(), HOUR, self.notes.append, self.starts)

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        if self.free < item.id:
            return Shortage("/out", self.free, 1_500_000_000)
        self.held.add(item.id)
        return None

    def let_go(self, item: Item) -> None:
        self.held.discard(item.id)

    async def fetch(self, number: int = 1, seconds: float = 1.0) -> str:
        async def step() -> str:
            assert number in self.held
            await anyio.sleep(seconds)
            if self.quota:
                raise DiskFull("/out/a.mp4 can't be written: quota")
            return "fetched"

        return await self.guard.fetch(item(number), (), step)


@asynccontextmanager
async def going_on(call: Callable[[], object]) -> AsyncIterator[list[object]]:
    """Run ``call`` beside the block; the list gets its answer. Cancelled at the end."""
    answers: list[object] = []

    async def run() -> None:
        answers.append(await call())  # type: ignore[misc]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield answers
        tasks.cancel_scope.cancel()


async def test_with_room_nothing_is_said() -> None:
    fake = Fake(free=1)
    assert await fake.fetch() == "fetched"
    assert fake.notes == []
    assert fake.held == set()


async def test_without_room_it_waits_and_goes_on_by_itself() -> None:
    fake = Fake()
    async with going_on(fake.fetch) as answers:
        await anyio.sleep(60)
        assert answers == []
        (note,) = fake.notes
        assert "No room for outputs in /out: 0 bytes free, 1.5 GB needed" in note
        fake.free = 1
        await anyio.sleep(LOOK_EVERY + 1)
        assert answers == ["fetched"]
        assert fake.notes[1:] == ["There is room for outputs again: collecting goes on."]
        assert fake.held == set()


async def test_it_is_said_again_every_ten_minutes_whoever_waits() -> None:
    fake = Fake()
    async with going_on(fake.fetch), going_on(lambda: fake.fetch(2)):
        await anyio.sleep(2 * SAY_EVERY + LOOK_EVERY)
        assert len(fake.notes) == 3


async def test_no_new_encodes_start_after_some_minutes() -> None:
    fake = Fake()
    async with going_on(fake.fetch):
        await anyio.sleep(SHUT_AFTER - LOOK_EVERY)
        assert fake.starts.reasons == ()
        await anyio.sleep(2 * LOOK_EVERY)
        assert fake.starts.reasons == (FULL,)
        fake.free = 1
        await anyio.sleep(LOOK_EVERY + 1)
        assert fake.starts.reasons == ()


async def test_after_an_hour_the_run_ends() -> None:
    fake = Fake()
    began = anyio.current_time()
    with pytest.raises(NoRoom, match=r"No room .*/out.*Nothing could be collected for an hour"):
        await fake.fetch()
    assert anyio.current_time() - began == pytest.approx(HOUR, abs=LOOK_EVERY)


async def test_a_quota_that_no_look_can_see_is_waited_for_too() -> None:
    fake = Fake(free=1, quota=True)
    async with going_on(fake.fetch) as answers:
        await anyio.sleep(60)
        assert answers == []
        assert len(fake.notes) == 1
        assert "quota" in fake.notes[0]
        fake.quota = False
        await anyio.sleep(2 * LOOK_EVERY)
        assert answers == ["fetched"]


async def test_a_quota_ends_the_run_after_an_hour_too() -> None:
    fake = Fake(free=1, quota=True)
    with pytest.raises(NoRoom, match="quota"):
        await fake.fetch()


async def test_what_fits_goes_past_what_does_not() -> None:
    fake = Fake(free=1)
    async with going_on(lambda: fake.fetch(2)) as large:
        for _ in range(100):
            assert await fake.fetch(1, seconds=60) == "fetched"
        assert large == []  # after 100 minutes it still waits, and the run still works
        assert fake.starts.reasons == ()
        assert len(fake.notes) <= 11
        fake.free = 2
        await anyio.sleep(LOOK_EVERY + 2)
        assert large == ["fetched"]


async def test_a_long_download_under_way_keeps_the_run_going() -> None:
    fake = Fake(free=1)
    async with (
        going_on(lambda: fake.fetch(1, seconds=2 * HOUR)) as long,
        going_on(lambda: fake.fetch(2)),
    ):
        await anyio.sleep(2 * HOUR + 1)
        assert long == ["fetched"]
        assert fake.starts.reasons == ()


async def test_other_errors_are_not_its_business() -> None:
    async def step() -> None:
        raise OutputMissing("gone")

    fake = Fake(free=1)
    with pytest.raises(OutputMissing):
        await fake.guard.fetch(item(), (), step)
    assert fake.held == set()
    assert fake.notes == []


async def test_a_wait_that_is_over_does_not_count_for_the_next_one() -> None:
    async def step() -> None:
        raise OutputMissing("gone")

    fake = Fake()
    with anyio.move_on_after(60):
        await fake.fetch()
    fake.free = 1
    with pytest.raises(OutputMissing):
        await fake.guard.fetch(item(), (), step)
    await anyio.sleep(2 * HOUR)
    fake.free = 0
    with anyio.move_on_after(60) as scope:
        await fake.fetch()
    assert scope.cancelled_caught


async def test_cancelled_while_it_waits() -> None:
    fake = Fake()
    with anyio.move_on_after(5):
        await fake.fetch()
    fake.free = 1
    assert await fake.fetch() == "fetched"
    assert fake.held == set()
