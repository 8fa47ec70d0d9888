"""A service, on a virtual clock, that does to the engine what services do.

Everything is drawn from one generator, so that a seed replays it. It keeps its own
books (``begun``): what really happened, whatever the engine believes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.model.errors import (
    BadRequest,
    Busy,
    EncodeFailed,
    OutcomeUnknown,
    Transient,
    Unreachable,
)
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import Phase, TaskReport, UploadWatcher


@dataclass(frozen=True, slots=True)
class Weather:
    """How often what goes wrong: each a probability per call, or per encode."""

    lost: float = 0.01
    hiccup: float = 0.01
    fails: float = 0.01
    replaced: float = 0.005
    dead_master: float = 0.01
    named_delay: float = 0.3
    outage_every: float = 3600.0
    lowest: int = 50
    highest: int = 500


@dataclass(slots=True)
class _Task:
    source: str
    began: float
    duration: float
    master: str
    fails: bool
    replaced_by: str | None = None
    ended: bool = False


class StormyService:
    """``model.ports.Service`` of a bad night. ``digest`` hears of everything that happens."""

    name = "stormy"

    def __init__(
        self, chance: random.Random, weather: Weather, heard: Callable[[str], None]
    ) -> None:
        self.begun: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.refused = 0
        self.running = 0
        self._chance = chance
        self._weather = weather
        self._heard = heard
        self._reserved: set[str] = set()
        self._tasks: dict[str, _Task] = {}
        self._dead: set[str] = set()
        self._capacity = weather.highest
        self._next_move = 0.0
        self._outage = (weather.outage_every, weather.outage_every + 60.0)

    async def prepare(self, attempt: Attempt) -> Attempt:
        await self._enter("prepare")
        token = f"task-{len(self._reserved) + 1}"
        self._reserved.add(token)
        return replace(attempt, task=token, upload_to="/upload")

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        await self._enter("start")
        token, source = attempt.task or "", str(request["query"]["source"])
        if token not in self._reserved or token in self._tasks:
            raise BadRequest(f"{token} is unknown, or was started already")
        if self.running >= self._capacity:
            self.refused += 1
            named = self._chance.random() < self._weather.named_delay
            raise Busy("no place free", self._chance.uniform(1, 20) if named else None)
        if self._chance.random() < self._weather.lost:
            raise OutcomeUnknown("lost on its way there")
        status_url = self._begin(token, source)
        if self._chance.random() < self._weather.lost:
            raise OutcomeUnknown("lost on its way back")
        return status_url

    async def find(self, attempt: Attempt) -> TaskReport | None:
        await self._enter("find")
        return self._report(attempt.task or "")

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        await self._enter("report")
        if status_url in self._dead:
            raise Unreachable(f"{status_url} is dead")
        found = {token: self._report(token) for token in tasks}
        return {token: report for token, report in found.items() if report is not None}

    async def check(self) -> str:
        return "simulated"

    # --- what happens there -----------------------------------------------------

    def _begin(self, token: str, source: str) -> str:
        chance, weather = self._chance, self._weather
        master = f"/status/{chance.randrange(8)}"
        duration = 120.0 * chance.lognormvariate(0, 0.6)
        now = asyncio.get_running_loop().time()
        task = _Task(source, now, duration, master, chance.random() < weather.fails)
        self._tasks[token] = task
        self.begun[source] += 1
        self.running += 1
        self._heard(f"{now:.3f} begun {source}")
        asyncio.get_running_loop().call_later(duration, self._end, task)
        if chance.random() < weather.replaced:
            asyncio.get_running_loop().call_later(duration / 2, self._replace, token)
        if chance.random() < weather.dead_master:
            self._dead ^= {master}
        return master

    def _end(self, task: _Task) -> None:
        task.ended = True
        self.running -= 1

    def _replace(self, token: str) -> None:
        """``retry_on_error``: the same work goes on, as another task."""
        task = self._tasks[token]
        if not task.ended and task.replaced_by is None:
            task.replaced_by = f"{token}-again"
            self._tasks[task.replaced_by] = replace(task, replaced_by=None)
            asyncio.get_running_loop().call_later(
                task.duration, setattr, self._tasks[task.replaced_by], "ended", True
            )

    def _report(self, token: str) -> TaskReport | None:
        task = self._tasks.get(token)
        if task is None:
            return None
        now = asyncio.get_running_loop().time()
        phase = Phase.RUNNING if not task.ended else Phase.FAULTED if task.fails else Phase.DONE
        done = phase is Phase.DONE
        return TaskReport(
            task=token,
            phase=phase,
            percent=100.0 if done else min(99.0, 100 * (now - task.began) / task.duration),
            status_url=task.master,
            duration=task.duration,
            outputs=(Output("video-0-0", "video", f"/out/{token}.mp4", size=1000),) if done else (),
            fault=EncodeFailed("it can't be read") if phase is Phase.FAULTED else None,
            replaced_by=task.replaced_by,
        )

    async def _enter(self, call: str) -> None:
        self.calls[call] += 1
        await asyncio.sleep(self._chance.uniform(0.02, 0.3))
        now = asyncio.get_running_loop().time()
        self._move(now)
        begins, ends = self._outage
        if begins <= now < ends:
            raise Unreachable("connection refused")
        if now >= ends:
            begins = now + self._chance.uniform(0.5, 1.5) * self._weather.outage_every
            self._outage = (begins, begins + self._chance.uniform(10, 300))
        if self._chance.random() < self._weather.hiccup:
            raise Transient("HTTP 502") if call != "start" else OutcomeUnknown("HTTP 502")

    def _move(self, now: float) -> None:
        if now >= self._next_move:
            weather = self._weather
            moved = self._capacity * self._chance.lognormvariate(0, 0.25)
            self._capacity = round(min(weather.highest, max(weather.lowest, moved)))
            self._next_move = now + self._chance.uniform(60, 180)


class Line:
    """``model.ports.Uploader`` and ``Collector``: slow, and broken off now and then."""

    def __init__(self, chance: random.Random, weather: Weather) -> None:
        self._chance = chance
        self._weather = weather
        self._offsets: dict[str, int] = {}

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        url = attempt.upload_url or f"/upload/{len(self._offsets) + 1}"
        if url not in self._offsets:
            self._offsets[url] = 0
            await watcher.created(url)
        while self._offsets[url] < 2:
            await asyncio.sleep(self._chance.uniform(0.1, 2))
            self._trip()
            self._offsets[url] += 1
            watcher.sent(self._offsets[url], 2)
        return str(path)

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        await asyncio.sleep(self._chance.uniform(0.05, 0.5))
        self._trip()
        got(1000, 1000)
        return tuple(replace(output, path=f"/collected/{item.id}") for output in outputs)

    def _trip(self) -> None:
        if self._chance.random() < self._weather.hiccup:
            raise Transient("connection reset")
