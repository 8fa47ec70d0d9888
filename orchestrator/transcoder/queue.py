"""The work queue: as many tasks at a time as there are workers, in the order of their starts."""

import asyncio
import errno
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from orchestrator.query import EncodeQuery
from orchestrator.storage.disk import Disk
from orchestrator.transcoder.answers import busy
from orchestrator.transcoder.chains import Chains, tags_of
from orchestrator.transcoder.disk import remove
from orchestrator.transcoder.edge.query import read_request
from orchestrator.transcoder.events import Event, Happened
from orchestrator.transcoder.folders import DataFolder
from orchestrator.transcoder.losses import ignored
from orchestrator.transcoder.outcome import Outputs
from orchestrator.transcoder.ports import (
    Encoded,
    Encoder,
    EncodingFailed,
    Inputs,
    MediaError,
    Notice,
    Produced,
)
from orchestrator.transcoder.room import Room
from orchestrator.transcoder.sources import Sources
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.storing import Storing
from orchestrator.transcoder.tasks import Retry, Task, TaskState, TaskStore
from orchestrator.transcoder.tus import Uploads

_log = structlog.get_logger(__name__)

#: Seconds before a step of the store that failed (a full disk) is tried again.
_PAUSE = 5.0


@dataclass(slots=True)
class _Work:
    """A task that a worker has, and what has come of it so far."""

    task: Task
    query: EncodeQuery
    chains: dict[int, str]
    outputs: Outputs
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task) -> "_Work":
        """Raises ``MediaError`` where its query can't be read any more."""
        if task.query is None:
            raise MediaError("the request can't be read any more: the service has lost its key")
        query = read_request(task.query)
        chains = tags_of(query)
        return cls(task, query, chains, Outputs(query, chains), {**task.facts, "warnings": []})

    def warn(self, notices: Iterable[Notice]) -> None:
        """Add to the warnings of the status."""
        self.facts["warnings"] += [each.document() for each in notices]


class WorkQueue:
    """Runs tasks. What a task leaves behind is removed, however it ended."""

    def __init__(
        self,
        tasks: TaskStore,
        uploads: Uploads,
        sources: Sources,
        storage: Storage,
        chains: Chains,
        encoder: Encoder,
        disk: Disk,
        folder: DataFolder,
        room: Room,
    ) -> None:
        self._tasks, self._uploads, self._sources = tasks, uploads, sources
        self._storage, self._chains, self._encoder = storage, chains, encoder
        self._disk, self._folder, self._room = disk, folder, room
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

    def check_room(self) -> None:
        """Refuse more work while the disk is nearly full. Raises ``ApiError``."""
        if not self._room.is_there():
            _log.warning("busy", reason="disk nearly full")
            raise busy("the service's disk is nearly full")

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
            await self._until_there_is_room()
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

    async def _until_there_is_room(self) -> None:
        """Waiting is better than failing: what is kept for a while goes by itself."""
        told = False
        while not self._room.is_there():
            if not told:
                _log.warning("work_waits", reason="disk nearly full")
                told = True
            await asyncio.sleep(_PAUSE)

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
        error: MediaError | None = None
        work: _Work | None = None
        try:
            work = _Work.of(task)
            await self._produce(work)
        except MediaError as problem:
            error = problem
        except OSError as problem:
            error = MediaError(_os_error(problem, task))
        except Exception:  # noqa: BLE001 - one task's end is not the worker's
            _log.exception("task_broke", task=task.token)
            error = MediaError("internal error")
        await self._end(task, work, error)

    async def _produce(self, work: _Work) -> None:
        task, query = work.task, work.query
        folder = self._folder.work / task.token
        await self._disk.run(remove, folder)
        work_folder = folder / "made"
        await self._disk.run(work_folder.mkdir, mode=0o700, parents=True)
        inputs = await self._sources.fetch_all(task.token, query, folder)
        work.facts["source_size"] = await self._disk.run(_size, inputs)
        inputs = replace(inputs, earlier=await self._chains.earlier(query, work.chains))
        await self._tasks.move(task.token, TaskState.ENCODING)
        storing = await self._storage.begin(task, query, self._saved(work))
        encoded = await self._encode(work, inputs, work_folder, storing)
        work.facts["duration"] = encoded.duration
        work.outputs.miss(encoded.missed)
        work.warn(encoded.warnings)
        await self._tasks.move(task.token, TaskState.SAVING)
        missed = await storing.finish(encoded)
        work.outputs.miss(missed)
        work.warn(ignored(missed))
        lost = {each.format_index for each in missed}
        if encoded.outputs and len(lost) == len(encoded.outputs):
            raise MediaError("; ".join(dict.fromkeys(each.reason for each in missed)))
        for made in encoded.outputs:
            if made.format_index not in lost:
                await self._chains.keep(query, work.chains, made)

    async def _encode(self, work: _Work, inputs: Inputs, made: Path, storing: Storing) -> Encoded:
        """Raises ``EncodingFailed`` for what another try may do better."""
        self._progress[work.task.token] = work.outputs.percents
        watcher = _Watcher(work.outputs.percents, storing)
        try:
            return await self._room.watch(self._encoder.encode(work.query, inputs, made, watcher))
        except OSError as problem:
            raise EncodingFailed(_os_error(problem, work.task)) from problem
        except MediaError:
            raise
        except Exception as problem:
            _log.exception("encode_broke", task=work.task.token)
            raise EncodingFailed("internal error") from problem

    def _saved(self, work: _Work) -> "_Saved":
        return _Saved(work, self._tasks)

    async def _end(self, task: Task, work: _Work | None, error: MediaError | None) -> None:
        """Record the outcome, however long the disk takes to have room for it.

        What the task would need to run again is removed only after that.
        """
        await self._disk.run(remove, self._folder.work / task.token)
        outputs: Sequence[Mapping[str, Any]] = task.outputs
        if work is not None:
            outputs = work.outputs.finished() if error is None else work.outputs.failed()
        facts = work.facts if work else task.facts
        reason = None if error is None else str(error)
        retry = self._retry(work, error)
        again = None
        while True:
            try:
                again = await self._tasks.end(task.token, outputs, facts, reason, retry)
                break
            except sqlite3.Error:
                _log.exception("end_not_recorded", task=task.token)
                await asyncio.sleep(_PAUSE)
        if error is None:
            _log.info("task_completed", task=task.token, outputs=len(outputs))
        else:
            _log.warning("task_failed", task=task.token, error=reason)
            await self._disk.run(self._storage.drop, [task.key])
        if again is not None:
            _log.info("task_restarted", task=task.token, again=again)
            self.wake()
        await self._uploads.remove_all(task.token)

    def _retry(self, work: _Work | None, error: MediaError | None) -> Retry | None:
        """The documents: not where the source, its download or a destination is at fault."""
        if work is None or not work.query.retry_on_error:
            return None
        if not isinstance(error, EncodingFailed):
            return None
        return Retry("" if self._room.is_there() else "the service's disk is nearly full")

    async def _give_back(self, task: Task) -> None:
        await self._tasks.release(task.token)
        await self._disk.run(remove, self._folder.work / task.token)
        _log.info("task_requeued", task=task.token)


class _Watcher:
    """Keeps the percent of each output where status answers find it, and stores what lands."""

    def __init__(self, percents: dict[str, float], storing: Storing) -> None:
        self._percents, self._storing = percents, storing

    def progress(self, percents: Mapping[str, float]) -> None:
        self._percents.update(percents)

    async def landed(self, made: Produced) -> None:
        await self._storing.land(made)


class _Saved:
    """Notes what is stored in the task's status, as soon as it is."""

    def __init__(self, work: _Work, tasks: TaskStore) -> None:
        self._work, self._tasks = work, tasks

    async def __call__(self, records: Sequence[dict[str, Any]], more: bool) -> None:
        outputs = self._work.outputs
        outputs.store(records, whole=not more)
        tags = tuple(record["tag"] for record in records)
        event = Event(Happened.LANDED if more else Happened.STORED, tags)
        await self._tasks.note(self._work.task.token, outputs.records, event)


def _size(inputs: Inputs) -> int:
    return sum(path.stat().st_size for path in {each.path for each in inputs.sources})


def _os_error(problem: OSError, task: Task) -> str:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.error("disk_full", task=task.token)
        return "the service's disk is full"
    _log.error("task_broke", task=task.token, exc_info=problem)
    return "internal error"
