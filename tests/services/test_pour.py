"""Bodies that write themselves to a connection of ``Wire``, against real sockets."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from yarl import URL

from orchestrator.services.connection import Answer, Broken
from orchestrator.services.wire import NotConnected, Wire
from tests.services.fault_server import answer, bare_server
from tests.services.test_wire import OK, post, scripted, wire

MIB = 2**20
#: More than all buffers of a connection on the loopback hold together.
TOO_MUCH = 64 * MIB

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Zeros:
    """So many zero bytes; ``fault`` is raised when they have been written."""

    def __init__(self, size: int, fault: Exception | None = None) -> None:
        self.left = size
        self.own: socket.socket | None = None
        self._fault = fault

    async def pour(self, own: socket.socket) -> None:
        self.own = own
        loop = asyncio.get_running_loop()
        while self.left:
            piece = bytes(min(self.left, 100_000))
            await loop.sock_sendall(own, piece)
            self.left -= len(piece)
        if self._fault is not None:
            raise self._fault


async def pour(over: Wire, url: URL, body: Zeros) -> Answer:
    return await over.pour("PATCH", url, "application/octet-stream", body, {"X-More": "1"})


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[URL]:
    async with bare_server(serve) as url:
        yield URL(url) / "upload"


async def test_what_is_sent() -> None:
    async with scripted([OK]) as (server, url):
        assert await pour(wire(), url, Zeros(300_000)) == (200, {"Content-Length": "2"}, b"{}")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PATCH /v1/status?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Type: application/octet-stream\r\nX-More: 1\r\n" in head
    assert head.endswith(b"\r\nContent-Length: 300000")
    assert body == bytes(300_000)


async def test_one_connection_serves_calls_and_pours() -> None:
    over = wire()
    async with scripted([OK], [OK], [OK], [OK]) as (server, url):
        for _ in range(2):
            await post(over, url)
            await pour(over, url, Zeros(100))
        assert server.connections == 1


async def test_little_waits_unsent_in_the_kernel() -> None:
    body = Zeros(10)
    seen = []

    async def look(own: socket.socket) -> None:
        seen.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT))
        seen.append(own.getblocking())
        await Zeros.pour(body, own)

    body.pour = look  # type: ignore[method-assign]
    async with scripted([OK]) as (_, url):
        await pour(wire(), url, body)
    assert seen == [MIB, False]


@pytest.mark.parametrize("then", ["stays", "closes", "resets"])
async def test_an_answer_that_comes_early_ends_the_body(then: str) -> None:
    ended = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"no", 413))
        await writer.drain()
        if then == "resets":
            reset(writer)
        elif then == "stays":
            with contextlib.suppress(ConnectionError):
                while await reader.read(MIB):
                    pass
            ended.set()

    over, body = wire(), Zeros(TOO_MUCH)
    async with serving(refuse) as url:
        got = await asyncio.wait_for(pour(over, url, body), 10)
        assert (got.status, got.body) == (413, b"no")
        assert body.left > 0
        assert over._kept(url) is None
        if then == "stays":
            await asyncio.wait_for(ended.wait(), 10)
    assert body.own is not None
    assert body.own.fileno() == -1


async def test_only_half_an_answer_comes_early() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"no", 413)[:30])
        await writer.drain()
        reset(writer)

    async with serving(refuse) as url:
        with pytest.raises(Broken):
            await asyncio.wait_for(pour(wire(), url, Zeros(TOO_MUCH)), 10)


@pytest.mark.parametrize("gently", [True, False])
async def test_a_connection_that_breaks(*, gently: bool) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MIB)
        if not gently:
            reset(writer)

    async with serving(leave) as url:
        with pytest.raises(Broken, match=r"connection was (lost|closed)"):
            await asyncio.wait_for(pour(wire(), url, Zeros(TOO_MUCH)), 10)


async def test_trouble_that_the_transport_does_not_hear_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.services.connection._LAST_WORDS", 0.05)
    async with scripted() as (_, url):
        with pytest.raises(Broken, match=r"connection was lost \(No buffer space"):
            await pour(wire(), url, Zeros(10, OSError(105, "No buffer space available")))


async def test_an_answer_that_was_under_way_when_the_socket_broke_counts() -> None:
    async with scripted([answer(b"no", 413)]) as (_, url):
        got = await pour(wire(), url, Zeros(10, ConnectionResetError()))
        assert (got.status, got.body) == (413, b"no")


async def test_what_the_body_raises_goes_through() -> None:
    over = wire()
    async with scripted([], [OK]) as (server, url):
        with pytest.raises(LookupError, match="mine"):
            await pour(over, url, Zeros(10, LookupError("mine")))
        await pour(over, url, Zeros(10))
        assert server.connections == 2


async def test_cancelled_it_leaves_nothing() -> None:
    over, body = wire(), Zeros(TOO_MUCH)
    reading, gone = asyncio.Event(), asyncio.Event()
    tasks = asyncio.all_tasks()

    async def read_a_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MIB)
        reading.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(MIB):
                pass
        gone.set()

    async with serving(read_a_little) as url:
        call = asyncio.create_task(pour(over, url, body))
        await reading.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert body.own is not None
        assert body.own.fileno() == -1
        await asyncio.wait_for(gone.wait(), 10)
        assert over._kept(url) is None
    assert asyncio.all_tasks() <= tasks


async def test_pours_have_a_bound_and_leave_room_for_calls() -> None:
    over = Wire(connections=1, connect_timeout=5, timeout=5, max_size=1000, agent="test/1")
    arrived: list[int] = []
    first, go_on = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"PATCH"):
            arrived.append(1)
            first.set()
            await reader.readexactly(10)
            await go_on.wait()
        writer.write(OK)
        await writer.drain()

    async with serving(hold) as url:
        pours = [asyncio.create_task(pour(over, url, Zeros(10))) for _ in range(3)]
        await first.wait()
        await over.send("POST", url, "", b"")
        assert len(arrived) == 1
        go_on.set()
        await asyncio.gather(*pours)
        assert len(arrived) == 3


async def test_nothing_listens() -> None:
    async with scripted() as (_, url):
        pass
    with pytest.raises(NotConnected):
        await pour(wire(), url, Zeros(10))


async def test_nothing_is_poured_past_tls() -> None:
    with pytest.raises(ValueError, match="not be encrypted"):
        await pour(wire(), URL("https://127.0.0.1:9/x"), Zeros(10))


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """The event loop has had no turn to hear of it: what is in the kernel says so."""
    with in_a_thread() as server:
        over = wire()
        await pour(over, server.url, Zeros(10))
        server.close_one()
        body = Zeros(10)
        assert (await pour(over, server.url, body)).body == b"{}"
        assert body.left == 0
        assert server.connections == 2
        over.close()


class InAThread:
    """Answers each request once its ten bytes are there; closes a connection when told to."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = URL("http://127.0.0.1/x").with_port(self._listening.getsockname()[1])
        self.connections = 0
        self._open: list[socket.socket] = []

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                self.connections += 1
                self._open.append(one)
                data = b""
                while len(data.partition(b"\r\n\r\n")[2]) < 10:
                    data += one.recv(1000)
                one.sendall(OK)

    def close_one(self) -> None:
        self._open.pop().close()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            one.close()


@contextmanager
def in_a_thread() -> Iterator[InAThread]:
    server = InAThread()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side gets an RST."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
