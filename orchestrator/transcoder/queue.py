"""The work queue: as many tasks at a time as there are workers, in the order of their starts."""

import asyncio
import errno
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from orchestrator.query import EncodeQuery, parse_query
from orchestrator.transcoder.answers import outline
from orchestrator.transcoder.disk import Disk, remove
from orchestrator.transcoder.folders import DataFolder
from orchestrator.transcoder.ports import (
    Encoded,
    Encoder,
    Inputs,
    MediaError,
    Produced,
    SourceFile,
)
from orchestrator.transcoder.sources import Sources
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import Task, TaskState, TaskStore
from orchestrator.transcoder.tus import Uploads

_log = structlog.get_logger(__name__)

#: Seconds before a step of the store that failed (a full disk) is tried again.
_PAUSE = 5.0


class WorkQueue:
    """Runs tasks. What a task leaves behind is removed, however it ended."""

    def __init__(
        self,
        tasks: TaskStore,
        uploads: Uploads,
        sources: Sources,
        storage: Storage,
        encoder: Encoder,
        disk: Disk,
        folder: DataFolder,
    ) -> None:
        self._tasks, self._uploads, self._sources = tasks, uploads, sources
        self._storage, self._encoder, self._disk, self._folder = storage, encoder, disk, folder
        self._progress: dict[str, Mapping[str, float]] = {}
        self._news = asyncio.Semaphore(0)
        self._workers: list[asyncio.Task[None]] = []

    def start(self, workers: int, waiting: int) -> None:
        """Begin to work; ``waiting`` tasks are in the store already."""
        self._workers = [
            asyncio.create_task(self._work(), name=f"transcoder-worker-{number}")
            for number in range(workers)
        ]
        for _ in range(waiting):
            self.wake()

    def wake(self) -> None:
        """One more task may be waiting."""
        self._news.release()

    def progress(self, token: str) -> Mapping[str, float] | None:
        """The percent of each output of a task that is being encoded, by tag."""
        return self._progress.get(token)

    async def stop(self) -> None:
        """End all work; unfinished tasks are queued for the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    async def _work(self) -> None:
        while True:
            await self._news.acquire()
            try:
                task = await self._tasks.claim()
            except sqlite3.Error:
                _log.exception("claim_failed")
                await asyncio.sleep(_PAUSE)
                self.wake()
                continue
            if task is None:
                continue
            await self._run(task)
            if task.crashes:
                self.wake()  # others that a crash interrupted had to wait for this one

    async def _run(self, task: Task) -> None:
        _log.info("task_taken", task=task.token, crashes=task.crashes)
        try:
            await self._attempt(task)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(task))
            raise
        finally:
            self._progress.pop(task.token, None)

    async def _attempt(self, task: Task) -> None:
        facts: dict[str, Any] = {}
        outputs: Sequence[Mapping[str, Any]] = task.outputs
        error = None
        try:
            outputs = await self._produce(task, facts)
        except MediaError as problem:
            error = str(problem)
        except OSError as problem:
            error = _os_error(problem, task)
        except Exception:  # noqa: BLE001 - one task's end is not the worker's
            _log.exception("task_broke", task=task.token)
            error = "internal error"
        await self._end(task, outputs, facts, error)

    async def _produce(self, task: Task, facts: dict[str, Any]) -> list[dict[str, Any]]:
        query = parse_query(task.query or {})
        folder = self._folder.work / task.token
        await self._disk.run(remove, folder)
        folder.mkdir(mode=0o700)
        source = await self._sources.fetch(task.token, query.source or "", folder)
        facts["source_size"] = source.stat().st_size
        await self._tasks.move(task.token, TaskState.ENCODING)
        made = folder / "made"
        made.mkdir()
        inputs = Inputs((SourceFile(source),))
        encoded = await self._encoder.encode(query, inputs, made, self._watcher(task, query))
        warnings = [each.document() for each in encoded.warnings]
        facts.update(duration=encoded.duration, warnings=warnings)
        return await self._save(task, query, encoded)

    async def _save(self, task: Task, query: EncodeQuery, encoded: Encoded) -> list[dict[str, Any]]:
        await self._tasks.move(task.token, TaskState.SAVING)
        return await self._storage.store(task, query, encoded)

    def _watcher(self, task: Task, query: EncodeQuery) -> "_Watcher":
        percents = {record["tag"]: 0.0 for record in outline(query)}
        self._progress[task.token] = percents
        return _Watcher(percents)

    async def _end(
        self,
        task: Task,
        outputs: Sequence[Mapping[str, Any]],
        facts: dict[str, Any],
        error: str | None,
    ) -> None:
        """Record the outcome, however long the disk takes to have room for it.

        What the task would need to run again is removed only after that.
        """
        await self._disk.run(remove, self._folder.work / task.token)
        while True:
            try:
                await self._tasks.end(task.token, outputs, facts, error)
                break
            except sqlite3.Error:
                _log.exception("end_not_recorded", task=task.token)
                await asyncio.sleep(_PAUSE)
        if error is None:
            _log.info("task_completed", task=task.token, outputs=len(outputs))
        else:
            _log.warning("task_failed", task=task.token, error=error)
            await self._disk.run(self._storage.drop, [task.key])
        await self._uploads.remove_all(task.token)

    async def _give_back(self, task: Task) -> None:
        await self._tasks.release(task.token)
        await self._disk.run(remove, self._folder.work / task.token)
        _log.info("task_requeued", task=task.token)


class _Watcher:
    """Keeps the percent of each output where status answers find it."""

    def __init__(self, percents: dict[str, float]) -> None:
        self._percents = percents

    def progress(self, percents: Mapping[str, float]) -> None:
        self._percents.update(percents)

    async def landed(self, made: Produced) -> None:
        """Nothing here is shown before its task has ended."""


def _os_error(problem: OSError, task: Task) -> str:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.error("disk_full", task=task.token)
        return "the service's disk is full"
    _log.error("task_broke", task=task.token, exc_info=problem)
    return "internal error"
