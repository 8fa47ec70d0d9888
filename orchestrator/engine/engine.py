"""The engine: moves items through the stages until nothing is left to do."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup

from orchestrator.engine.collect import CollectStage
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.limits import Limits, Patience
from orchestrator.engine.policy import RetryPolicy
from orchestrator.engine.queue import StageQueue
from orchestrator.engine.recovery import left_in_flight, summary
from orchestrator.engine.setback import Setbacks
from orchestrator.engine.start import StartStage
from orchestrator.engine.upload import UploadStage
from orchestrator.engine.watch import Poller
from orchestrator.engine.work import Work
from orchestrator.model.errors import OrchestratorError
from orchestrator.model.ports import (
    Clock,
    Collector,
    Ledger,
    Observer,
    Recipe,
    Service,
    Sources,
    Uploader,
)
from orchestrator.model.states import State

#: Items read from the ledger at a time: at least this many.
PAGE = 64


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is built from."""

    service: Service
    uploader: Uploader
    sources: Sources
    collector: Collector
    recipe: Recipe
    ledger: Ledger
    observer: Observer
    clock: Clock


class Engine:
    """One run over the ledger's items at one service."""

    def __init__(
        self, parts: Parts, limits: Limits, patience: Patience, at_most: int | None = None
    ) -> None:
        """``at_most`` bounds how many pending items this run takes up; None: all."""
        self._parts = parts
        self._limits = limits
        self._left = math.inf if at_most is None else at_most
        observer, clock, ledger = parts.observer, parts.clock, parts.ledger
        journal = Journal(ledger, observer)
        self._gate = AdmissionGate(clock, patience, limits.in_flight, observer.note)
        self._setbacks = Setbacks(RetryPolicy(patience), self._gate, journal, clock)
        self._upload = UploadStage(
            parts.service, parts.uploader, parts.sources, self._gate, journal, observer, clock
        )
        self._start = StartStage(parts.service, parts.recipe, self._gate, journal)
        self._collect = CollectStage(parts.collector, ledger, journal, observer, clock)
        self._poller = Poller(
            parts.service,
            self._gate,
            journal,
            observer,
            clock,
            patience,
            done=self._encoded,
            fault=self._faulted,
        )
        self._uploads, self._starts, self._collects = (StageQueue(clock) for _ in range(3))
        self._works: dict[int, Work] = {}
        self._settled = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._fatal: Exception | None = None
        self.drained = False

    async def run(self) -> None:
        """Work until nothing is left to do, or until ``drain``.

        Raises what stops a run: ``AccountProblem``, ``LedgerProblem``, or
        ``Unreachable`` after long enough. Every item stays resumable then.
        """
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if not self.drained:
                await self._recover()
                for count, serve in self._stages():
                    for _ in range(count):
                        tasks.start_soon(serve)
                tasks.start_soon(self._poll)
                await self._feed()
            tasks.cancel_scope.cancel()
        if self._fatal is not None:
            raise self._fatal

    def drain(self) -> None:
        """End soon: no new starts, uploads stop where they can be resumed."""
        self.drained = True
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    # --- stages ---------------------------------------------------------------

    def _stages(self) -> list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]]:
        limits = self._limits
        ahead = limits.upload_ahead

        async def upload() -> None:
            await self._serve(
                self._uploads,
                self._upload,
                self._uploaded,
                lambda: self._starts.shorter_than(ahead),
            )

        async def start() -> None:
            await self._serve(self._starts, self._start, self._started, self._gate.room)

        async def collect() -> None:
            await self._serve(self._collects, self._collect, self._release, _at_once)

        return [(limits.uploads, upload), (limits.starts, start), (limits.collects, collect)]

    async def _serve(
        self,
        queue: StageQueue,
        step: Callable[[Work], Awaitable[None]],
        onward: Callable[[Work], None],
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        """One worker of a stage: the best item that is ready now, again and again."""
        while True:
            await ready()
            work = await queue.get()
            try:
                await step(work)
            except Exception as error:  # noqa: BLE001 - one item's trouble must not end the others
                await self._setback(work, error, queue)
            else:
                work.next_step()
                onward(work)

    async def _setback(self, work: Work, error: Exception, queue: StageQueue | None) -> None:
        try:
            delay = await self._setbacks.take(work, error)
        except Exception as fatal:  # noqa: BLE001 - run() raises it when all is quiet
            self._stop(fatal)
            return
        if work.holds_slot and work.item.state is not State.ENCODING:
            self._free_slot(work)
        if delay is not None and queue is not None:
            queue.put(work, delay)
        else:
            self._release(work)

    async def _poll(self) -> None:
        try:
            await self._poller.run()
        except* OrchestratorError as errors:
            self._stop(errors.exceptions[0])

    # --- from stage to stage --------------------------------------------------

    def _uploaded(self, work: Work) -> None:
        self._starts.put(work)

    def _started(self, work: Work) -> None:
        self._poller.watch(work)

    def _encoded(self, work: Work) -> None:
        self._free_slot(work)
        work.next_step()
        self._collects.put(work)

    def _faulted(self, work: Work, error: Exception) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(self._setback, work, error, None)

    def _free_slot(self, work: Work) -> None:
        if work.holds_slot:
            work.holds_slot = False
            self._gate.free_slot()

    def _release(self, work: Work) -> None:
        """The engine is done with this work."""
        self._free_slot(work)
        self._works.pop(work.item.id, None)
        if not self._works or work.item.state is State.PENDING:
            self._settled.set()

    def _stop(self, error: Exception) -> None:
        self._fatal = self._fatal or error
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    # --- taking up ------------------------------------------------------------

    async def _recover(self) -> None:
        found: Counter[State] = Counter()
        entry = {
            State.UPLOADING: self._uploads.put,
            State.UPLOADED: self._starts.put,
            State.STARTING: self._starts.put,
            State.ENCODING: self._reattach,
            State.COLLECTING: self._collects.put,
        }
        ledger, service = self._parts.ledger, self._parts.service.name
        async for work in left_in_flight(ledger, service, found):
            self._works[work.item.id] = work
            entry[work.item.state](work)
        if line := summary(found):
            self._parts.observer.note(line)

    def _reattach(self, work: Work) -> None:
        self._gate.count_in()
        work.holds_slot = True
        self._poller.watch(work)

    async def _feed(self) -> None:
        """Take up pending items by priority, page by page, until none is left."""
        page = max(PAGE, 4 * self._limits.uploads)
        while True:
            self._settled = anyio.Event()
            taken = await self._take_up(int(min(page, self._left)))
            if taken:
                await self._uploads.shorter_than(page // 2)
                continue
            due = None if self._left <= 0 else await self._parts.ledger.next_due()
            if due is None and not self._works:
                return
            wait = None if due is None else max(0.0, due - self._parts.clock.now())
            with anyio.move_on_after(wait):
                await self._settled.wait()

    async def _take_up(self, room: int) -> int:
        if room <= 0:
            return 0
        taken = [work.item.id for work in self._works.values() if _pending_on_disk(work)]
        items = await self._parts.ledger.pending(room, taken)
        for item in items:
            work = self._works[item.id] = Work(item)
            self._uploads.put(work)
        self._left -= len(items)
        return len(items)


def _pending_on_disk(work: Work) -> bool:
    """Whether the ledger may still call it pending: a jotted step is on its way there."""
    return work.item.state in (State.PENDING, State.UPLOADED)


async def _at_once() -> None:
    """A stage that need not wait for room behind it."""
