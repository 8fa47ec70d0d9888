"""A run's hours."""

import anyio
import pytest

from orchestrator.engine.closing import Closing, Hours, until
from orchestrator.engine.valve import Valve
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


class WallClock(LoopClock):
    """A clock that somebody sets while the run goes on."""

    set_by = 0.0

    def now(self) -> float:
        return super().now() + self.set_by


class Kept:
    """What a closing did, and when."""

    def __init__(self, opens: float | None, closes: float | None) -> None:
        self.clock = WallClock()
        self.began = self.clock.now()
        hours = Hours(
            opens_at=None if opens is None else self.began + opens,
            closes_at=None if closes is None else self.began + closes,
            early="waits until 22:00",
            late="the window closed",
        )
        self.valve = Valve()
        self.notes: list[str] = []
        self.closed: list[tuple[str, float]] = []
        self.closing = Closing(hours, self.clock, self.valve, self._close, self.notes.append)

    def _close(self, reason: str) -> None:
        self.closed.append((reason, self.clock.now() - self.began))


async def test_it_closes_when_its_time_is_over() -> None:
    kept = Kept(None, 3600)
    await kept.closing.run()
    assert kept.closed == [("the window closed", pytest.approx(3600))]
    assert kept.notes == []


async def test_nothing_begins_before_it_opens() -> None:
    kept = Kept(7200, 10000)
    assert kept.valve.reasons  # before the first worker could pass
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kept.closing.run)
        await kept.valve.passed()
        assert kept.clock.now() - kept.began == pytest.approx(7200)
    assert kept.notes == ["waits until 22:00"]
    assert kept.closed[0][1] == pytest.approx(10000)


async def test_without_hours_it_does_nothing() -> None:
    kept = Kept(None, None)
    await kept.closing.run()
    assert (kept.closed, kept.notes, kept.valve.reasons) == ([], [], ())


async def test_an_opening_that_is_over_is_no_wait() -> None:
    kept = Kept(0, None)
    await kept.closing.run()
    assert kept.notes == []


@pytest.mark.parametrize("jump", [5000.0, -5000.0])
async def test_a_clock_that_is_set_is_noticed_within_a_minute(jump: float) -> None:
    clock = WallClock()
    began = anyio.current_time()
    moment = clock.now() + 36000

    async def is_set() -> None:
        await anyio.sleep(1000)
        clock.set_by = jump

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(is_set)
        await until(moment, clock)
    assert 36000 - jump <= anyio.current_time() - began <= 36060 - jump
