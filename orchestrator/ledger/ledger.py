"""The ledger that a run writes: opened once, held alone, closed in order."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import orjson
from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.ledger import reads, schema, sqlite, upgrade, wishes, writes
from orchestrator.ledger.altering import Alterations
from orchestrator.ledger.commits import GroupCommit
from orchestrator.ledger.ingest import Ingest, Ingested
from orchestrator.ledger.intake import Intake, Turn
from orchestrator.ledger.lock import LedgerLock
from orchestrator.ledger.log import Log
from orchestrator.ledger.rows import Entry, Versions
from orchestrator.ledger.wishes import Answer, Wish
from orchestrator.ledger.writes import Step
from orchestrator.model import turns
from orchestrator.model.decisions import Action
from orchestrator.model.errors import IllegalMove, LedgerProblem
from orchestrator.model.items import Change, Item, Output
from orchestrator.model.ports import Clock
from orchestrator.model.states import State, allowed
from orchestrator.model.turns import Order

T = TypeVar("T")

#: How an earlier run of this job ended that never said so.
INTERRUPTED = "interrupted"

_R = schema.runs.c


class SqlLedger:
    """One job's ledger, for the one process that runs it: ``model.ports.Ledger``.

    An async context manager. Entering makes the file's folder, takes the lock
    (``LedgerInUse`` says who has it) and brings the schema up to date; leaving
    writes what was posted, and lets go. ``url`` is ``sqlite:////folder/name.db``.
    ``inline`` does everything in the event loop's thread, for simulations on a
    virtual clock. Everything here may raise ``LedgerProblem``.
    """

    def __init__(self, url: str, job: str, *, clock: Clock, inline: bool = False) -> None:
        self._path = sqlite.path_of(url)
        self._name = job
        self._clock = clock
        self._lock = LedgerLock(self._path)
        self._executor = None if inline else ThreadPoolExecutor(1, "ledger")
        self._log = Log(self._path, aside=not inline)
        self._gate = asyncio.Lock()
        self._job = self._run = self._seen = 0
        self._manifest = ""
        self._writer: Connection
        self._reader: Engine
        self._steps: GroupCommit
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._open()
        self._steps = GroupCommit(self._writer, self._path, self._executor, self._gate)
        self._task = asyncio.create_task(self._steps.run(), name="ledger")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._steps.close()
        try:
            with anyio.CancelScope(shield=True):
                await _to_the_end(self._task)
            self._task.result()
        finally:
            self._close()

    # --- runs -----------------------------------------------------------------

    async def begin_run(self, service: str, manifest: str, options: Mapping[str, Any]) -> int:
        """Put a new run on record; its number. ``manifest`` is what problems call it."""
        values = {
            "job_id": self._job,
            "started_at": self._clock.now(),
            "service": service,
            "manifest": manifest,
            "options": orjson.dumps(options, default=str).decode(),
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }

        def begin(connection: Connection) -> int:
            open_runs = update(schema.runs).where(_R.job_id == self._job, _R.outcome.is_(None))
            connection.execute(open_runs.values(outcome=INTERRUPTED))
            wishes.expire(connection, self._job, self._clock.now())
            inserted = connection.execute(insert(schema.runs), values).inserted_primary_key
            return int(inserted[0]) if inserted else 0

        self._run = await self._alone(begin)
        self._manifest = manifest
        return self._run

    async def end_run(self, outcome: str) -> None:
        """Put on record how the run ended."""
        ended = (
            update(schema.runs)
            .where(_R.id == self._run)
            .values(ended_at=self._clock.now(), outcome=outcome)
        )

        def end(connection: Connection) -> None:
            connection.execute(ended)
            wishes.expire(connection, self._job, self._clock.now())

        await self._alone(end)

    async def ingest(
        self,
        rows: Iterable[Entry],
        versions: Versions,
        *,
        keep_going: bool,
        retry: Callable[[str], bool],
        order: Order = Order.FIRST,
        ageing: float = turns.AGEING,
        following: bool = False,
    ) -> Ingested:
        """Take the run's manifest in: all of it, or nothing.

        Nothing is taken in where there are problems, unless ``keep_going``: each
        row with a problem is then a failed item (class ``bad_input``) by its key,
        or by ``file:line``. ``retry`` says which error classes of failed items
        are tried again. ``order`` and ``ageing`` (seconds) say whose turn comes
        first: ``model.turns``. Rows that are versioned already come as ``PlainRow``,
        or many at once as ``PlainColumns``. ``rows`` and ``versions`` are used in
        another thread; what they raise comes out here, and leaves nothing written.

        ``following`` reads the manifest again while its run goes on: new rows are
        added, a changed priority counts for what is still pending, all else that
        the run has is left as it is. Bad rows are reported and left out.
        """
        if not self._run:
            raise RuntimeError("begin_run comes first")
        stop = threading.Event()
        turn = Turn(self._clock.now(), order, ageing)
        seen = self._seen or self._run
        intake = Intake(self._writer, self._job, self._run, seen, turn)

        begin = partial(
            Ingest,
            intake,
            self._manifest,
            versions,
            keep_going=keep_going,
            retry=retry,
            following=following,
        )

        def record(answer: Ingested) -> None:
            taken = update(schema.runs).where(_R.id == self._run)
            added = _R.rows + answer.counts.get(Action.NEW, 0)
            self._writer.execute(taken.values(rows=added if following else answer.total))
            self._keep_priorities(self._writer, seen, ageing)

        take = partial(_take_in, self._writer, begin, rows, partial(_proceed, stop), record)
        async with self._gate:
            answer = await self._aside(take, stop)
        if answer.taken:
            self._seen = seen
            self._log.move()
        return answer

    # --- what people ask for --------------------------------------------------

    async def wishes(self) -> list[tuple[int, Wish | None]]:
        """Wishes for this job that wait for an answer, by number, the oldest first.

        One is None where another version of this program wrote it.
        """
        with self._reading() as connection:
            return wishes.waiting(connection, self._job)

    async def answer(self, number: int, said: Answer) -> None:
        """Put on record what became of a wish."""
        now = self._clock.now()
        await self._alone(lambda connection: wishes.answer(connection, number, said, now))

    async def record(self, wish: Wish, said: Answer) -> None:
        """Put on record a wish that was carried out without a run."""
        now = self._clock.now()
        await self._alone(lambda connection: wishes.record(connection, self._job, wish, said, now))

    async def alter(self, change: Callable[[Alterations], T]) -> T:
        """Change many items at once, in a transaction between two batches of steps."""
        return await self._alone(lambda connection: change(self._alterations(connection)))

    def _alterations(self, connection: Connection) -> Alterations:
        run = self._run or self._seen
        return Alterations(connection, self._job, self._seen, run, self._clock.now())

    def _keep_priorities(self, connection: Connection, seen: int, ageing: float) -> None:
        """What people said of priorities holds until a run has finished."""
        alterations = replace(self._alterations(connection), seen=seen)
        for wish in wishes.priorities(connection, self._job):
            alterations.prioritize(wish.match, wish.priority, ageing)

    # --- the engine's port ----------------------------------------------------

    def post(self, change: Change) -> Awaitable[None]:
        """Queue a change; awaiting it ends when it is on disk.

        Cancelling who awaits does not take the change back. An item that moves
        to ``pending`` has given its attempt up and comes back without one.
        Raises at once ``IllegalMove``, or ``ValueError`` for an item whose
        attempt does not fit; ``Superseded`` or ``LedgerProblem`` when awaited.
        """
        if not allowed(change.was, change.item.state):
            raise IllegalMove(
                change.item.key, change.was, change.item.state, self._told(change.item.id)
            )
        writes.check(change)
        return self._steps.post(Step(change, self._clock.now(), self._run))

    async def pending(
        self, limit: int, skip: Collection[int], without: Collection[str] = ()
    ) -> list[Item]:
        """The most urgent pending items of this run that are due, without ``skip``.

        Nor are rows among them whose ``service`` is one of ``without``.
        """
        now = self._clock.now()
        with self._reading() as connection:
            return reads.pending(connection, self._job, self._seen, now, limit, skip, without)

    async def in_flight(self, states: Collection[State], after: int, limit: int) -> list[Item]:
        """Items of this run in ``states``, by id, after that id."""
        with self._reading() as connection:
            return reads.in_flight(connection, self._job, self._seen, states, after, limit)

    async def outputs(self, item: Item) -> tuple[Output, ...]:
        """What the item's present attempt has on record."""
        if item.attempt is None:
            return ()
        with self._reading() as connection:
            return reads.outputs(connection, item.id, item.attempt.number)

    async def next_due(self, after: float) -> float | None:
        """See ``model.ports.Ledger``."""
        with self._reading() as connection:
            return reads.next_due(connection, self._job, self._seen, after)

    async def counts(self) -> Mapping[State, int]:
        """How many items of this run are in each state; a state without any is missing."""
        with self._reading() as connection:
            return reads.counts(connection, self._job, self._seen)

    # --- opening and closing --------------------------------------------------

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerProblem(f"can't make the ledger's folder: {error}") from error
        self._lock.take()
        try:
            self._writer = sqlite.writing(self._path).connect()
            with self._writer.begin():
                upgrade.upgrade(self._writer, self._path)
                self._job = self._own_job()
                self._seen = reads.last_seen(self._writer, self._job)
            self._reader = sqlite.reading(self._path)
        except SQLAlchemyError as error:
            self._lock.release()
            raise sqlite.problem(self._path, error) from error
        except BaseException:
            self._lock.release()
            raise

    def _own_job(self) -> int:
        found = reads.job_id(self._writer, self._name)
        if found is not None:
            return found
        self._writer.execute(insert(schema.jobs), {"name": self._name})
        return reads.job_id(self._writer, self._name) or 0

    def _close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()
        self._log.settle()
        try:
            self._reader.dispose()
            sqlite.close(self._writer)
        finally:
            self._lock.release()

    # --- helpers --------------------------------------------------------------

    async def _alone(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction of its own, between two batches of steps."""

        def transaction() -> T:
            with self._writer.begin():
                return work(self._writer)

        async with self._gate:
            return await self._aside(transaction, threading.Event())

    async def _aside(self, work: Callable[[], T], stop: threading.Event) -> T:
        """Run ``work`` in the ledger's thread; it has ended when this does."""
        try:
            if self._executor is None:
                return work()
            running = asyncio.get_running_loop().run_in_executor(self._executor, work)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                stop.set()
                with anyio.CancelScope(shield=True):
                    await _to_the_end(running)
                running.exception()  # seen: the cancellation is what counts
                raise
        except SQLAlchemyError as error:
            raise sqlite.problem(self._path, error) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reader.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise sqlite.problem(self._path, error) from error

    def _told(self, item: int) -> list[str]:
        with self._reading() as connection:
            return [str(event) for event in reads.history(connection, item)]


class _Stopped(Exception):
    """Raised in the thread of an ingest whose caller was cancelled."""


def _take_in(
    writer: Connection,
    begin: Callable[[], Ingest],
    rows: Iterable[Entry],
    proceed: Callable[[], None],
    record: Callable[[Ingested], None],
) -> Ingested:
    """A manifest, and what ``record`` writes of it, in one transaction: all of it, or nothing."""
    with sqlite.loading(writer):
        transaction = writer.begin()
        try:
            answer = begin().take(rows, proceed)
            if answer.taken:
                record(answer)
                transaction.commit()
            return answer
        finally:
            if transaction.is_active:
                transaction.rollback()


def _proceed(stop: threading.Event) -> None:
    if stop.is_set():
        raise _Stopped


async def _to_the_end(task: asyncio.Future[Any]) -> None:
    """Wait for ``task`` even while this task is being cancelled."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
