import anyio
import pytest

from orchestrator.engine.crew import Crew, Stage
from orchestrator.engine.queue import StageQueue
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


def work(number: int) -> Work:
    return Work(Item(number, f"item {number}", State.PENDING, f"/{number}"))


class Bench:
    """A stage whose step takes a second, and what came of each work."""

    def __init__(self, *, shielded: bool = False) -> None:
        self.queue = StageQueue(LoopClock())
        self.shielded = shielded
        self.at_once = self.most = 0
        self.done: list[int] = []
        self.failed: list[int] = []
        self.fail: set[int] = set()
        self.open = True

    def stage(self) -> Stage:
        async def ready() -> bool:
            return False

        async def setback(work: Work, error: Exception, queue: StageQueue) -> None:
            self.failed.append(work.item.id)

        def onward(work: Work) -> None:
            self.done.append(work.item.id)

        return Stage(self.queue, ready, lambda: self.open, self.step, onward, setback)

    async def step(self, work: Work) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            with anyio.CancelScope(shield=self.shielded):
                await anyio.sleep(1)
        finally:
            self.at_once -= 1
        if work.item.id in self.fail:
            raise ValueError("no")


async def test_an_error_is_one_items_own():
    bench = Bench()
    bench.fail = {2}
    async with anyio.create_task_group() as tasks:
        Crew(bench.stage(), 2).begin(tasks)
        for number in range(1, 5):
            bench.queue.put(work(number))
        await anyio.sleep(5)
        tasks.cancel_scope.cancel()
    assert sorted(bench.done) == [1, 3, 4]
    assert bench.failed == [2]


async def test_the_crew_grows_and_shrinks_while_it_works():
    bench = Bench()
    async with anyio.create_task_group() as tasks:
        crew = Crew(bench.stage(), 1)
        crew.begin(tasks)
        for number in range(1, 31):
            bench.queue.put(work(number))
        await anyio.sleep(2.5)
        assert bench.most == 1
        crew.resize(4)
        await anyio.sleep(2)
        assert bench.at_once == 4
        crew.resize(1)
        await anyio.sleep(1.1)
        assert bench.at_once == 1
        crew.resize(3)
        await anyio.sleep(30)
        tasks.cancel_scope.cancel()
    assert sorted(bench.done) == list(range(1, 31))


@pytest.mark.parametrize("shielded", [False, True])
async def test_dropped_work_is_left_and_the_worker_goes_on_with_the_next(shielded):
    bench = Bench(shielded=shielded)
    async with anyio.create_task_group() as tasks:
        Crew(bench.stage(), 1).begin(tasks)
        works = [work(number) for number in range(1, 6)]
        for each in works:
            bench.queue.put(each)
        await anyio.sleep(1.5)
        works[1].drop()  # under way
        works[3].drop()  # still waiting
        await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    assert bench.done == [1, 3, 5]
    assert bench.failed == []
