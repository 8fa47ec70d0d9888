"""The start stage: a start that has left is followed to its end, whoever cancels it."""

import anyio
import pytest

from orchestrator.engine.crew import Crew, Stage
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.queue import StageQueue
from orchestrator.engine.start import StartStage
from orchestrator.engine.work import Work
from orchestrator.model.items import Attempt, Change, Item
from orchestrator.model.states import State
from tests.engine.house import PATIENCE
from tests.engine.simulated import LoopClock, PlainRecipe, Recorder, SimulatedService

pytestmark = pytest.mark.looptime

ATTEMPT = Attempt(1, "simulated", "v1", "d")


class Slow:
    """A ledger that has each step on disk after a second."""

    def __init__(self) -> None:
        self.states: list[State] = []

    async def post(self, change: Change) -> None:
        await anyio.sleep(1)
        self.states.append(change.item.state)


@pytest.mark.parametrize("left_for", [0.5, 3, 6.5])
@pytest.mark.parametrize("by", ["who drops the work", "who ends the run"])
async def test_a_start_that_has_left_is_followed_to_its_end(by: str, left_for: float) -> None:
    clock, ledger, service = LoopClock(), Slow(), SimulatedService(latency=5)
    attempt = await service.prepare(ATTEMPT)
    work = Work(Item(1, "a", State.UPLOADED, "http://h/a", attempts=1, attempt=attempt))
    queue, gate = StageQueue(clock), AdmissionGate(clock, PATIENCE, 1, print)
    stage = StartStage(service, PlainRecipe(), gate, Journal(ledger, Recorder()), clock, 30)
    onward: list[Work] = []

    async def ready() -> bool:
        return False

    async def setback(work: Work, error: Exception, queue: StageQueue) -> None:
        raise error

    async with anyio.create_task_group() as tasks:
        Crew(Stage(queue, ready, lambda: True, stage, onward.append, setback), 1).begin(tasks)
        queue.put(work)
        await anyio.sleep(left_for)
        if by == "who drops the work":
            work.drop()
            await anyio.sleep(20)
        tasks.cancel_scope.cancel()
    assert ledger.states == [State.STARTING, State.ENCODING]
    assert service.starts.total() == 1
    assert (onward == []) is work.dropped
