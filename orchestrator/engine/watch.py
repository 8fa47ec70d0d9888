"""The watch stage: follows every encode to its end, many tasks in one request."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.limits import Patience
from orchestrator.engine.schedule import DEAD_MASTER, PollSchedule, Watched, requests
from orchestrator.engine.work import Work
from orchestrator.model.errors import (
    AccountProblem,
    Busy,
    EncodeFailed,
    LedgerProblem,
    OrchestratorError,
    TaskLost,
    Unreachable,
)
from orchestrator.model.ports import Clock, Observer, Phase, Service, TaskReport
from orchestrator.model.states import State

#: A task that the main endpoint does not know this many times in a row is lost.
LOST_AFTER = 4

#: Status requests under way at once.
REQUESTS = 4


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
        self._schedule = PollSchedule(patience)
        self._added = anyio.Event()

    def watch(self, work: Work) -> None:
        """Follow the encode of an item that is in ``ENCODING``."""
        attempt = work.item.attempt
        if attempt is None or attempt.task is None:
            raise ValueError(f"{work.item.key} has no task to watch")
        watched = Watched(work, attempt.task, attempt.status_url, self._patience.poll_min)
        self._schedule.add(watched, self._clock.monotonic() + self._patience.poll_min)
        self._added.set()

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled."""
        room = anyio.CapacityLimiter(REQUESTS)
        async with anyio.create_task_group() as looks:
            while True:
                await self._until_due()
                due = self._schedule.due(self._clock.monotonic())
                for url, group in requests(due, self._patience.poll_batch):
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

    async def _look(
        self, room: anyio.CapacityLimiter, url: str | None, group: list[Watched]
    ) -> None:
        tasks = [watched.task for watched in group]
        async with room:
            try:
                reports = await self._gate.call(
                    lambda: self._service.report(tasks, url), home=url is None
                )
            except (AccountProblem, LedgerProblem):
                raise
            except OrchestratorError as error:
                self._not_answered(group, error)
                return
        for watched in group:
            self._heard(watched, url, reports)
        self._added.set()

    def _not_answered(self, group: list[Watched], error: OrchestratorError) -> None:
        if not isinstance(error, Busy | Unreachable) and not group[0].failures:
            self._observer.note(f"No status for {len(group)} encodes, will ask again: {error}")
        now = self._clock.monotonic()
        for watched in group:
            watched.failures += 1
            self._schedule.add(watched, self._schedule.after_silence(watched, now))
        self._added.set()

    def _heard(self, watched: Watched, url: str | None, reports: Mapping[str, TaskReport]) -> None:
        report = reports.get(watched.task)
        if report is None:
            self._unknown(watched, url)
        elif report.replaced_by is not None and report.replaced_by != watched.task:
            self._follow(watched, report.replaced_by)
        elif report.phase is Phase.FAULTED:
            self._fault(watched.work, report.fault or EncodeFailed("the service gave no reason"))
        elif report.phase is Phase.DONE:
            self._collect(watched.work, report)
        else:
            self._goes_on(watched, report)

    def _unknown(self, watched: Watched, url: str | None) -> None:
        """The endpoint does not know the task: ask the main one, a few times."""
        now = self._clock.monotonic()
        if url is None or watched.status_url is None:
            watched.misses += 1
        else:
            watched.failures = max(watched.failures, DEAD_MASTER)
        if watched.misses >= LOST_AFTER:
            self._fault(watched.work, TaskLost("the service no longer knows the task"))
            return
        self._schedule.add(watched, self._schedule.after_silence(watched, now))

    def _follow(self, watched: Watched, task: str) -> None:
        """The service began the task anew under another name (``retry_on_error``)."""
        work = watched.work
        now = work.item.noting(State.ENCODING, task=task, status_url=None)
        work.item = self._journal.jot(work.item, now, note=f"the service restarted it as {task}")
        self.watch(work)

    def _collect(self, work: Work, report: TaskReport) -> None:
        for warning in report.warnings:
            self._observer.note(f"{work.item.key}: {warning}")
        self._observer.percent(work.item, report.phase, 100.0)
        now = work.item.to(State.COLLECTING)
        note = "; ".join(report.warnings)
        work.item = self._journal.jot(work.item, now, outputs=report.outputs, note=note)
        work.outputs = report.outputs
        self._done(work)

    def _goes_on(self, watched: Watched, report: TaskReport) -> None:
        work, now = watched.work, self._clock.monotonic()
        due = self._schedule.after(watched, report, now)
        self._schedule.add(watched, due)
        self._observer.percent(work.item, report.phase, report.percent)
        url = report.status_url
        attempt = work.item.attempt
        if url and attempt is not None and url != attempt.status_url:
            watched.status_url = url
            noted = replace(attempt, status_url=url)
            work.item = self._journal.jot(work.item, work.item.to(State.ENCODING, attempt=noted))
