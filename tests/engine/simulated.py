"""A simulated service, uploader and collector on the event loop's clock.

The service keeps its own books (``starts``, by source), so that a test can ask
what really happened there, whatever the engine believes.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from orchestrator.model.errors import (
    BadRequest,
    EncodeFailed,
    OutcomeUnknown,
    SourceMissing,
    Transient,
    UploadGone,
    VerificationFailed,
)
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import Phase, TaskReport, UploadWatcher
from tests.simulation.clock import LoopClock as LoopClock

#: Where in a call something goes wrong.
BEFORE, AFTER = "before", "after"


@dataclass
class _Task:
    token: str
    source: str = ""
    started_at: float | None = None
    duration: float = 0.0
    fault: Exception | None = None
    replaced_by: str | None = None


@dataclass
class Trouble:
    """Errors to raise, by call name: ``(error, BEFORE or AFTER its effect)``."""

    plans: dict[str, list[tuple[Exception, str]]] = field(default_factory=lambda: defaultdict(list))

    def plan(self, call: str, error: Exception, when: str = BEFORE, times: int = 1) -> None:
        self.plans[call] += [(error, when)] * times

    def take(self, call: str, when: str) -> None:
        plans = self.plans[call]
        if plans and plans[0][1] == when:
            raise plans.pop(0)[0]


class SimulatedService:
    """Encodes for ``duration`` seconds; every answer takes ``latency``."""

    def __init__(
        self,
        name: str = "simulated",
        *,
        duration: Callable[[str], float] = lambda source: 30.0,
        latency: float = 0.01,
    ) -> None:
        self.name = name
        self.trouble = Trouble()
        self.tasks: dict[str, _Task] = {}
        self.starts: Counter[str] = Counter()
        self.order: list[str] = []
        self.calls: Counter[str] = Counter()
        self.asked: list[tuple[str | None, int]] = []
        self.most_running = 0
        self.faults: dict[str, Exception] = {}
        self.dead_urls: set[str] = set()
        self.status_url: str | None = None
        self._duration = duration
        self._latency = latency
        self._tokens = itertools.count(1)
        self._ends: list[float] = []

    async def prepare(self, attempt: Attempt) -> Attempt:
        await self._enter("prepare")
        token = f"task-{next(self._tokens)}"
        self.tasks[token] = _Task(token)
        return replace(attempt, task=token, upload_to="/upload")

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        await self._enter("start")
        task = self.tasks.get(attempt.task or "")
        if task is None:
            raise BadRequest("no such task")
        self._begin(task, str(request["query"]["source"]))
        self.trouble.take("start", AFTER)
        return self.status_url or "/status"

    def _begin(self, task: _Task, source: str) -> None:
        if task.started_at is not None:
            raise BadRequest("this task has been started already")
        task.source, task.started_at = source, anyio.current_time()
        task.duration = self._duration(source)
        task.fault = self.faults.get(source)
        self.starts[source] += 1
        self.order.append(source)
        heapq.heappush(self._ends, task.started_at + task.duration)
        self.most_running = max(self.most_running, self.running())

    def running(self) -> int:
        """How many encodes are going on; those that have ended are forgotten."""
        while self._ends and self._ends[0] <= anyio.current_time():
            heapq.heappop(self._ends)
        return len(self._ends)

    def restart_as(self, token: str, new: str) -> None:
        """What ``retry_on_error`` does: the same work goes on under a new task."""
        old = self.tasks[token]
        self.tasks[new] = replace(old, token=new, started_at=anyio.current_time())
        old.replaced_by, old.fault = new, EncodeFailed("restarted")

    async def find(self, attempt: Attempt) -> TaskReport | None:
        await self._enter("find")
        task = self.tasks.get(attempt.task or "")
        return None if task is None or task.started_at is None else self._report(task)

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        if status_url in self.dead_urls:
            raise Transient(f"{status_url} is dead")
        await self._enter("report")
        self.asked.append((status_url, len(tasks)))
        known = (self.tasks[token] for token in tasks if token in self.tasks)
        return {task.token: self._report(task) for task in known}

    async def check(self) -> str:
        return "simulated"

    async def _enter(self, call: str) -> None:
        self.calls[call] += 1
        await anyio.sleep(self._latency)
        self.trouble.take(call, BEFORE)

    def _phase(self, task: _Task) -> Phase:
        if task.started_at is None:
            return Phase.QUEUED
        over = anyio.current_time() - task.started_at >= task.duration
        if task.fault is not None and over:
            return Phase.FAULTED
        return Phase.DONE if over else Phase.RUNNING

    def _report(self, task: _Task) -> TaskReport:
        phase = self._phase(task)
        elapsed = anyio.current_time() - (task.started_at or anyio.current_time())
        outputs = (Output("video-0-0", "video", f"/out/{task.token}.mp4", size=1000),)
        return TaskReport(
            task=task.token,
            phase=phase,
            percent=100.0 if phase is Phase.DONE else 100.0 * elapsed / max(task.duration, 1e-9),
            status_url=self.status_url,
            outputs=outputs if phase is Phase.DONE else (),
            fault=task.fault if phase is Phase.FAULTED else None,
            replaced_by=task.replaced_by,
        )


class SimulatedUploader:
    """Takes ``seconds`` for a file; remembers how far each upload came."""

    def __init__(self, seconds: float = 1.0, steps: int = 4) -> None:
        self.trouble = Trouble()
        self.offsets: dict[str, int] = {}
        self.uploaded: Counter[str] = Counter()
        self.resumed: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._seconds = seconds
        self._steps = steps
        self._urls = itertools.count(1)

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._upload(path, attempt, watcher)
        finally:
            self._at_once -= 1

    async def _upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        url = attempt.upload_url
        if url is None:
            url = f"/upload/{next(self._urls)}"
            self.offsets[url] = 0
            await watcher.created(url)
        elif url not in self.offsets:
            raise UploadGone(f"{url} is gone")
        else:
            self.resumed.append(self.offsets[url])
        while self.offsets[url] < self._steps:
            await anyio.sleep(self._seconds / self._steps)
            self.trouble.take("upload", BEFORE)
            self.offsets[url] += 1
            watcher.sent(self.offsets[url], self._steps)
        self.uploaded[str(path)] += 1
        return f"tus:{path.name}"


class SimulatedCollector:
    """Collecting takes ``seconds``."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.trouble = Trouble()
        self.collected: Counter[str] = Counter()
        self._seconds = seconds

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        await anyio.sleep(self._seconds)
        self.trouble.take("collect", BEFORE)
        got(1000, 1000)
        self.collected[item.key] += 1
        return tuple(replace(output, path=f"/collected/{item.key}") for output in outputs)


class SimulatedVerifier:
    """Verifying takes ``seconds``; outputs at paths in ``wrong`` fail."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.verified: Counter[str] = Counter()
        self.wrong: set[str] = set()
        self.notes: tuple[str, ...] = ()
        self._seconds = seconds

    async def verify(self, item: Item, outputs: Sequence[Output]) -> tuple[str, ...]:
        await anyio.sleep(self._seconds)
        self.verified[item.key] += 1
        for output in outputs:
            if output.path in self.wrong:
                raise VerificationFailed(f"{output.path}: expected more; there is less")
        return self.notes if any(output.path for output in outputs) else ()


class SimulatedSources:
    """Fingerprints by path; a path that is not there is missing."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = defaultdict(lambda: "v1")
        self.missing: set[str] = set()

    async def fingerprint(self, path: str) -> str:
        if path in self.missing:
            raise SourceMissing(f"{path} is not there")
        return self.versions[path]


class PlainRecipe:
    """The smallest request; also gives the ledger its versions."""

    def request(self, item: Item) -> Mapping[str, Any]:
        source = item.attempt.remote_source if item.attempt else None
        return {"query": {"source": source, "format": [{"output": "mp4"}]}}

    def payload(self, item: Item) -> str | None:
        return item.key

    def digest(self, row: object) -> str:
        return "digest"

    def folder(self, row: object) -> str:
        return ""

    def check(self, row: object) -> None:
        return None


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, str, str]] = []
        self.notes: list[str] = []

    def moved(self, item: Item, was: str) -> None:
        self.moves.append((item.key, str(was), str(item.state)))

    def sent(self, item: Item, done: int, total: int) -> None: ...

    def percent(self, item: Item, phase: Phase, percent: float) -> None: ...

    def got(self, item: Item, done: int, total: int | None) -> None: ...

    def note(self, message: str) -> None:
        self.notes.append(message)

    def count(self, state: str) -> int:
        return sum(now == state for _, _, now in self.moves)


def lost_answer() -> OutcomeUnknown:
    return OutcomeUnknown("the answer was lost")
