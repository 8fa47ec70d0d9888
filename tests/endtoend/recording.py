"""A service that speaks the Qencode API and tus, encodes nothing, and keeps books.

It assumes the worst: every start that reaches it takes effect and would be paid
for, one more of the same task too. ``python -m tests.endtoend.recording BOOKS``
serves until it is ended, and says its URL on its first line.
"""

import asyncio
import json
import logging
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from tests.endtoend.books import START, TASK, UPLOAD, WHOLE, Books, digest_of, output_of

#: What can be ordered for a call: an answer that says busy, the connection broken
#: before the call takes effect, or after it.
BUSY, LOST, UNHEARD = "busy", "lost", "unheard"

#: Bytes of an output that are sent at once.
_PIECE = 16 * 1024


@dataclass
class Upload:
    """An upload: how long it will be, and what is there."""

    length: int
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Encode:
    """A start that took effect: when it began and ends (monotonic), what it makes."""

    began: float
    ends: float
    output: bytes


@dataclass
class Pace:
    """How slow the service is, in seconds, and how often it fails (0 to 1), by ``seed``."""

    encode: float = 0.05
    answer: float = 0.0
    trouble: float = 0.0
    seed: int = 0


class RecordingService:
    """The service. ``orders`` holds what is to go wrong with the next calls, by their names."""

    def __init__(self, books: Books, api_key: str, pace: Pace) -> None:
        self._books, self._key, self._pace = books, api_key, pace
        self._random = random.Random(pace.seed)
        self._good: set[str] = set()
        self.tokens: list[str] = []
        self.orders: dict[str, list[str]] = defaultdict(list)
        self.tasks: dict[str, Encode | None] = {}
        self.uploads: dict[str, Upload] = {}
        self.calls: list[str] = []

    def app(self) -> web.Application:
        """To be served."""
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/v1/{call:access_token|create_task|start_encode2|status}", self._api)
        app.router.add_route("*", "/v1/upload_file/{task}", self._tus)
        app.router.add_route("*", "/v1/upload_file/{task}/{upload}", self._tus)
        app.router.add_get("/v1/outputs/{task}.mp4", self._output)
        return app

    def expire_tokens(self) -> None:
        """From now on no token that was given is good."""
        self._good.clear()

    # --- the API ----------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.Response:
        call = request.match_info["call"]
        form = {name: str(value) for name, value in (await request.post()).items()}
        order = await self._ordered(request, call)
        if order == BUSY:
            busy = {"error": 8, "message": "System is busy", "retry_after": 0.05}
            return web.json_response(busy)
        answer = getattr(self, f"_{call}")(form, f"{request.scheme}://{request.host}")
        self._unheard(request, order)
        return web.json_response(answer)

    def _access_token(self, form: dict[str, str], base: str) -> dict[str, Any]:
        if form.get("api_key") != self._key:
            return {"error": 3, "message": "no such key"}
        token = uuid4().hex
        self._good.add(token)
        self.tokens.append(token)
        return {"error": 0, "token": token, "expire": "2099-12-31 23:59:59"}

    def _create_task(self, form: dict[str, str], base: str) -> dict[str, Any]:
        if form.get("token") not in self._good:
            return {"error": 5, "message": "the token is not known"}
        task = uuid4().hex
        self.tasks[task] = None
        self._books.enter(TASK, task=task)
        return {"error": 0, "task_token": task, "upload_url": f"{base}/v1/upload_file"}

    def _start_encode2(self, form: dict[str, str], base: str) -> dict[str, Any]:
        task = form.get("task_token", "")
        if task not in self.tasks:
            return {"error": 5, "message": "the token is not known"}
        source = json.loads(form["query"])["query"]["source"]
        upload = self.uploads.get(source.removeprefix("tus:"))
        digest = digest_of(upload.data if upload else source.encode())
        self._books.enter(
            START,
            task=task,
            payload=form.get("payload", ""),
            source=source,
            digest=digest,
            whole=upload is None or len(upload.data) == upload.length,
        )
        now = time.monotonic()
        length = self._random.uniform(0.2, 1.8) * self._pace.encode
        self.tasks[task] = Encode(now, now + length, output_of(digest))
        return {"error": 0, "status_url": f"{base}/v1/status"}

    def _status(self, form: dict[str, str], base: str) -> dict[str, Any]:
        tokens = form["task_tokens"].split(",")
        known = {token: self._report(token, base) for token in tokens if token in self.tasks}
        return {"error": 0, "statuses": known or []}

    def _report(self, task: str, base: str) -> dict[str, Any]:
        encode, now = self.tasks[task], time.monotonic()
        if encode is None:
            return {"status": "created", "error": 0}
        report = {"error": 0, "status_url": f"{base}/v1/status", "duration": "10.0"}
        if now < encode.ends:
            percent = 100 * (now - encode.began) / (encode.ends - encode.began)
            return report | {"status": "encoding", "percent": percent}
        video = {
            "url": f"{base}/v1/outputs/{task}.mp4",
            "tag": "video-0-0",
            "user_tag": "small",
            "size": len(encode.output) / 1e6,
        }
        return report | {"status": "completed", "percent": 100, "videos": [video]}

    # --- uploads -----------------------------------------------------------------

    async def _tus(self, request: web.Request) -> web.Response:
        order = await self._ordered(request, request.method)
        if order == BUSY:
            return web.Response(status=503, headers={"Retry-After": "0.05"})
        response = await getattr(self, f"_{request.method.lower()}")(request)
        self._unheard(request, order)
        response.headers["Tus-Resumable"] = "1.0.0"
        return response

    async def _options(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"Tus-Extension": "creation,creation-with-upload"})

    async def _post(self, request: web.Request) -> web.Response:
        if request.match_info["task"] not in self.tasks:
            return web.Response(status=404)
        name = uuid4().hex
        upload = self.uploads[name] = Upload(int(request.headers["Upload-Length"]))
        self._books.enter(UPLOAD, upload=name, length=upload.length)
        await self._take(request, name)
        headers = {
            "Location": f"{request.scheme}://{request.host}{request.path}/{name}",
            "Upload-Offset": str(len(upload.data)),
        }
        return web.Response(status=201, headers=headers)

    async def _head(self, request: web.Request) -> web.Response:
        upload = self.uploads.get(request.match_info.get("upload", ""))
        if upload is None:
            return web.Response(status=404)
        headers = {"Upload-Offset": str(len(upload.data)), "Upload-Length": str(upload.length)}
        return web.Response(headers=headers | {"Cache-Control": "no-store"})

    async def _patch(self, request: web.Request) -> web.Response:
        name = request.match_info["upload"]
        upload = self.uploads.get(name)
        if upload is None:
            return web.Response(status=404)
        if int(request.headers["Upload-Offset"]) != len(upload.data):
            return web.Response(status=409)
        await self._take(request, name)
        return web.Response(status=204, headers={"Upload-Offset": str(len(upload.data))})

    async def _take(self, request: web.Request, name: str) -> None:
        """Keep what arrives as it arrives: a connection that breaks leaves its part.

        Bytes of a connection that another one has overtaken are dropped.
        """
        upload, at = self.uploads[name], len(self.uploads[name].data)
        async for piece in request.content.iter_any():
            if len(upload.data) != at:
                raise web.HTTPConflict
            upload.data += piece[: upload.length - at]
            at = len(upload.data)
        if at == upload.length:
            self._books.enter(WHOLE, upload=name, digest=digest_of(upload.data))

    # --- outputs -------------------------------------------------------------------

    async def _output(self, request: web.Request) -> web.StreamResponse:
        order = await self._ordered(request, "output")
        encode = self.tasks.get(request.match_info["task"])
        if encode is None or order == BUSY:
            return web.Response(status=404 if encode is None else 503, headers={"Retry-After": "0"})
        begin = request.http_range.start or 0
        left = encode.output[begin:]
        response = web.StreamResponse(status=206 if begin else 200)
        response.content_length = len(left)
        if begin:
            size = len(encode.output)
            response.headers["Content-Range"] = f"bytes {begin}-{size - 1}/{size}"
        await response.prepare(request)
        for at in range(0, len(left), _PIECE):
            await response.write(left[at : at + _PIECE])
            await self._tarry()
        await response.write_eof()
        return response

    # --- trouble ---------------------------------------------------------------------

    async def _ordered(self, request: web.Request, call: str) -> str | None:
        """What is to go wrong with this call; breaks its connection where that comes first."""
        self.calls.append(call)
        await self._tarry()
        order = self.orders[call].pop(0) if self.orders[call] else None
        if order is None and self._random.random() < self._pace.trouble:
            order = self._random.choice([BUSY, LOST, UNHEARD])
        if order == LOST:
            _cut(request)
        return order

    @staticmethod
    def _unheard(request: web.Request, order: str | None) -> None:
        if order == UNHEARD:
            _cut(request)

    async def _tarry(self) -> None:
        if self._pace.answer:
            await asyncio.sleep(self._random.uniform(0, 2 * self._pace.answer))


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("told to")


@asynccontextmanager
async def serving(service: RecordingService) -> AsyncIterator[str]:
    """Serves on a free port of loopback; the URL."""
    runner = web.AppRunner(service.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _main(books: str, key: str, pace: Pace) -> None:
    logging.disable()  # broken connections are what it is for
    async with serving(RecordingService(Books(Path(books)), key, pace)) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], Pace(**json.loads(sys.argv[3]))))
