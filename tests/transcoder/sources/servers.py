"""Servers on loopback that have a film."""

import contextlib
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

FILM = b"".join(number.to_bytes(4, "big") for number in range(1_000_000))


@contextlib.asynccontextmanager
async def serving(handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """``host:port`` of a web server where ``handler`` answers everything."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def send(request: web.Request, body: bytes, *, status: int = 200, **headers: str):
    """Send ``body`` under headers that may promise something else, and hang up."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = web.StreamResponse(status=status, headers=named)
    await response.prepare(request)
    if body:
        await response.write(body)
    request.transport.close()
    return response
