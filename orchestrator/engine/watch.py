"""The watch stage: follows every encode to its end, many tasks in one request."""

from collections.abc import Callable, Mapping

import anyio

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.limits import Patience
from orchestrator.engine.pace import Pace
from orchestrator.engine.schedule import PollSchedule
from orchestrator.engine.silence import Silence
from orchestrator.engine.watched import Watched
from orchestrator.engine.work import Work
from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    EncodeFailed,
    LedgerProblem,
    OrchestratorError,
    TaskLost,
    TooLarge,
    Unreachable,
)
from orchestrator.model.ports import Clock, Observer, Phase, Service, TaskReport
from orchestrator.model.states import State

#: A task that the main endpoint does not know this many times in a row is lost.
LOST_AFTER = 4

#: Status requests under way at once.
REQUESTS = 4

#: How much longer the next pause is after a look that was not answered.
BACKOFF = 1.5


class Poller:
    """One for all encodes of a service. Polling is the truth.

    ``done`` gets work whose outputs are on record; ``fault`` gets work and the
    error that its task ended with. A look that fails is not an encode that
    failed: it is repeated until the service answers.
    """

    def __init__(
        self,
        service: Service,
        gate: AdmissionGate,
        journal: Journal,
        observer: Observer,
        clock: Clock,
        patience: Patience,
        done: Callable[[Work], None],
        fault: Callable[[Work, Exception], None],
    ) -> None:
        self._service = service
        self._gate = gate
        self._journal = journal
        self._observer = observer
        self._clock = clock
        self._patience = patience
        self._done = done
        self._fault = fault
        self._pace = Pace(patience.poll_min, patience.poll_max)
        self._silence = Silence(patience, observer)
        self._schedule = PollSchedule(patience.poll_batch)
        self._watched: dict[str, Watched] = {}
        self._added = anyio.Event()

    def watch(self, work: Work, *, fresh: bool = True) -> None:
        """Follow the encode of an item that is in ``ENCODING``.

        ``fresh`` says that it has just been started; one that an earlier run
        left behind may be over, and says nothing of how long encodes take.
        """
        attempt = work.item.attempt
        if attempt is None or attempt.task is None:
            raise ValueError(f"{work.item.key} has no task to watch")
        now = self._clock.monotonic()
        watched = Watched(work, attempt.task, attempt.status_url, now, fresh)
        if (before := self._watched.get(watched.task)) is not None:
            self._schedule.drop(before)
        self._watched[watched.task] = watched
        self._again(watched, self._pace.first(watched.outlook), now)

    def hint(self, task: str) -> None:
        """Somebody says that there is news of the task: look at it now.

        Harmless where the task is not watched. However many hints come, looks that
        they cause are at least the shortest pause apart.
        """
        watched = self._watched.get(task)
        if watched is None:
            return
        if watched.due is None:
            watched.hinted = True  # a look is under way, and may have left too early
            return
        now = self._clock.monotonic()
        due = now
        if watched.hinted_at is not None:
            due = max(now, watched.hinted_at + self._patience.poll_min)
        if due < watched.due:
            watched.hinted_at = due
            if self._schedule.add(watched, due, now):
                self._added.set()

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled."""
        room = anyio.Semaphore(REQUESTS)
        async with anyio.create_task_group() as looks:
            while True:
                # Only once a request can leave is it put together: while the service
                # is slow, what comes due fills the next one.
                await room.acquire()
                await self._until_due()
                url, group = self._schedule.take(self._clock.monotonic())
                looks.start_soon(self._look, room, url, group)

    async def _until_due(self) -> None:
        while True:
            due = self._schedule.next_due()
            wait = None if due is None else due - self._clock.monotonic()
            if wait is not None and wait <= 0:
                return
            if self._added.is_set():
                self._added = anyio.Event()
            with anyio.move_on_after(wait):
                await self._added.wait()

    def _again(self, watched: Watched, gap: float, now: float) -> None:
        """Look once more, ``gap`` seconds from now."""
        watched.gap = gap
        hinted, watched.hinted = watched.hinted, False
        if self._schedule.add(watched, now + gap, now):
            self._added.set()
        if hinted:
            self.hint(watched.task)

    async def _look(self, room: anyio.Semaphore, url: str | None, group: list[Watched]) -> None:
        tasks = [watched.task for watched in group]
        # What lies under the service's own address is the service itself.
        home = url is None or url.startswith("/")
        try:
            reports = await self._gate.call(lambda: self._service.report(tasks, url), home=home)
        except (AccountProblem, LedgerProblem):
            raise
        except OrchestratorError as error:
            self._not_answered(url, group, error, home=home)
            return
        finally:
            room.release()
        self._schedule.answered(url)
        for watched in group:
            self._heard(watched, url, reports)
        self._silence.tell()

    # --- what an answer means -------------------------------------------------------

    def _not_answered(
        self, url: str | None, group: list[Watched], error: OrchestratorError, *, home: bool
    ) -> None:
        now = self._clock.monotonic()
        if self._was_too_long(group, error):
            at_once = True
        elif isinstance(error, Busy) or (home and isinstance(error, Unreachable)):
            at_once = False  # the gate waits for all
        else:
            at_once = self._schedule.failed(url, now)
            if not group[0].failures and not isinstance(error, Unreachable):
                self._observer.note(f"No status for {len(group)} encodes, will ask again: {error}")
        for watched in group:
            watched.failures += not at_once
            self._again(watched, 0.0 if at_once else self._later(watched), now)

    def _was_too_long(self, group: list[Watched], error: OrchestratorError) -> bool:
        """Whether the request was refused for its length; then shorter ones are sent."""
        if not isinstance(error, BadRequest):
            return False
        if not self._schedule.too_many(len(group), certain=isinstance(error, TooLarge)):
            return False
        batch = self._schedule.batch
        self._observer.note(f"Status of {len(group)} encodes refused, asking for {batch}: {error}")
        return True

    def _heard(self, watched: Watched, url: str | None, reports: Mapping[str, TaskReport]) -> None:
        report = reports.get(watched.task)
        if self._watched.get(watched.task) is not watched:
            return  # it is watched anew since the request left
        if watched.work.dropped:
            self._watched.pop(watched.task, None)
        elif report is None:
            self._unknown(watched, url)
        elif report.replaced_by is not None and report.replaced_by != watched.task:
            self._follow(watched, report.replaced_by)
        elif report.phase is Phase.FAULTED:
            self._give_up(watched, report.fault or EncodeFailed("the service gave no reason"))
        elif report.phase is Phase.DONE:
            self._collect(watched, report)
        else:
            self._goes_on(watched, report)

    def _unknown(self, watched: Watched, url: str | None) -> None:
        """The endpoint does not know the task: ask the main one, a few times."""
        now = self._clock.monotonic()
        if url is not None:
            watched.stray = url
            self._again(watched, 0.0, now)
            return
        watched.misses += 1
        if watched.misses >= LOST_AFTER:
            self._give_up(watched, TaskLost("the service no longer knows the task"))
        else:
            self._again(watched, self._later(watched), now)

    def _follow(self, watched: Watched, task: str) -> None:
        """The service began the task anew under another name (``retry_on_error``)."""
        self._watched.pop(watched.task, None)
        work = watched.work
        now = work.item.noting(State.ENCODING, task=task, status_url=None)
        work.item = self._journal.jot(work.item, now, note=f"the service restarted it as {task}")
        self.watch(work)

    def _give_up(self, watched: Watched, error: Exception) -> None:
        self._watched.pop(watched.task, None)
        self._fault(watched.work, error)

    def _collect(self, watched: Watched, report: TaskReport) -> None:
        work = watched.work
        self._watched.pop(watched.task, None)
        # It ended somewhere between the last look and this one.
        since = self._clock.monotonic() - watched.looked_at
        self._pace.watched(watched.outlook, since, ended=True)
        for warning in report.warnings:
            self._observer.note(f"{work.item.key}: {warning}")
        self._observer.percent(work.item, report.phase, 100.0)
        if report.duration is None:
            now = work.item.to(State.COLLECTING)
        else:
            now = work.item.noting(State.COLLECTING, duration=report.duration)
        note = "; ".join(report.warnings)
        work.item = self._journal.jot(work.item, now, outputs=report.outputs, note=note)
        work.outputs = report.outputs
        self._done(work)

    def _goes_on(self, watched: Watched, report: TaskReport) -> None:
        now, work = self._clock.monotonic(), watched.work
        self._pace.watched(watched.outlook, now - watched.looked_at, ended=False)
        watched.hear(report, now, 2 * self._patience.poll_max)
        self._observer.percent(work.item, report.phase, report.percent)
        self._note_url(watched, report.status_url)
        if (stuck := self._silence.check(watched)) is not None:
            self._give_up(watched, stuck)
        else:
            self._again(watched, watched.wanted(self._pace, now), now)

    def _note_url(self, watched: Watched, url: str | None) -> None:
        work = watched.work
        attempt = work.item.attempt
        if url and attempt is not None and url != attempt.status_url:
            watched.status_url = url
            noted = attempt.but(status_url=url)
            work.item = self._journal.jot(work.item, work.item.to(State.ENCODING, attempt=noted))

    def _later(self, watched: Watched) -> float:
        """The next pause after a look that told nothing."""
        wanted = max(self._patience.poll_min, watched.gap * BACKOFF)
        return min(self._patience.poll_max, wanted)
