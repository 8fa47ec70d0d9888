"""Group commit: while one commit is under way, the next batch gathers.

The statements of a batch run in the event loop's own thread, and only the
commit, which waits for the disk, in another: ``sqlite3`` lets go of the
interpreter at every statement, and a second thread that competes with a busy
loop for it costs both more than it spares (``benchmarks/README.md``, engine).
A batch is bounded, so that the loop stands still for some milliseconds at most.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.ledger import sqlite, writes
from orchestrator.ledger.writes import Step
from orchestrator.model.errors import LedgerProblem, OrchestratorError, Superseded

#: The most steps in one batch.
LARGEST = 500

#: Seconds from the end of one commit to the next, at least: under load many steps
#: share one, and a step that comes alone does not wait.
GATHER = 0.005

_Posted = tuple[Step, asyncio.Future[None]]


class GroupCommit:
    """The one writer of steps. ``executor`` None: commits in the loop's thread too.

    ``gate`` keeps others from the connection while a batch is written.
    """

    def __init__(
        self, connection: Connection, path: Path, executor: Executor | None, gate: asyncio.Lock
    ) -> None:
        self._connection = connection
        self._path = path
        self._executor = executor
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Posted] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._committed_at = 0.0
        self._fault: str | None = None

    def post(self, step: Step) -> asyncio.Future[None]:
        """Queue a step; the future ends when it is on disk.

        Cancelling the future does not take the step back.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        if self._closing or self._fault is not None:
            _settle(done, self._refusal())
            return done
        self._queue.append((step, done))
        self._wake.set()
        return done

    def close(self) -> None:
        """Let ``run`` end once everything posted is on disk."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Commit batches until closed, or until the ledger can't be written."""
        batch: list[_Posted] = []
        try:
            while self._fault is None and (self._queue or not self._closing):
                await self._wake.wait()
                await self._gather()
                async with self._gate:
                    batch = self._take()
                    if batch:
                        await self._commit(batch)
                        self._committed_at = self._loop.time()
        finally:
            self._closing = True
            self._refuse([*batch, *self._queue])
            self._queue.clear()

    async def _gather(self) -> None:
        if self._executor is None:
            return
        early = self._committed_at + GATHER - self._loop.time()
        if early > 0:
            await asyncio.sleep(early)

    def _take(self) -> list[_Posted]:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST))]
        if not self._queue and not self._closing:
            self._wake.clear()
        return batch

    async def _commit(self, batch: Sequence[_Posted]) -> None:
        try:
            verdicts = self._write([step for step, _ in batch])
            await self._aside(self._connection.commit)
        except (SQLAlchemyError, OSError) as error:
            self._fault = str(sqlite.problem(self._path, error))
            with contextlib.suppress(SQLAlchemyError):
                self._connection.rollback()
            self._refuse(batch)
            return
        for (_, done), verdict in zip(batch, verdicts, strict=True):
            _settle(done, verdict)

    def _write(self, steps: Sequence[Step]) -> Sequence[OrchestratorError | None]:
        self._connection.begin()
        try:
            writes.write(self._connection, steps)
        except Superseded:
            pass
        except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:
            if not writes.refused_data(error):
                raise
        else:
            return [None] * len(steps)
        self._connection.rollback()
        self._connection.begin()
        return writes.write_each(self._connection, steps)

    async def _aside(self, work: Callable[[], None]) -> None:
        if self._executor is None:
            work()
        else:
            await self._loop.run_in_executor(self._executor, work)

    def _refuse(self, batch: Sequence[_Posted]) -> None:
        for _, done in batch:
            _settle(done, self._refusal())

    def _refusal(self) -> LedgerProblem:
        """An exception of its own for each awaiter: they are raised in many tasks."""
        return LedgerProblem(self._fault or f"the ledger {self._path} is closed")


def _settle(done: asyncio.Future[None], verdict: OrchestratorError | None) -> None:
    if done.done():
        return
    if verdict is None:
        done.set_result(None)
    else:
        done.set_exception(verdict)
        # A step may be left unawaited where a later one covers it: no noise then.
        done.exception()
