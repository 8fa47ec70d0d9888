"""Requests at a small price: kept-alive HTTP/1.1 connections for API calls and uploads.

An engine makes hundreds of thousands of calls a night whose bodies are a few
hundred bytes. A general client spends far more on such a call than everything
else that happens for an item (figures: ``benchmarks/README.md``), and twice as
much on a large body, so these have this one: one request at a time on a
connection, whole answers in memory, no redirects, no cookies, no proxies.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from yarl import URL

from orchestrator.services.connection import Answer, Connection, Piece
from orchestrator.tls import trusted

NOTHING: Mapping[str, str] = MappingProxyType({})

#: A server: scheme, host and port.
_Origin = tuple[str, str, int]


class NotConnected(Exception):
    """Raised when no connection could be made: nothing was sent. The cause says why."""


class Wire:
    """The connections to any number of servers.

    ``connections`` bounds how many are open at once, ``connect_timeout`` (seconds)
    the making of one, ``timeout`` the wait for an answer, and ``max_size`` the bytes
    that it may have, its head included.
    """

    def __init__(
        self,
        *,
        connections: int,
        connect_timeout: float,
        timeout: float,
        max_size: int,
        agent: str,
    ) -> None:
        self._room = asyncio.Semaphore(connections)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._max_size = max_size
        self._agent = agent
        self._idle: dict[_Origin, deque[Connection]] = defaultdict(deque)

    async def send(
        self,
        method: str,
        url: URL,
        kind: str,
        body: bytes | bytearray,
        headers: Mapping[str, str] = NOTHING,
        timeout: float | None = None,  # noqa: ASYNC109 - a timer, which a connection has anyway
    ) -> Answer:
        """Send one request and wait for its answer. ``kind`` is the body's content type.

        ``headers`` are sent besides, as they are. ``timeout`` counts in place of the
        connections' own. Raises ``NotConnected`` or ``Broken``. Cancelled, it leaves
        nothing behind.
        """
        head, origin = self._head(method, url, kind, headers)
        request = b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
        patience = timeout or self._timeout
        return await self._over(origin, lambda connection: connection.ask(request, patience))

    async def pour(
        self,
        method: str,
        url: URL,
        kind: str,
        body: AsyncIterable[Piece],
        length: int,
        headers: Mapping[str, str] = NOTHING,
    ) -> Answer:
        """``send`` for a body of ``length`` bytes that comes piece by piece.

        Each piece is asked for when the one before has left, and is the wire's from
        then on. Nothing here keeps the time. An answer that comes early ends the
        sending. What ``body`` raises goes through.
        """
        head, origin = self._head(method, url, kind, headers)
        head = b"%sContent-Length: %d\r\n\r\n" % (head, length)
        return await self._over(origin, lambda connection: connection.pour(head, body))

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _head(
        self, method: str, url: URL, kind: str, headers: Mapping[str, str]
    ) -> tuple[bytes, _Origin]:
        head, origin = _route(method, url, kind, self._agent)
        if headers:
            more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            head += more.encode("latin-1")
        return head, origin

    async def _over(
        self, origin: _Origin, ask: Callable[[Connection], Awaitable[Answer]]
    ) -> Answer:
        async with self._room:
            connection = await self._connection(origin)
            try:
                answer = await ask(connection)
            except BaseException:
                connection.close()
                raise
            self._idle[origin].append(connection)
        return answer

    async def _connection(self, origin: _Origin) -> Connection:
        """One that was kept, the latest used first, else a new one."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await self._connect(*origin)

    async def _connect(self, scheme: str, host: str, port: int) -> Connection:
        tls = trusted() if scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._max_size), host, port, ssl=tls
                )
        except (OSError, ValueError) as error:
            raise NotConnected from error
        return connection


@lru_cache(maxsize=256)
def _route(method: str, url: URL, kind: str, agent: str) -> tuple[bytes, _Origin]:
    """What a request's head begins with, and where it goes: the same for many."""
    head = (
        f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        f"User-Agent: {agent}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    )
    if kind:
        head += f"Content-Type: {kind}\r\n"
    return head.encode("latin-1"), (url.scheme, url.raw_host or "", url.port or 0)
