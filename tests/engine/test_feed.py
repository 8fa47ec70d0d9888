"""What the feeder asks the ledger, and when it says that nothing is left."""

import asyncio
from collections.abc import Collection

import pytest

from orchestrator.engine.feed import Feeder
from orchestrator.engine.queue import StageQueue
from orchestrator.model.items import Item
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


class SlowLedger:
    """One item that is due in a second; each question takes longer than that."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.item = Item(1, "a.mp4", State.PENDING, "/a.mp4", due_at=clock.now() + 1)

    async def pending(self, limit: int, skip: Collection[int]) -> list[Item]:
        due = self.item.due_at <= self._clock.now() and self.item.id not in skip
        await asyncio.sleep(2)
        return [self.item] if due and limit else []

    async def next_due(self, after: float) -> float | None:
        await asyncio.sleep(2)
        return self.item.due_at if self.item.due_at > after else None


async def test_what_becomes_due_between_two_questions_is_taken_up() -> None:
    clock = LoopClock()
    taken: list[Item] = []
    feeder = Feeder(
        SlowLedger(clock),  # type: ignore[arg-type]
        clock,
        StageQueue(clock),
        {},
        taken.append,
        lambda _reason: None,
        admission=None,
        page=1,
        at_most=None,
        follow=False,
    )
    async with asyncio.timeout(60):
        await feeder.run()
    assert [item.key for item in taken] == ["a.mp4"]
