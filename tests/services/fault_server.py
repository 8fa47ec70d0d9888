"""A server on a bare socket that does to each request what it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

#: Instead of an answer: break the connection, close it, say nothing for ever.
RESET, CLOSE, HANG = "reset", "close", "hang"
#: The same before a byte of the request was read.
RESET_AT_ONCE = "reset at once"


def answer(
    body: bytes | dict[str, object] | list[object] = b"",
    status: int = 200,
    *,
    length: int | None = None,
    **headers: str,
) -> bytes:
    """An HTTP answer as bytes; ``length`` is a Content-Length that may be wrong."""
    if not isinstance(body, bytes):
        body = orjson.dumps(body)
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {size}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class FaultServer:
    """``script`` holds an answer as bytes, or one of the words above, for each request."""

    url: str = ""
    script: list[bytes | str] = field(default_factory=list)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def does(self, *script: bytes | str) -> "FaultServer":
        """Go on with these."""
        self.script = list(script)
        return self

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await self._one(reader, writer):
            pass

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.script and self.script[0] == RESET_AT_ONCE:
            self.script.pop(0)
            writer.transport.abort()
            return False
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = 0
        for line in head.splitlines()[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        self.requests.append((head, await reader.readexactly(length)))
        self.asked.set()
        step = self.script.pop(0) if self.script else CLOSE
        if step == RESET:
            writer.transport.abort()
        elif step == HANG:
            await reader.read()
        elif isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
            size = int(step.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            return len(step.partition(b"\r\n\r\n")[2]) >= size
        return False


@asynccontextmanager
async def fault_server(*script: bytes | str) -> AsyncIterator[FaultServer]:
    """A running server."""
    faults = FaultServer(script=list(script))
    async with bare_server(faults.serve) as url:
        faults.url = url
        yield faults


@asynccontextmanager
async def bare_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Calls ``serve`` for each connection; gives the URL, and leaves nothing running."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(one(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
