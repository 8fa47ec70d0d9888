"""The product's own way with a busy account: its admission gate, its workers and its poller."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from benchmarks.admission.account import HIGHEST, LATENCY, Account
from benchmarks.polling import PATIENCE, PERCENT, Bystander, poller, said
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.limits import Limits
from orchestrator.engine.work import Work
from orchestrator.model.errors import Busy
from orchestrator.model.items import Attempt, Item
from orchestrator.model.ports import TaskReport
from orchestrator.model.states import State
from tests.simulation.clock import LoopClock


class _Site(Bystander):
    """The account as a service."""

    def __init__(self) -> None:
        #: How much of each encode is done.
        self.parts: dict[str, Callable[[], float]] = {}

    async def report(
        self, tasks: Sequence[str], _status_url: str | None
    ) -> Mapping[str, TaskReport]:
        await asyncio.sleep(LATENCY / 2)
        now = asyncio.get_running_loop().time()
        reports = {
            task: TaskReport(task, *said(PERCENT, int(task), self.parts[task](), now))
            for task in tasks
        }
        await asyncio.sleep(LATENCY / 2)
        return reports


class _Run:
    """Starts as the engine's start stage does, and follows what was taken."""

    def __init__(self, account: Account, waiting: list[float]) -> None:
        self._account, self._waiting = account, waiting
        self._site = _Site()
        self._gate = AdmissionGate(LoopClock(), PATIENCE, HIGHEST, self._site.note)
        self._poller = poller(self._site, self._gate, self._done)
        self._taken = 0

    async def __call__(self) -> None:
        polling = asyncio.ensure_future(self._poller.run())
        try:
            await asyncio.gather(*(self._work() for _ in range(Limits().starts)))
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            await self._gate.room()
            if self._waiting:
                await self._start(self._waiting.pop())

    async def _start(self, duration: float) -> None:
        ticket = await self._gate.take_slot()
        try:
            part = await self._gate.call(lambda: self._account.start(duration), start=ticket)
        except Busy:
            self._gate.free_slot()
            self._waiting.append(duration)
            return
        self._taken += 1
        task = str(self._taken)
        self._site.parts[task] = part
        attempt = Attempt(1, "simulated", "", "", task=task)
        item = Item(self._taken, task, State.ENCODING, "/a.mp4", attempt=attempt)
        self._poller.watch(Work(item))

    def _done(self, work: Work) -> None:
        del self._site.parts[work.item.key]
        self._gate.free_slot()


async def gated(account: Account, waiting: list[float], _chance: random.Random) -> None:
    """Ours."""
    await _Run(account, waiting)()
