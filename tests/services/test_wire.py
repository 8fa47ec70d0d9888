"""The connections of API calls and uploads, against servers that say exactly what a test wants."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from orchestrator.model.errors import SourceChanged
from orchestrator.services.connection import Answer, Broken, Piece
from orchestrator.services.wire import NotConnected, Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nTrailer: yes\r\n\r\n"
)


class Scripted:
    """Gives each request the next of its answers, in the pieces that it is written in.

    A number is a pause in seconds, None closes the connection; an answer that is
    left out hangs.
    """

    def __init__(self, *answers: Sequence[bytes | float | None]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                self.asked.set()
                for piece in self.answers.pop(0) if self.answers else ():
                    if piece is None:
                        return
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                        continue
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(
    *answers: Sequence[bytes | float | None], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Scripted, URL]]:
    script = Scripted(*answers)
    async with await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        scheme = "https" if tls else "http"
        yield script, URL(f"{scheme}://127.0.0.1:{port}/v1/status?a=b")


def wire(*, timeout: float = 5.0, connect: float = 5.0, max_size: int = 10_000) -> Wire:
    return Wire(
        connections=4, connect_timeout=connect, timeout=timeout, max_size=max_size, agent="test/1"
    )


async def post(over: Wire, url: URL, body: bytes = b"x=y") -> Answer:
    return await over.send("POST", url, "application/x-www-form-urlencoded", body)


async def test_what_is_sent() -> None:
    async with scripted([OK]) as (server, url):
        answer = await post(wire(), url)
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["content-length"] == "2"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    assert first == "POST /v1/status?a=b HTTP/1.1"
    assert dict(field.split(": ", 1) for field in fields) == {
        "Host": f"127.0.0.1:{url.port}",
        "User-Agent": "test/1",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": "3",
    }
    assert body == b"x=y"


async def test_a_file_with_headers_of_its_own() -> None:
    async with scripted([OK], [OK]) as (server, url):
        over = wire()
        more = {"Upload-Length": "3", "Tus-Resumable": "1.0.0"}
        await over.send("POST", url, "application/octet-stream", bytearray(b"\0\r\n"), more)
        await over.send("POST", url, "", b"", more)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.count(b"\r\nUpload-Length: 3\r\nTus-Resumable: 1.0.0\r\n") == 1
    assert body == b"\0\r\n"
    assert b"Content-Type" not in server.requests[1]
    assert server.requests[1].endswith(b"\r\nContent-Length: 0\r\n\r\n")


async def test_a_request_may_have_a_time_of_its_own() -> None:
    async with scripted() as (_, url):
        with pytest.raises(Broken, match="no answer in time"):
            await wire(timeout=60).send("POST", url, "", b"", timeout=0.05)


async def test_each_request_of_a_connection_has_its_own_time() -> None:
    over = wire(timeout=60)
    async with scripted([OK], [0.7, OK]) as (server, url):
        await over.send("POST", url, "", b"", timeout=0.5)
        assert (await over.send("POST", url, "", b"", timeout=30)).body == b"{}"
        with pytest.raises(Broken, match="no answer in time"):
            await over.send("POST", url, "", b"", timeout=0.05)
        assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED, b"hello, world"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", b""),
    ],
)
async def test_answers_of_every_shape_and_the_connection_is_used_again(
    answer: bytes, body: bytes
) -> None:
    over = wire()
    async with scripted([answer], [OK]) as (server, url):
        assert (await post(over, url)).body == body
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 1


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.sets(st.integers(1, len(CHUNKED) - 1), max_size=12))
async def test_however_an_answer_is_cut_up_it_is_the_same(cuts: set[int]) -> None:
    places = [0, *sorted(cuts), len(CHUNKED)]
    pieces = [CHUNKED[start:end] for start, end in pairwise(places)]
    async with scripted(pieces) as (_, url):
        assert (await post(wire(), url)).body == b"hello, world"


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    over = wire()
    async with scripted([b"HTTP/1.0 200 OK\r\n\r\nall", b" of it", None], [OK]) as (server, url):
        assert (await post(over, url)).body == b"all of it"
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 2


async def test_a_server_that_closes_is_taken_at_its_word() -> None:
    over = wire()
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    async with scripted([closing], [OK]) as (server, url):
        await post(over, url)
        await post(over, url)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([None], "closed before an answer came"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le", None], "closed before an answer came"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", None], "broke off"),
        ([CHUNKED[:60], None], "broke off"),
        ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], "not HTTP"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"], "not HTTP"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000], "too long"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 20000 + b"\r\n"], "too long"),
        (
            [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
            "HTTP",
        ),
        ([], "no answer in time"),
    ],
)
async def test_what_is_lost_says_how_and_spoils_nothing(
    pieces: Sequence[bytes | None], why: str
) -> None:
    over = wire(timeout=0.3)
    async with scripted(pieces, [OK]) as (server, url):
        with pytest.raises(Broken, match=why):
            await post(over, url)
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 2


async def test_an_answer_that_nobody_asked_for_is_not_the_next_ones() -> None:
    over = wire()
    stray = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"stray"'
    async with scripted([OK + stray], [OK]) as (server, url):
        assert (await post(over, url)).body == b"{}"
        await asyncio.sleep(0)
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 2


async def test_an_idle_connection_is_not_trusted_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.services.connection.IDLE", -1.0)
    over = wire()
    async with scripted([OK], [OK]) as (server, url):
        await post(over, url)
        await post(over, url)
        assert server.connections == 2


async def test_cancelled_it_leaves_nothing() -> None:
    over = wire()
    async with scripted([], [OK]) as (server, url):
        call = asyncio.create_task(post(over, url))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 2


async def test_cancelled_before_it_could_leave_nothing_is_sent() -> None:
    over = wire()
    async with scripted([OK], [OK]) as (server, url):
        await post(over, url)
        call = asyncio.create_task(post(over, url, b"not=sent"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await post(over, url, b"a=b")
        assert [request[-3:] for request in server.requests] == [b"x=y", b"a=b"]


async def test_a_connection_that_is_lost_just_before_it_leaves() -> None:
    over = wire()
    async with scripted([OK]) as (server, url):
        await post(over, url)
        ((connection,),) = over._idle.values()
        call = asyncio.create_task(post(over, url))
        await asyncio.sleep(0)
        connection.close()
        with pytest.raises(Broken, match="closed before an answer came"):
            await call
        assert len(server.requests) == 1


async def test_no_more_connections_than_allowed() -> None:
    over = wire(timeout=0.3)
    async with scripted(*[[] for _ in range(12)]) as (server, url):
        await asyncio.gather(*(post(over, url) for _ in range(8)), return_exceptions=True)
        assert len(server.requests) == 8
        assert server.connections == 8


async def test_nothing_listens() -> None:
    async with scripted() as (_, url):
        pass
    with pytest.raises(NotConnected) as refused:
        await post(wire(), url)
    assert isinstance(refused.value.__cause__, ConnectionRefusedError)


#: A certificate for 127.0.0.1, and its key: made for these tests, trusted by nobody.
LOCALHOST = Path(__file__).with_name("localhost.pem")


def tls_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    return context


async def test_over_tls_to_a_server_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(LOCALHOST))
    over = wire()
    async with scripted([OK], [OK], tls=tls_server()) as (server, url):
        assert (await post(over, url)).body == b"{}"
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 1
        over.close()


async def test_over_tls_to_a_server_that_is_not_trusted() -> None:
    async with scripted([OK], tls=tls_server()) as (server, url):
        with pytest.raises(NotConnected) as refused:
            await post(wire(), url)
        assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)
        assert server.requests == []


async def test_no_tls_where_tls_is_expected() -> None:
    async with scripted([b"HTTP/1.1 400 No\r\n\r\n", None]) as (_, url):
        with pytest.raises(NotConnected) as refused:
            await post(wire(connect=0.2), url.with_scheme("https").with_port(url.port))
    assert isinstance(refused.value.__cause__, ssl.SSLError | OSError)


# --- bodies in pieces ----------------------------------------------------------------

MIB = 2**20


async def pour(over: Wire, url: URL, body: AsyncIterable[Piece], length: int) -> Answer:
    return await over.pour("PATCH", url, "application/offset+octet-stream", body, length)


class Pieces:
    """So many MiB, each filled with its number, in one buffer; ``fault`` comes in place of one."""

    def __init__(self, count: int, fault: Exception | None = None, at: int = -1) -> None:
        self.asked = 0
        self.count = count
        self.fault, self.at = fault, at
        self._buffer = bytearray(MIB)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        if self.asked == self.count:
            raise StopAsyncIteration
        if self.asked == self.at and self.fault is not None:
            raise self.fault
        self._buffer[:] = bytes([self.asked % 251]) * MIB
        self.asked += 1
        return memoryview(self._buffer)

    @property
    def sent(self) -> bytes:
        return b"".join(bytes([number % 251]) * MIB for number in range(self.count))


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_body_in_pieces_from_one_buffer(
    monkeypatch: pytest.MonkeyPatch, over_tls: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(LOCALHOST))
    over, body = wire(), Pieces(24)
    async with scripted([OK], [OK], tls=tls_server() if over_tls else None) as (server, url):
        answer = await pour(over, url, body, 24 * MIB)
        assert (answer.status, answer.body) == (200, b"{}")
        assert (await post(over, url)).body == b"{}"
        over.close()
    head, _, received = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PATCH /v1/status?a=b HTTP/1.1\r\n")
    assert head.count(b"Content-Length: 25165824") == 1
    assert received == body.sent
    assert server.connections == 1


async def test_an_answer_that_comes_early_ends_the_sending() -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read(1)
        await gone.wait()
        writer.close()

    gone = asyncio.Event()
    over, body = wire(), Pieces(10_000)
    async with await asyncio.start_server(refuses, "127.0.0.1", 0) as server:
        url = URL("http://127.0.0.1").with_port(server.sockets[0].getsockname()[1])
        async with asyncio.timeout(10):
            assert (await pour(over, url, body, 10_000 * MIB)).status == 413
        assert body.asked < 100
        ((connection,),) = over._idle.values()
        assert not connection.reusable
        gone.set()


async def test_nothing_is_asked_for_while_something_can_not_leave() -> None:
    """Not even when the answer has come: what is unsent is in the buffer of the next piece."""
    answers = asyncio.Event()

    async def reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers.wait()
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await gone.wait()
        writer.close()

    gone = asyncio.Event()
    over, body = wire(), Pieces(10_000)
    async with await asyncio.start_server(reads_nothing, "127.0.0.1", 0) as server:
        url = URL("http://127.0.0.1").with_port(server.sockets[0].getsockname()[1])
        sending = asyncio.create_task(pour(over, url, body, 10_000 * MIB))
        asked = -1
        while body.asked != asked:
            asked = body.asked
            await asyncio.sleep(0.2)
        assert asked < 100
        answers.set()
        assert (await sending).status == 413
        assert body.asked == asked
        gone.set()


async def test_a_connection_that_is_lost_in_the_middle_of_a_body() -> None:
    over = wire()

    async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MIB)
        writer.transport.abort()

    async with await asyncio.start_server(leaves, "127.0.0.1", 0) as server:
        url = URL("http://127.0.0.1").with_port(server.sockets[0].getsockname()[1])
        with pytest.raises(Broken):
            await pour(over, url, Pieces(10_000), 10_000 * MIB)


async def test_what_the_source_raises_goes_through_and_ends_the_connection() -> None:
    over, body = wire(), Pieces(3, SourceChanged("it was changed"), at=2)
    async with scripted([OK], [OK]) as (server, url):
        with pytest.raises(SourceChanged, match="it was changed"):
            await pour(over, url, body, 3 * MIB)
        assert (await post(over, url)).body == b"{}"
        assert server.connections == 2
        assert len(server.requests) == 1


async def test_cancelled_in_the_middle_of_a_body() -> None:
    over, body = wire(), Pieces(10_000)
    reading = asyncio.Event()

    async def reads_a_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MIB)
        reading.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(MIB):
                pass
        gone.set()
        writer.close()

    gone = asyncio.Event()
    async with await asyncio.start_server(reads_a_little, "127.0.0.1", 0) as server:
        url = URL("http://127.0.0.1").with_port(server.sockets[0].getsockname()[1])
        sending = asyncio.create_task(pour(over, url, body, 10_000 * MIB))
        await reading.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(gone.wait(), 10)
        assert over._idle == {} or not any(over._idle.values())


async def test_nothing_but_the_caller_keeps_the_time_of_a_body() -> None:
    over = wire(timeout=0.05)
    async with scripted([0.3, OK]) as (_, url):
        assert (await pour(over, url, Pieces(1), MIB)).status == 200


async def test_closed_it_keeps_no_connection() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"x=y")
        writer.write(OK)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        gone.set()
        writer.close()

    over = wire()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = URL("http://127.0.0.1").with_port(server.sockets[0].getsockname()[1])
        await post(over, url)
        over.close()
        await asyncio.wait_for(gone.wait(), 5)
