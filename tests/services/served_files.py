"""A folder served over HTTP, as a service serves its outputs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from orchestrator.model.items import Output


@dataclass
class Files:
    """Serves a folder, ranges included, and notes what was asked for.

    Requests for what ends in ``held`` are answered when ``release`` is set;
    ``holding`` is when ``full`` of them wait. ``most`` is how many requests there
    were at once.
    """

    folder: Path
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    held: str | None = None
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    full: int = 1
    now: int = 0
    most: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Range", "")))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.held is not None and request.path.endswith(self.held):
                if self.now == self.full:
                    self.holding.set()
                await self.release.wait()
            path = self.folder / request.path.lstrip("/")
            return web.FileResponse(path) if path.is_file() else web.Response(status=404)
        finally:
            self.now -= 1

    def offer(self, name: str, data: bytes, kind: str = "video") -> Output:
        """Have a file there; an output that is it."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        return Output("video-0-0", kind, f"/{name}", user_tag=name, size=len(data))

    def paths(self) -> list[str]:
        """What was asked for, in order; forgets it."""
        asked = [path for path, _ in self.asked]
        self.asked.clear()
        return asked


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Files]:
    """Serve ``folder`` on a port of its own."""
    served = Files(folder)
    app = web.Application()
    app.router.add_get("/{tail:.*}", served.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = "http://{}:{}".format(*runner.addresses[0])
    try:
        yield served
    finally:
        served.release.set()
        await runner.cleanup()


def inside(folder: Path) -> list[str]:
    """Every file under a folder."""
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
