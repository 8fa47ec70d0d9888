"""A proxy between the engine and the service: holds requests at chosen points, and breaks them.

It works on bytes, since most of what it does to an answer is no HTTP any more.
What a fault does is in ``tests.faults.breakages``.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

from yarl import URL

#: Where a request can be held: before the service sees it, or before its answer goes back.
REQUEST, ANSWER = "request", "answer"

_GONE = (OSError, asyncio.IncompleteReadError)


class Exchange:
    """One request on its way, and what can be done with it."""

    def __init__(
        self,
        proxy: "Proxy",
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.proxy = proxy
        self.head = head
        self.method, self.path = head.split(b" ", 2)[0].decode(), head.split(b" ", 2)[1].decode()
        self._reader, self._writer = reader, writer
        self._left = number(head, b"content-length")
        self._body = b""

    @property
    def name(self) -> str:
        """Its method and the word that follows the API's version: "PATCH upload_file".

        In the API of orders, the word that follows the company: "POST transcode".
        """
        steps = self.path.partition("?")[0].split("/")
        return f"{self.method} {steps[4] if steps[2] == 'media' else steps[2]}"

    async def body(self, share: float = 1.0) -> bytes:
        """The request's body, or as much of it as ``share`` says."""
        read = await self._reader.readexactly(int(self._left * share))
        self._left -= len(read)
        self._body += read
        return self._body

    async def effect(self, share: float = 1.0) -> bytes:
        """Have the service see the request; its whole answer, b"" where it is away.

        With a smaller ``share`` the service sees so much of the body, then nothing more.
        """
        body = await self.body(share)
        try:
            up = URL(self.proxy.upstream)
            reader, writer = await asyncio.open_connection(up.host, up.port)
        except OSError:
            return b""
        try:
            writer.write(_closing(self.head) + body)
            await writer.drain()
            if share < 1.0:
                return b""
            return await reader.read(-1)
        except OSError:
            return b""
        finally:
            writer.close()

    async def reply(self, answer: bytes) -> None:
        """Send these bytes to the client."""
        self._writer.write(answer)
        await self._writer.drain()

    def cut(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    async def client_gone(self) -> None:
        """Until the client gives up."""
        with suppress(OSError):
            while await self._reader.read(2**16):
                pass

    @property
    def reusable(self) -> bool:
        """Whether the request was read to its end."""
        return not self._left and not self._writer.is_closing()


#: Deals with an exchange; True where the connection may be used again.
Fault = Callable[[Exchange], Awaitable[bool]]


async def ordinary(exchange: Exchange) -> bool:
    """What a proxy does."""
    answer = await exchange.effect()
    if not answer:
        exchange.cut()  # the service is away: so are we
        return False
    await exchange.proxy.wait(exchange.path, ANSWER)
    await exchange.reply(kept_alive(answer))
    bodyless = exchange.method == "HEAD" or answer.split(b" ", 2)[1] in (b"204", b"304")
    return exchange.reusable and (bodyless or b"content-length:" in head_of(answer).lower())


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
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._doomed = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._returning: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for held in self._held.values():
            held.set()
        for task in (*self._returning, *self._connections):
            task.cancel()
        await asyncio.gather(*self._returning, *self._connections, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    def hold(self, word: str, at: str = REQUEST) -> None:
        """From now on, hold requests whose path has ``word``."""
        self._held[word, at] = asyncio.Event()

    def release(self, word: str, at: str = REQUEST) -> None:
        """Let them go on, and later ones too."""
        self._held.pop((word, at)).set()

    def breaks(self, request: str, *faults: Fault) -> None:
        """Let these happen to the next such requests ("PATCH upload_file"), one each."""
        self._faults[request] += faults

    def mends(self) -> None:
        """Forget the faults that have not happened yet."""
        self._faults.clear()

    @property
    def broken(self) -> bool:
        """Whether every fault has happened."""
        return not any(self._faults.values())

    def doom(self) -> None:
        """Reset the next connection as soon as it is made."""
        self._doomed += 1

    def leave(self, seconds: float) -> None:
        """Refuse connections for so long; those that there are break."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections - {asyncio.current_task()}:
            connection.cancel()
        self._returning.add(asyncio.create_task(self._return(seconds)))

    async def count(self, request: str, times: int) -> None:
        """Until ``request`` ("PATCH upload_file") has been seen so many times."""
        async with self._counted:
            await self._counted.wait_for(lambda: self.seen[request] >= times)

    async def wait(self, path: str, at: str) -> None:
        """While requests of this path are held."""
        for (word, place), gate in list(self._held.items()):
            if place == at and word in path:
                self.reached[word, at].set()
                await gate.wait()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _return(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._doomed:
            self._doomed -= 1
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(*_GONE):
                while await self._one(reader, writer):
                    pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        exchange = Exchange(self, await reader.readuntil(b"\r\n\r\n"), reader, writer)
        async with self._counted:
            self.seen[exchange.name] += 1
            self._counted.notify_all()
        await self.wait(exchange.path, REQUEST)
        waiting = self._faults[exchange.name]
        fault = waiting.pop(0) if waiting else ordinary
        return await fault(exchange)


def head_of(message: bytes) -> bytes:
    """The message up to where its body begins."""
    return message[: message.find(b"\r\n\r\n") + 4]


def number(head: bytes, header: bytes) -> int:
    """The value of a header that holds a number; 0 where there is none."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == header:
            return int(value)
    return 0


def kept_alive(answer: bytes) -> bytes:
    """Without the word that the connection ends: that was between the proxy and the service."""
    return _without_connection(answer)


def _closing(head: bytes) -> bytes:
    return _without_connection(head)[:-2] + b"Connection: close\r\n\r\n"


def _without_connection(message: bytes) -> bytes:
    head = head_of(message)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(lines) + message[len(head) :]
