"""The Qencode API in a few lines, for the client's tests: real HTTP, no encoding."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web

API_KEY = "the-api-key-of-the-tests"


@dataclass
class QencodeServer:
    """``refusals`` holds, by method, documents that are answered once each instead."""

    url: str = ""
    expire: Any = "2099-12-31 23:59:59"
    refusals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    tasks: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    started: list[Mapping[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.log.append(method)
        if waiting := self.refusals.get(method):
            return web.json_response(waiting.pop(0))
        return web.json_response(getattr(self, f"do_{method}")(form))

    def do_access_token(self, form: dict[str, str]) -> dict[str, Any]:
        if form["api_key"] != API_KEY:
            return {"error": 3, "message": f"no such key {form['api_key']}"}
        self.tokens.append(f"session-{uuid4().hex}")
        self.good.add(self.tokens[-1])
        return {"error": 0, "token": self.tokens[-1], "expire": self.expire}

    def do_create_task(self, form: dict[str, str]) -> dict[str, Any]:
        if form["token"] not in self.good:
            return {"error": 5, "message": f"unknown token {form['token']}"}
        task = uuid4().hex
        self.tasks[task] = None
        return {"error": 0, "task_token": task, "upload_url": f"{self.url}/v1/upload_file"}

    def do_start_encode2(self, form: dict[str, str]) -> dict[str, Any]:
        query = orjson.loads(form["query"])
        if "query" not in query:
            return {"error": 19, "message": "query field is required"}
        if form["task_token"] not in self.tasks:
            return {"error": 5}
        self.started.append({**form, "query": query})
        self.tasks[form["task_token"]] = {
            "status": "queued",
            "error": 0,
            "status_url": f"{self.url}/v1/status",
        }
        return {"error": 0, "status_url": f"{self.url}/v1/status"}

    def do_status(self, form: dict[str, str]) -> dict[str, Any]:
        tokens = form["task_tokens"].split(",")
        if "bad" in tokens:
            return {"error": 13, "message": "task_tokens"}
        known = {token: self.tasks[token] for token in tokens if token in self.tasks}
        return {"error": 0, "statuses": known or []}


@asynccontextmanager
async def qencode_server() -> AsyncIterator[QencodeServer]:
    """A running server."""
    server = QencodeServer()
    app = web.Application()
    app.router.add_post("/v1/{method}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
