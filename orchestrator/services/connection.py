"""One HTTP/1.1 connection: a request at a time, and its answer as a whole.

``httptools`` (llhttp) reads the answers. A request is in memory, or its body
writes itself to the connection's socket (``Outflow``), for what is too large to
pass through here.
"""

import asyncio
import socket
from typing import NamedTuple, Protocol, cast

import httptools
from multidict import CIMultiDict, MultiMapping

from orchestrator.services.settled import settled

#: How much may wait unsent in the kernel where large bodies leave. Without it,
#: megabytes would, and on a slow line nobody could tell a stalled connection from
#: a patient one. Linux asks for more when half of it has gone: with the default
#: watchdog, 8.7 kB/s is still no stall, and the more it is, the fewer times it asks.
_UNSENT = 2**20

#: Seconds for an answer that was under way when its connection broke.
_LAST_WORDS = 1.0


class Broken(Exception):
    """Raised when the answer did not come, or not whole: the request may have left."""


class Answer(NamedTuple):
    """A server's answer, whole."""

    status: int
    headers: MultiMapping[str]
    body: bytes


class Outflow(Protocol):
    """A body that writes itself."""

    #: Bytes that have yet to be written; before it is poured, all of them.
    left: int

    async def pour(self, own: socket.socket) -> None:
        """Write what is left to a socket that doesn't block.

        When this ends, cancelled or not, nothing uses the socket any more. Raises
        ``OSError`` for trouble with the socket alone.
        """


class Connection(asyncio.Protocol):
    """One connection: a request, then its answer, then perhaps another.

    ``used_at``: when it was made, or its last answer came, on the loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, max_size: int) -> None:
        self._loop = loop
        self._max_size = max_size
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self.used_at = loop.time()
        self._begin()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent here."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def clear(self) -> bool:
        """Whether nothing is on its way, be it the connection's end that no event told of yet."""
        assert self._transport is not None
        if self._transport.get_write_buffer_size():
            return False
        with self._socket() as own:
            try:
                own.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return True
            except OSError:
                pass
        return False

    async def ask(self, request: bytes, patience: float) -> Answer:
        """Send it, and wait for the answer. Raises ``Broken``."""
        transport, waiting = self._expecting()
        transport.write(request)
        late = self._loop.call_later(patience, self._fail, "no answer in time")
        try:
            return await waiting
        finally:
            late.cancel()

    async def pour(self, head: bytes, body: Outflow) -> Answer:
        """Send them, and wait for the answer, which ends the sending. Raises ``Broken``.

        The transport only reads: what is written goes past it, on a descriptor that
        stays open until the writing has ended.
        """
        _, waiting = self._expecting()
        with self._socket() as own:
            writing = self._loop.create_task(self._write(own, head, body))
            try:
                await asyncio.wait((waiting, writing), return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
                return await waiting
            finally:
                waiting.cancel()
                writing.cancel()
                await settled(waiting, writing)
                if body.left:
                    self.close()

    def _expecting(self) -> tuple[asyncio.Transport, asyncio.Future[Answer]]:
        """Where to write, and the answer to that."""
        if self._transport is None or self._transport.is_closing():
            raise Broken("the connection was closed before an answer came")
        self._waiting = self._loop.create_future()
        return self._transport, self._waiting

    async def _write(self, own: socket.socket, head: bytes, body: Outflow) -> None:
        try:
            await self._loop.sock_sendall(own, head)
            await body.pour(own)
        except OSError as error:
            # An answer may have come before, and then that is what counts.
            self._loop.call_later(_LAST_WORDS, self._fail, _lost(error))

    def _socket(self) -> socket.socket:
        """A second descriptor of its socket, to be closed by who asks for it."""
        assert self._transport is not None
        own: socket.socket = self._transport.get_extra_info("socket").dup()
        own.setblocking(False)
        keep_little_unsent(own)
        return own

    def close(self) -> None:
        """Close at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

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
        if self._waiting is None:
            return
        if self._status and error is None and not self._has_length:
            self._answer()
        elif self._status:
            self._fail("the answer broke off")
        elif error is None:
            self._fail("the connection was closed before an answer came")
        else:
            self._fail(_lost(error))

    # --- the parser's side -------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for would be taken for the next one's."""
        if self._waiting is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx heads are not the answer."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
            self._has_length = (
                "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
            )

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
        self._has_length = False
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body: list[bytes] = []

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, None
        answer = Answer(self._status, self._headers, b"".join(self._body))
        self._begin()
        self.used_at = self._loop.time()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, why: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(Broken(why))
        self.close()


def keep_little_unsent(made: socket.socket) -> None:
    """Let the kernel take no more than what shows that bytes really leave."""
    if made.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)


def _lost(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"the connection was lost ({reason})"
