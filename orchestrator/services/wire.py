"""Small requests at a small price: kept-alive HTTP/1.1 connections for API calls.

An engine makes hundreds of thousands of calls a night whose bodies are a few
hundred bytes. A general client spends far more on such a call than everything
else that happens for an item (figures: ``benchmarks/README.md``), so calls have
this one: one request at a time on a connection, whole bodies in memory, no
redirects, no cookies, no proxies. Large bodies that write themselves use them too.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from types import MappingProxyType

from yarl import URL

from orchestrator.services.connection import Answer, Connection, Outflow
from orchestrator.tls import trusted

#: Seconds after which an idle connection is not used again: servers close them too,
#: and a request that meets the closing is lost.
IDLE = 15.0

NOTHING: Mapping[str, str] = MappingProxyType({})


class NotConnected(Exception):
    """Raised when no connection could be made: nothing was sent. The cause says why."""


class Wire:
    """The connections to any number of servers.

    ``connections`` bounds how many are in use at once for calls, and how many for
    bodies that write themselves, which would keep calls waiting; ``connect_timeout``
    (seconds) the making of one, ``timeout`` the wait for an answer, and ``max_size``
    the bytes that it may have, its head included.
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
        self._room_to_pour = asyncio.Semaphore(connections)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._max_size = max_size
        self._agent = agent
        self._idle: dict[tuple[str, str, int], deque[Connection]] = defaultdict(deque)

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
        request = self._begun(method, url, kind, headers, len(body)) + body
        async with self._room:
            connection = self._kept(url) or await self._connect(url)
            return await self._over(
                connection, url, connection.ask(request, timeout or self._timeout)
            )

    async def pour(
        self,
        method: str,
        url: URL,
        kind: str,
        body: Outflow,
        headers: Mapping[str, str] = NOTHING,
    ) -> Answer:
        """As ``send``, for a body that writes itself, and without TLS only.

        An answer that comes before the whole body has left is the answer, and the
        rest stays. There is no timer: what makes the body move can tell when it doesn't.
        """
        if url.scheme != "http":
            raise ValueError("what is written past the transport would not be encrypted")
        head = self._begun(method, url, kind, headers, body.left)
        async with self._room_to_pour:
            connection = self._kept(url)
            while connection is not None and not connection.clear:
                connection.close()
                connection = self._kept(url)
            connection = connection or await self._connect(url)
            return await self._over(connection, url, connection.pour(head, body))

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _begun(
        self, method: str, url: URL, kind: str, headers: Mapping[str, str], length: int
    ) -> bytes:
        """A request's head, whole."""
        head = _head(method, url, kind, self._agent)
        if headers:
            more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            head += more.encode("latin-1")
        return b"%sContent-Length: %d\r\n\r\n" % (head, length)

    async def _over(self, connection: Connection, url: URL, exchange: Awaitable[Answer]) -> Answer:
        """The answer; the connection is kept for the next request where it can be."""
        try:
            answer = await exchange
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle[_origin(url)].append(connection)
        return answer

    def _kept(self, url: URL) -> Connection | None:
        """One that was kept, the latest used first."""
        idle = self._idle[_origin(url)]
        trusted_from = asyncio.get_running_loop().time() - IDLE
        while idle:
            connection = idle.pop()
            if connection.reusable and connection.used_at > trusted_from:
                return connection
            connection.close()
        return None

    async def _connect(self, url: URL) -> Connection:
        scheme, host, port = _origin(url)
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
def _head(method: str, url: URL, kind: str, agent: str) -> bytes:
    """What a request's head begins with, the same for many."""
    head = (
        f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        f"User-Agent: {agent}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    )
    if kind:
        head += f"Content-Type: {kind}\r\n"
    return head.encode("latin-1")


@lru_cache(maxsize=256)
def _origin(url: URL) -> tuple[str, str, int]:
    return url.scheme, url.raw_host or "", url.port or 0
