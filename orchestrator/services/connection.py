"""One HTTP/1.1 connection: a request, then its answer, then perhaps another.

What is sent is at hand as a whole, or its body comes piece by piece; an answer is
kept in memory as a whole. ``httptools`` (llhttp) reads it.
"""

import asyncio
import math
import socket
from collections.abc import AsyncIterable, Sequence
from typing import NamedTuple, cast

import httptools
from multidict import CIMultiDict, MultiMapping

#: Seconds after which an idle connection is not used again: servers close them too,
#: and a request that meets the closing is lost.
IDLE = 15.0

#: How much may wait unsent in the kernel. Without it, megabytes would, and on
#: a slow line nobody could tell a stalled connection from a patient one. Linux
#: asks for more when half of it has gone: with the default watchdog, 8.7 kB/s is
#: still no stall, and the more it is, the fewer times it asks.
_UNSENT = 2**20

#: Bytes that leave in one turn of the event loop, at most: others want one too.
_TURN = 2**21

#: What a body comes in.
Piece = bytes | bytearray | memoryview


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


class Connection(asyncio.Protocol):
    """Made by ``loop.create_connection``. No answer has more than ``max_size`` bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_size: int) -> None:
        self._loop = loop
        self._max_size = max_size
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        #: When the answer is late, and a timer that has a look then or before.
        self._due = self._looks_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        #: While the transport has more than it can send: done when it takes pieces again.
        self._room: asyncio.Future[None] | None = None
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

    async def pour(self, head: bytes, body: AsyncIterable[Piece]) -> Answer:
        """Send a request whose body is still to come, and wait for the answer.

        No time is kept here: who gives the pieces sees each one asked for. An answer
        that comes before the last of them is the answer, and ends the connection.
        Raises ``Broken``, and what ``body`` raises.
        """
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._send(head, math.inf, waiting)
        try:
            await self._hand_over(body, waiting)
        except BaseException:
            waiting.cancel()
            raise
        return await waiting

    async def _hand_over(
        self, body: AsyncIterable[Piece], waiting: "asyncio.Future[Answer]"
    ) -> None:
        transport = self._transport
        assert transport is not None
        handed = 0
        async for piece in body:
            if waiting.done():
                self.close()
                return
            transport.write(piece)
            handed += len(piece)
            if self._room is not None:
                handed = 0
                await self._room
                if transport.get_write_buffer_size():
                    # Answered before all of it left: what is left is not to be written over.
                    self.close()
                    return
            elif handed >= _TURN:
                handed = 0
                await asyncio.sleep(0)

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
        self._look_then()
        self._transport.write(request)

    def _look_then(self) -> None:
        if self._due < self._looks_at:
            if self._timer is not None:
                self._timer.cancel()
            self._looks_at = self._due
            self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        """Is the answer late? One timer serves many requests, of which few are."""
        self._timer, self._looks_at = None, math.inf
        if self._waiting is None:
            return
        if self._loop.time() < self._due:
            self._look_then()
        else:
            self._fail("no answer in time")

    # --- asyncio's side ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        # Nothing more is handed over until all has left, so that a body needs one buffer.
        # TLS has a piece behind it once it is enciphered, and takes 0 to be full already.
        self._transport.set_write_buffer_limits(high=1 if self._is_tls() else 0)
        below = transport.get_extra_info("socket")
        if below.family in (socket.AF_INET, socket.AF_INET6) and hasattr(
            socket, "TCP_NOTSENT_LOWAT"
        ):
            below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    def pause_writing(self) -> None:
        """The transport has more than it can send."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """It has sent it."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

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

    def _is_tls(self) -> bool:
        assert self._transport is not None
        return self._transport.get_extra_info("sslcontext") is not None

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
        self.resume_writing()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, why: str) -> None:
        waiting, self._waiting = self._waiting, None
        self.resume_writing()
        if waiting is not None and not waiting.done():
            waiting.set_exception(Broken(why))
        self.close()
