"""One run of a job: manifest, ledger, service, engine, and how it ended."""

import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog

from orchestrator.config import Config
from orchestrator.engine import Engine
from orchestrator.engine.fleet import Berth, Fleet, Rules
from orchestrator.engine.oversight import Oversight
from orchestrator.ledger import Ingested, LedgerReader, SqlLedger
from orchestrator.manifest import Entry, read, read_ready
from orchestrator.model.decisions import Action
from orchestrator.model.errors import (
    AccountProblem,
    LedgerProblem,
    NoRoom,
    TooManyFailures,
    Unreachable,
    may_pass,
)
from orchestrator.model.items import Problem, Row
from orchestrator.model.outcome import Ending, Failure, RunOutcome
from orchestrator.model.states import SETTLED, State
from orchestrator.model.turns import Order
from orchestrator.query import Job
from orchestrator.report import Counting, RunObserver
from orchestrator.settings import EdgeService, QencodeService
from orchestrator.wiring import bounds, requests, several
from orchestrator.wiring.berths import open_berth
from orchestrator.wiring.beside import beside
from orchestrator.wiring.clock import SystemClock
from orchestrator.wiring.control import Carrier, Control
from orchestrator.wiring.following import Follower, Seen
from orchestrator.wiring.interrupts import Interrupts
from orchestrator.wiring.options import RunOptions

log = structlog.get_logger(__name__)

#: Failures that an outcome names; the ledger has them all.
FAILURES_SHOWN = 20


async def run_job(
    config: Config, job: Job, options: RunOptions, observer: RunObserver
) -> RunOutcome:
    """Run a job to its end; run it again and only what is left is done.

    Interrupts drain it. Raises ``BadInput`` for settings that can't be used and
    ``LedgerProblem`` where the ledger can't be opened; all else is an outcome.
    """
    run = _Run(config, options.applied(job), options, observer)
    async with run.interrupts:
        return await run.go()


class _Run:
    def __init__(
        self, config: Config, job: Job, options: RunOptions, observer: RunObserver
    ) -> None:
        self._config = config
        self._names = several.names_of(config, job)
        self._versions = several.versions(config, job)
        #: The job as each service takes it.
        self._jobs = {
            name: requests.for_service(config, job.with_(service=name)) for name in self._names
        }
        self._job = job = self._jobs[self._names[0]]
        self._options = options
        self._observer = Counting(observer)
        self._clock = SystemClock()
        self._allowance = bounds.allowance(config, job)
        self._hours = bounds.hours(config, job, options.until, self._clock.now())
        failures = bounds.failure_bounds(config)
        self._oversight = Oversight(
            self._observer, self._clock, self._hours, failures, self._allowance
        )
        self._engine: Engine | Fleet | None = None
        self._follower: Follower | None = None
        self._began = time.monotonic()
        self.interrupts = Interrupts(self._drain, observer.note)

    async def go(self) -> RunOutcome:
        self._check()
        url = self._config.ledger_url(self._job.name)
        async with SqlLedger(url, self._job.name, clock=self._clock) as ledger:
            await ledger.begin_run(
                ", ".join(self._names), self._job.manifest, asdict(self._options)
            )
            try:
                taken = await self._take_in(ledger)
            except _Interrupted:
                await ledger.end_run(Ending.DRAINED)
                return self._outcome(Ending.DRAINED, None, {}, "")
            if not taken.taken:
                await ledger.end_run(Ending.REFUSED)
                return self._outcome(Ending.REFUSED, taken, {}, "nothing was begun")
            sharing = self._names if len(self._names) > 1 else ()
            self._observer.began(await ledger.counts(), sharing)
            ending, message = await self._work(ledger)
            counts = await self._close(ledger, ending)
        return self._outcome(ending, taken, counts, message)

    def _check(self) -> None:
        """What would fail every item alike is said before anything is done.

        Raises ``BadInput`` for an unknown service, and for a secret that is not set.
        """
        for name, job in self._jobs.items():
            service = self._config.service(name)
            if isinstance(service, QencodeService):
                self._config.secret(service.api_key)
            if isinstance(service, EdgeService):
                for secret in (service.client_secret, service.client_id, service.company):
                    self._config.secret(secret)
            requests.check_secrets(job)
        if self._job.collect is None and any(map(requests.leaves_outputs, self._jobs.values())):
            self._observer.note(
                "Outputs without a destination can be downloaded for 24 hours, then they are "
                "gone: add [collect] to the job to have them fetched."
            )

    # --- the manifest -------------------------------------------------------------

    async def _take_in(self, ledger: SqlLedger) -> Ingested:
        if not self._options.follow:
            return await self._ingest(ledger, self._ready_rows())
        seen = Seen()
        self._follower = self._follow(ledger, seen)
        return await self._ingest(ledger, seen.noting(self._rows()))

    async def _ingest(
        self, ledger: SqlLedger, rows: Iterable[Entry], *, following: bool = False
    ) -> Ingested:
        return await ledger.ingest(
            rows,
            self._versions,
            keep_going=self._options.keep_going,
            retry=may_pass,
            order=self._order(),
            ageing=self._config.queue.ageing_hours * 3600,
            following=following,
        )

    def _follow(self, ledger: SqlLedger, seen: Seen) -> Follower:
        return Follower(
            self._job.manifest,
            seen,
            read=self._rows,
            take=partial(self._ingest, ledger, following=True),
            added=lambda: self._engine.look_again() if self._engine else None,
            note=self._observer.note,
        )

    def _rows(self) -> Iterator[Row | Problem]:
        """The manifest's rows, in the ledger's thread, until an interrupt."""
        fingerprint = self._config.manifest.fingerprint
        for row in read(self._job.manifest, fingerprint=fingerprint):
            if self.interrupts.heard():
                raise _Interrupted
            yield row

    def _ready_rows(self) -> Iterator[Entry]:
        """The same, with plain rows as the ledger stores them."""
        some = read_ready(
            self._job.manifest,
            self._versions.plain(),
            fingerprint=self._config.manifest.fingerprint,
            order=self._order(),
        )
        with closing(some):
            for entries in some:
                if self.interrupts.heard():
                    raise _Interrupted
                yield from entries

    def _order(self) -> Order:
        return self._job.queue.order or self._config.queue.order

    # --- the work -----------------------------------------------------------------

    async def _work(self, ledger: SqlLedger) -> tuple[Ending, str]:
        counts = await ledger.counts()
        if all(state in SETTLED for state in counts) and not self._options.follow:
            return Ending.FINISHED, ""  # nothing to do: the service is not even asked
        if self.interrupts.heard():
            return Ending.DRAINED, ""
        try:
            await self._run_engine(ledger)
        except AccountProblem as error:
            return Ending.ACCOUNT, str(error)
        except (LedgerProblem, NoRoom, TooManyFailures, Unreachable) as error:
            return Ending.BROKEN, str(error)
        if self.interrupts.heard():
            return Ending.DRAINED, ""
        return await self._closed(ledger)

    async def _closed(self, ledger: SqlLedger) -> tuple[Ending, str]:
        """Whether the run was closed with something left to do."""
        counts = await ledger.counts()
        left = sum(number for state, number in counts.items() if state not in SETTLED)
        if isinstance(self._engine, Fleet) and (lost := self._engine.lost):
            return several.ending(lost, left)
        if self._engine is None or not self._engine.closed or not left:
            return Ending.FINISHED, self._shares()
        return Ending.CLOSED, f"{self._engine.closed}; {several.items(left)} left for the next run"

    def _shares(self) -> str:
        """Who did how much, where there are several."""
        if not isinstance(self._engine, Fleet):
            return ""
        done = self._engine.dispatcher.done
        return several.shares({name: done[name] for name in self._names})

    async def _run_engine(self, ledger: SqlLedger) -> None:
        from orchestrator.services.throttle import Throttle

        throttle = Throttle(self._job.limits.bandwidth or self._config.limits.bandwidth)

        def set_bandwidth(rate: int) -> None:
            throttle.rate = rate

        # Where there are several, each one's failures count for itself.
        observer = self._observer if len(self._jobs) > 1 else self._oversight
        async with AsyncExitStack() as stack:
            berths = [
                await stack.enter_async_context(
                    open_berth(
                        self._config,
                        name,
                        job,
                        requests.recipe(job),
                        ledger,
                        observer,
                        self._clock,
                        throttle,
                        self._hint,
                    )
                )
                for name, job in self._jobs.items()
            ]
            work = self._work_at(berths, ledger)
            ageing = self._config.queue.ageing_hours * 3600
            carrier = Carrier(
                self._job.name, ledger, ageing, self._engine, set_bandwidth, self._each()
            )
            if not self.interrupts.heard():
                others = [Control(carrier, self._observer.note).run()]
                if self._follower is not None:
                    others.append(self._follower.run())
                async with beside(*others):
                    await work()

    def _work_at(
        self, berths: Sequence[Berth], ledger: SqlLedger
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """Build the engine, or one for each service; the answer is the work to do."""
        at_most, follow = self._options.limit, self._options.follow
        if len(berths) == 1:
            berth = berths[0]
            engine = self._engine = Engine(
                berth.parts,
                berth.limits,
                berth.patience,
                at_most=at_most,
                admission=self._allowance,
                follow=follow,
            )
            return lambda: self._oversight.run(engine)
        failures = bounds.failure_bounds(self._config)
        rules = Rules(self._hours, failures, self._allowance, at_most, follow)
        fleet = self._engine = Fleet(berths, rules, ledger, self._observer, self._clock)
        return fleet.run

    def _each(self) -> Mapping[str, Engine]:
        """The engine of each service, by its name."""
        if isinstance(self._engine, Fleet):
            return self._engine.engines
        return {name: self._engine for name in self._jobs if self._engine is not None}

    def _hint(self, task: str) -> None:
        if self._engine is not None:
            self._engine.hint(task)

    def _drain(self) -> None:
        if self._engine is not None:
            self._engine.drain()

    # --- the end ------------------------------------------------------------------

    async def _close(self, ledger: SqlLedger, ending: Ending) -> Mapping[State, int]:
        try:
            await ledger.end_run(ending)
            return await ledger.counts()
        except LedgerProblem as error:
            log.error("the run's end could not be recorded", error=str(error))
            return {}

    def _outcome(
        self, ending: Ending, taken: Ingested | None, counts: Mapping[State, int], message: str
    ) -> RunOutcome:
        failures: tuple[Failure, ...] = ()
        by_class: Mapping[str, int] = {}
        url = self._config.ledger_url(self._job.name)
        if counts.get(State.FAILED):
            reader = LedgerReader(url, self._job.name)
            failures = tuple(reader.failures(FAILURES_SHOWN))
            by_class = reader.by_error_class()
        tally = self._observer
        return RunOutcome(
            job=self._job.name,
            ending=ending,
            message=message,
            ledger=url,
            counts=counts,
            skipped=taken.counts.get(Action.SKIP, 0) if taken else 0,
            problems=taken.problems if taken else (),
            problems_total=taken.problem_count if taken else 0,
            failures=failures,
            failures_by_class=by_class,
            seconds=time.monotonic() - self._began,
            sent_bytes=tally.sent_bytes,
            got_bytes=tally.got_bytes,
            started=tally.started,
            outputs_folder=self._job.collect.base if self._job.collect else None,
            account=account if (account := self._allowance.close()).items else None,
        )


class _Interrupted(Exception):
    """Raised among the manifest's rows when a person wants the run to stop."""
