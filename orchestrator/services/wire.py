"""Small requests at a small price: kept-alive HTTP/1.1 connections for API calls.

An engine makes hundreds of thousands of calls a night whose bodies are a few
hundred bytes. A general client spends far more on such a call than everything
else that happens for an item (figures: ``benchmarks/README.md``), so calls have
this one: one request at a time on a connection, whole bodies in memory, no
redirects, no cookies, no proxies. ``httptools`` (llhttp) reads the answers.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, cast

import httptools
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from orchestrator.tls import trusted

#: Seconds after which an idle connection is not used again: servers close them too,
#: and a request that meets the closing is lost.
IDLE = 15.0

NOTHING: Mapping[str, str] = MappingProxyType({})

#: A server: scheme, host and port.
_Origin = tuple[str, str, int]


class NotConnected(Exception):
    """Raised when no connection could be made: nothing was sent. The cause says why."""


class Broken(Exception):
    """Raised when the answer did not come, or not whole: the request may have left."""


class Answer(NamedTuple):
    """A server's answer, whole; ``fields`` are its header as it came."""

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> MultiMapping[str]:
        """The header, to look into; most answers are never asked for it."""
        return CIMultiDict(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields]
        )


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
        self._idle: dict[_Origin, deque[_Connection]] = defaultdict(deque)

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
        head, origin = _route(method, url, kind, self._agent)
        if headers:
            more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            head += more.encode("latin-1")
        request = b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
        async with self._room:
            connection = await self._connection(origin)
            try:
                answer = await connection.ask(request, timeout or self._timeout)
            except BaseException:
                connection.close()
                raise
            self._idle[origin].append(connection)
        return answer

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _connection(self, origin: _Origin) -> "_Connection":
        """One that was kept, the latest used first, else a new one."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await self._connect(*origin)

    async def _connect(self, scheme: str, host: str, port: int) -> "_Connection":
        tls = trusted() if scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop, self._max_size), host, port, ssl=tls
                )
        except (OSError, ValueError) as error:
            raise NotConnected from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection: a request, then its answer, then perhaps another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_size: int) -> None:
        self._loop = loop
        self._max_size = max_size
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        #: When the answer is late, and a timer that has a look then or before.
        self._due = self._looks_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = loop.time()
        self._begin()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent here."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and self._loop.time() - self._used_at < IDLE
        )

    async def ask(self, request: bytes, patience: float) -> Answer:
        """Send it, and wait for the answer. Raises ``Broken``."""
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        # Requests of one turn of the loop leave together: a server that is woken by the
        # first finds the others too, and each costs less to send (``benchmarks/README.md``).
        self._loop.call_soon(self._send, request, patience, waiting)
        return await waiting

    def close(self) -> None:
        """Close at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, request: bytes, patience: float, waiting: asyncio.Future[Answer]) -> None:
        if waiting.done():
            return  # who asked is gone
        if self._transport is None or self._transport.is_closing():
            waiting.set_exception(Broken("the connection was closed before an answer came"))
            return
        self._waiting = waiting
        self._due = self._loop.time() + patience
        if self._timer is None or self._looks_at > self._due:
            self._look_later()
        self._transport.write(request)

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = self._due
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        """Is the answer late? One timer serves many requests, of which few are."""
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._due:
            self._look_later()
        else:
            self._fail("no answer in time")

    # --- asyncio's side ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Some of an answer; where none is waited for, the server has lost its way."""
        if self._waiting is None:
            self.close()
            return
        self._size += len(data)
        if self._size > self._max_size:
            self._fail(f"the answer is too long (more than {self._max_size} bytes)")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the answer is not HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone; an answer without a length ends with its connection."""
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting is None:
            return
        if self._status and error is None and not self._has_length():
            self._answer()
        elif self._status:
            self._fail("the answer broke off")
        elif error is None:
            self._fail("the connection was closed before an answer came")
        else:
            reason = getattr(error, "strerror", None) or type(error).__name__
            self._fail(f"the connection was lost ({reason})")

    # --- the parser's side -------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for would be taken for the next one's."""
        if self._waiting is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx heads are not the answer."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if not self._status:
            self._begin()  # 1xx: the answer is still to come
            return
        keep = self._parser.should_keep_alive()
        self._answer()
        if not keep and self._transport is not None:
            self._transport.close()

    def _begin(self) -> None:
        self._status = self._size = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def _has_length(self) -> bool:
        named = {name.lower() for name, _ in self._fields}
        return not named.isdisjoint((b"content-length", b"transfer-encoding"))

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, None
        answer = Answer(self._status, self._fields, b"".join(self._body))
        self._begin()
        self._used_at = self._loop.time()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, why: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(Broken(why))
        self.close()


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
