"""The simulated service as one process of the engine has it: calls, links, lost answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.model.errors import (
    BadRequest,
    Busy,
    OutcomeUnknown,
    TaskLost,
    Transient,
    Unreachable,
    UploadGone,
)
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import TaskReport, UploadWatcher
from tests.simulation.life import Life
from tests.simulation.world import World, master_of, master_url

NAME = "stormy"

#: Chunks of an upload.
CHUNKS = 2


class StormyService:
    """``model.ports.Service``: the world as it answers one process, while that lives."""

    name = NAME

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    async def prepare(self, attempt: Attempt) -> Attempt:
        now = await self._enter("prepare")
        token = self._world.reserve(now)
        return replace(attempt, task=token, upload_to=f"/upload/{token}")

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        world, token = self._world, attempt.task or ""
        source = str(request["query"]["source"])
        try:
            now = await self._enter("start")
        except asyncio.CancelledError:
            # It had left before the process died: it may arrive all the same.
            if world.chance.random() < 0.5 and token not in world.tasks:
                world.arrive_late(token, source, _now())
            raise
        self._refuse(token, now)
        if world.chance.random() < world.weather.lost:
            if world.chance.random() < world.weather.late:
                world.arrive_late(token, source, now)
            raise OutcomeUnknown("lost on its way there")
        task = world.begin(token, source, now)
        self._life.step()
        if world.chance.random() < world.weather.lost:
            raise OutcomeUnknown("lost on its way back")
        return master_url(task.master)

    async def find(self, attempt: Attempt) -> TaskReport | None:
        return self._world.report(attempt.task or "", await self._enter("find"))

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        now = await self._enter("report")
        if status_url is not None and self._world.is_dead(master_of(status_url), now):
            raise Unreachable(f"no connection to {status_url}")
        found = {token: self._world.report(token, now) for token in tasks}
        return {token: report for token, report in found.items() if report is not None}

    async def check(self) -> str:
        return "simulated"

    def _refuse(self, token: str, now: float) -> None:
        world = self._world
        if not world.knows(token, now):
            raise TaskLost(f"{token} is not known, or has expired")
        if token in world.tasks:
            raise BadRequest(f"{token} was started already")
        if world.is_full:
            world.refused += 1
            named = world.chance.random() < 0.3
            raise Busy("no place free", world.chance.uniform(1, 20) if named else None)

    async def _enter(self, call: str) -> float:
        """A request on its way there; the answer is when it arrives."""
        world, chance, weather = self._world, self._world.chance, self._world.weather
        self._life.step()
        world.calls[call] += 1
        is_slow = chance.random() < weather.slow
        await asyncio.sleep(chance.uniform(5, 60) if is_slow else chance.uniform(0.02, 0.3))
        self._life.step()
        now = _now()
        world.until(now)
        if now < world.away_until:
            raise Unreachable("connection refused")
        drawn = chance.random()
        if drawn < weather.hiccup:
            raise OutcomeUnknown("HTTP 502") if call == "start" else Transient("HTTP 502")
        if drawn < weather.hiccup + weather.throttled:
            raise Busy("too many requests", chance.uniform(1, 60))
        return now


class Line:
    """``model.ports.Uploader`` and ``Collector``: broken off now and then, sometimes slow."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        uploads, url = self._world.uploads, attempt.upload_url
        if url is None:
            url = f"{attempt.upload_to}/{len(uploads)}"
            uploads[url] = 0
            await watcher.created(url)
        elif url not in uploads:
            raise UploadGone(f"{url} is gone")
        while uploads[url] < CHUNKS:
            await self._moves(uploads, url)
            uploads[url] += 1
            watcher.sent(uploads[url], CHUNKS)
        return str(path)

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        await self._moves(None, "")
        got(1000, 1000)
        return tuple(replace(output, path=f"/collected/{item.id}") for output in outputs)

    async def _moves(self, uploads: dict[str, int] | None, url: str) -> None:
        chance, weather = self._world.chance, self._world.weather
        self._life.step()
        is_slow = chance.random() < weather.slow
        await asyncio.sleep(chance.uniform(10, 120) if is_slow else chance.uniform(0.1, 1))
        self._life.step()
        drawn = chance.random()
        if drawn < weather.hiccup:
            raise Transient("connection reset")
        if uploads is not None and drawn < 1.2 * weather.hiccup:
            del uploads[url]
            raise UploadGone(f"{url} is gone")


def _now() -> float:
    return asyncio.get_running_loop().time()
