"""The engine: moves items through the stages until nothing is left to do."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from orchestrator.engine.collect import CollectStage
from orchestrator.engine.crew import Crew, Stage
from orchestrator.engine.disk import DiskGuard
from orchestrator.engine.entrance import Entrance
from orchestrator.engine.feed import Admission, Feeder
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.lead import Lead
from orchestrator.engine.limits import Limits, Patience
from orchestrator.engine.parts import Parts
from orchestrator.engine.policy import RetryPolicy
from orchestrator.engine.queue import StageQueue
from orchestrator.engine.recovery import left_in_flight, summary
from orchestrator.engine.setback import Setbacks
from orchestrator.engine.start import StartStage
from orchestrator.engine.upload import UploadStage
from orchestrator.engine.vacancy import Vacancy
from orchestrator.engine.watch import Poller
from orchestrator.engine.work import Work
from orchestrator.model.errors import OrchestratorError
from orchestrator.model.items import Item
from orchestrator.model.states import State

_PAUSED = "paused"

#: Work in one of these has cost the service nothing yet, and goes on from the ledger.
_NOT_SENT = frozenset({State.PENDING, State.UPLOADING, State.UPLOADED, State.STARTING})


class Engine:
    """One run over the ledger's items at one service."""

    def __init__(
        self,
        parts: Parts,
        limits: Limits,
        patience: Patience,
        *,
        at_most: int | None = None,
        follow: bool = False,
        admission: Admission | None = None,
    ) -> None:
        """``at_most`` bounds how many pending items this run takes up; None: all.

        With ``follow`` the run goes on when nothing is left, until it is closed or
        drained. ``admission`` is asked before an item is begun.
        """
        self._parts = parts
        self._limits = limits
        self._works: dict[int, Work] = {}
        self._tasks: TaskGroup | None = None
        self._fatal: Exception | None = None
        self._admission = admission
        self.drained = False
        #: Why nothing new is begun any more; "" while it is.
        self.closed = ""
        observer, clock, ledger = parts.observer, parts.clock, parts.ledger
        self._queues = [StageQueue(clock) for _ in range(3)]
        self._uploads, self._starts, self._collects = self._queues
        self._lead = Lead(self._uploads, self._starts, limits.upload_ahead)
        self.entrance = Entrance(lambda: len(self._starts))
        journal = Journal(ledger, observer)
        self._gate = AdmissionGate(
            clock, patience, limits.in_flight, observer.note, limits.starts_per_second
        )
        self._setbacks = Setbacks(RetryPolicy(patience), self._gate, journal, clock)
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
        self._crews = self._hire(journal, patience, admission)
        self._feeder = Feeder(
            ledger,
            clock,
            self._uploads,
            self._works,
            self._take_up,
            self.full,
            admission=admission,
            page=16 * limits.uploads,
            at_most=at_most,
            follow=follow,
        )

    async def run(self) -> None:
        """Work until nothing is left to do, or until ``drain``, or ``close``.

        Raises what stops a run: ``AccountProblem``, ``LedgerProblem``, or
        ``Unreachable`` after long enough. Every item stays resumable then.
        """
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if not self.drained:
                await self._recover()
                for crew in self._crews.values():
                    crew.begin(tasks)
                tasks.start_soon(self._poll)
                await self._feeder.run()
            tasks.cancel_scope.cancel()
        if self._fatal is not None:
            raise self._fatal

    # --- what may be asked of it while it runs ----------------------------------

    def drain(self) -> None:
        """End soon: no new starts, uploads stop where they can be resumed."""
        self.drained = True
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    def full(self, reason: str) -> None:
        """Take nothing more up; what was taken up is done."""
        self.closed = self.closed or reason
        self._feeder.shut()

    def close(self, reason: str) -> None:
        """Begin nothing new; the run ends when what the service has is done and collected."""
        self.full(reason)
        for work in list(self._works.values()):
            if work.item.state in _NOT_SENT and not work.sending:
                self._drop(work)

    def pause(self) -> None:
        """Begin nothing new until ``resume``; what is under way goes on."""
        self.entrance.shut(_PAUSED)

    def resume(self) -> None:
        """Go on after ``pause``."""
        self.entrance.open(_PAUSED)

    def cancel(self, ids: Collection[int]) -> None:
        """Do no more for these items, which the ledger has as cancelled."""
        for number in ids:
            if work := self._works.get(number):
                if self._admission is not None:
                    self._admission.release(work.item)
                self._drop(work)

    def reordered(self, turns: Mapping[int, tuple[int, float]]) -> None:
        """These items have another priority and rank now."""
        items: dict[int, Item] = {}
        for number, (priority, rank) in turns.items():
            if work := self._works.get(number):
                work.item = items[number] = replace(work.item, priority=priority, rank=rank)
        for queue in self._queues:
            queue.reorder(items)
        self._lead.look()
        self.look_again()

    def look_again(self) -> None:
        """Something may be pending that was not, or that is more urgent than it was."""
        self._feeder.look_again()

    def set_limits(
        self,
        *,
        in_flight: int | None = None,
        uploads: int | None = None,
        starts_per_second: float | None = None,
    ) -> None:
        """Change what is given; nothing that is under way is stopped."""
        if in_flight is not None:
            self._gate.set_most(in_flight)
        if starts_per_second is not None:
            self._gate.set_starts_per_second(starts_per_second)
        if uploads is not None:
            self._crews["upload"].resize(uploads)

    def hint(self, task: str) -> None:
        """There may be news of this task at the service: have a look."""
        self._poller.hint(task)

    # --- among several ----------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand."""
        return not self._works

    @property
    def fresh(self) -> Collection[int]:
        """Items that it has taken up, and that the ledger may still call pending."""
        return self._feeder.fresh

    def vacancy(self) -> Vacancy:
        """What it could begin soon."""
        waiting = self._uploads.ready
        return Vacancy(
            room=self._crews["upload"].size - waiting if self._lead.left else 0,
            places=self._gate.window - self._gate.in_flight - self._starts.ready - waiting,
            waiting=waiting,
            hands=self._uploads.takers - waiting,
            trouble=self._gate.trouble,
            again=self._gate.opens_in,
        )

    def when_turned(self, call: Callable[[], None]) -> None:
        """Have ``call`` called when the service becomes busy, or takes requests again."""
        self._gate.when_turned = call

    async def give_back(
        self,
        reason: str,
        *,
        most: int | None = None,
        prepared: bool = False,
        uploaded: bool = False,
    ) -> list[int]:
        """Let go, for another service, of what was not begun; the items' numbers.

        ``most`` of it, what came last; ``prepared`` and ``uploaded``: ``Work.can_move``.
        """
        works = self._works.values()
        going = [each for each in works if each.can_move(prepared=prepared, uploaded=uploaded)]
        going = going if most is None else going[-most:]
        for work in going:
            self._withdraw(work)
        for work in going:
            if self._admission is not None:
                self._admission.release(work.item)
            await self._setbacks.let_go(work, reason)
            self._release(work)
        return [work.item.id for work in going]

    # --- stages ---------------------------------------------------------------

    def _hire(
        self, journal: Journal, patience: Patience, admission: Admission | None
    ) -> dict[str, Crew]:
        parts, limits = self._parts, self._limits
        service, clock, observer = parts.service, parts.clock, parts.observer
        upload = UploadStage(
            service, parts.uploader, parts.sources, self._gate, journal, observer, clock
        )
        start = StartStage(service, parts.recipe, self._gate, journal, clock, patience.settle)
        disk = None
        if parts.room is not None:
            starts, away = self.entrance.starts, patience.unreachable_for
            disk = DiskGuard(parts.room, clock, away, observer.note, starts)
        cost = admission.cost if admission else None
        collect = CollectStage(
            parts.collector, parts.ledger, journal, observer, clock, parts.verifier, disk, cost
        )
        setback = self._setback
        return {
            "upload": Crew(
                Stage(
                    self._uploads,
                    self._may_upload,
                    lambda: not self.entrance.reasons,
                    upload,
                    self._uploaded,
                    setback,
                ),
                limits.uploads,
            ),
            "start": Crew(
                Stage(
                    self._starts,
                    self._may_start,
                    lambda: not self.entrance.reasons and self._gate.has_room,
                    start,
                    self._started,
                    setback,
                ),
                limits.starts,
            ),
            "collect": Crew(
                Stage(self._collects, _at_once, lambda: True, collect, self._release, setback),
                limits.collects,
            ),
        }

    async def _may_upload(self) -> bool:
        """Uploads keep a bounded lead, but what is most urgent need not wait for it."""
        self._feeder.hungry()
        probe = await self.entrance.uploads.passed()
        await self._lead.wait()
        return probe

    async def _may_start(self) -> bool:
        probe = await self.entrance.starts.passed()
        await self._gate.room()
        return probe

    async def _setback(self, work: Work, error: Exception, queue: StageQueue | None) -> None:
        if work.dropped:
            return
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

    def _take_up(self, item: Item) -> None:
        work = self._works[item.id] = Work(item)
        self._uploads.put(work)
        self._lead.look()

    def _uploaded(self, work: Work) -> None:
        self._starts.put(work)

    def _started(self, work: Work) -> None:
        self._feeder.on_its_way(work.item.id)
        self._lead.look()
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

    def _drop(self, work: Work) -> None:
        self._withdraw(work)
        self._release(work)

    def _withdraw(self, work: Work) -> None:
        work.drop()
        for queue in self._queues:
            queue.remove(work.item.id)

    def _release(self, work: Work) -> None:
        """The engine is done with this work."""
        self._free_slot(work)
        self._works.pop(work.item.id, None)
        self._feeder.on_its_way(work.item.id)
        self._lead.look()
        if not self._works or work.item.state is State.PENDING:
            self._feeder.stir()

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
        self._poller.watch(work, fresh=False)


async def _at_once() -> bool:
    """A stage that need not wait for anything."""
    return False
