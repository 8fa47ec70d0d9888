"""An endpoint for callbacks: a plain web server on loopback that keeps what it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web


class Endpoint:
    """``answers`` are the statuses of the next answers; after them it is 200."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.heard: list[dict[str, str]] = []
        self.types: set[str] = set()
        self._news = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        self.types.add(request.headers["Content-Type"])
        fields = parse_qs((await request.read()).decode(), keep_blank_values=True)
        async with self._news:
            self.heard.append({name: values[0] for name, values in fields.items()})
            self._news.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def events(self, task: str, type_: str = "task") -> list[str]:
        return [
            each["event"]
            for each in self.heard
            if each["task_token"] == task and each["callback_type"] == type_
        ]

    async def until(self, task: str, event: str, type_: str = "task") -> dict[str, Any]:
        """Wait for an event of a task; the answer is the status that came with it."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: event in self.events(task, type_))
        found = [
            each
            for each in self.heard
            if (each["task_token"], each["event"], each["callback_type"]) == (task, event, type_)
        ]
        return json.loads(found[0]["status"])


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/{path:.*}", endpoint.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=s3cr3t-hook"
        yield endpoint
    finally:
        await runner.cleanup()
