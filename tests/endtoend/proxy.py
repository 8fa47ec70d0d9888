"""A proxy between the engine and the service, that can hold requests at chosen points."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

#: Where a request can be held: before the service sees it, or before its answer goes back.
REQUEST, ANSWER = "request", "answer"

_HOP = {"connection", "transfer-encoding", "keep-alive", "te", "upgrade", "content-encoding"}


class Proxy:
    """Forwards everything to ``upstream``; ``hold`` stops requests whose path has a word.

    An async context manager; ``url`` is where it listens. The service sees the
    proxy's address as its own, so that every URL it names leads through here.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = URL(upstream)
        self.url = ""
        self.seen: Counter[str] = Counter()
        self.reached: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self._counted = asyncio.Condition()
        self._held: dict[tuple[str, str], asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**40)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for held in self._held.values():
            held.set()
        await self._runner.cleanup()
        await self._session.close()

    def hold(self, word: str, at: str = REQUEST) -> None:
        """From now on, hold requests whose path has ``word``."""
        self._held[word, at] = asyncio.Event()

    def release(self, word: str, at: str = REQUEST) -> None:
        """Let them go on, and later ones too."""
        self._held.pop((word, at)).set()

    async def count(self, request: str, times: int) -> None:
        """Until ``request`` ("PATCH upload_file") has been seen so many times."""
        async with self._counted:
            await self._counted.wait_for(lambda: self.seen[request] >= times)

    async def _pass(self, path: str, at: str) -> None:
        for (word, place), gate in list(self._held.items()):
            if place == at and word in path:
                self.reached[word, at].set()
                await gate.wait()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        async with self._counted:
            self.seen[f"{request.method} {path.split('/')[2]}"] += 1
            self._counted.notify_all()
        await self._pass(path, REQUEST)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in _HOP
        }
        url = self.upstream.join(URL(request.raw_path, encoded=True))
        body = request.content if request.body_exists else None
        try:
            answer = await self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            )
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()  # the service is away: so are we
            raise
        async with answer:
            await self._pass(path, ANSWER)
            kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOP]
            response = web.StreamResponse(status=answer.status, headers=dict(kept))
            with suppress(ConnectionError):
                await response.prepare(request)
                async for piece in answer.content.iter_chunked(2**18):
                    await response.write(piece)
                await response.write_eof()
        return response
