"""Files that a thread sends: over real sockets, and from files that misbehave."""

import asyncio
import contextlib
import errno
import hashlib
import os
import select
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from orchestrator.model.errors import (
    OrchestratorError,
    SourceChanged,
    SourceMissing,
    Stalled,
    Transient,
    UploadGone,
)
from orchestrator.model.items import Attempt
from orchestrator.services import file_body
from orchestrator.services.file_body import FileBody
from orchestrator.services.http import MIB, Http
from orchestrator.services.refusals import Unauthorized
from orchestrator.services.source_file import SourceFile, open_source
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus import TusUploader
from orchestrator.services.watchdog import watched
from tests.services.contract_uploader import Watcher
from tests.services.fault_server import answer, bare_server, fault_server
from tests.services.tus_server import TusServer, tus_server, whole

ATTEMPT = Attempt(1, "test", "", "", task="token", upload_to="/files/token")
SIZE = 3 * MIB + 5
DATA = hashlib.shake_128(b"source").digest(SIZE)

pytestmark = pytest.mark.skipif(not file_body._POSIX, reason="sockets that can be written")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "big.mp4"
    path.write_bytes(DATA)
    return path


@pytest.fixture
async def source(path: Path) -> AsyncIterator[SourceFile]:
    async with open_source(path) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
async def server() -> AsyncIterator[TusServer]:
    async with tus_server() as running:
        yield running


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection that holds little; neither blocks."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
        yield ours, theirs


async def drain(theirs: socket.socket, size: int) -> bytes:
    loop, data = asyncio.get_running_loop(), bytearray()
    while len(data) < size:
        data += await loop.sock_recv(theirs, MIB)
    return bytes(data)


Instead = Callable[[int, memoryview], int]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> "Calls":
    return Calls(monkeypatch)


class Calls:
    """Counts what the threads write, and has it done otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.really = os.write
        self._instead: Instead = self.really
        monkeypatch.setattr(os, "write", self._call)

    def are(self, instead: Instead) -> None:
        self._instead = instead

    def _call(self, to: int, data: memoryview) -> int:
        if not threading.current_thread().name.startswith("file-body"):
            return self.really(to, data)
        self.count += 1
        return self._instead(to, data)


# --- when it is done, and that it is right ----------------------------------------------


async def test_a_large_file_takes_two_connections(
    http: Http, server: TusServer, path: Path, calls: Calls
) -> None:
    await TusUploader(http, server.url, chunk=MIB).upload(path, ATTEMPT, Watcher())
    assert whole(server.uploads.values()) == DATA
    assert calls.count >= 4
    assert server.methods().count("PATCH") == 4
    assert len(server.connections) == 2  # one to ask, one for all the rest


def test_what_is_encrypted_passes_through_the_loop() -> None:
    assert file_body.takes_files("http://127.0.0.1:80/x", SIZE)
    assert not file_body.takes_files("https://127.0.0.1:80/x", SIZE)


def test_a_small_file_is_not_worth_a_thread() -> None:
    assert not file_body.takes_files("http://127.0.0.1:80/x", 64 * 1024)


@pytest.mark.parametrize("why", ["checksum", "other system"])
async def test_where_bytes_have_to_pass_through_the_loop(
    http: Http,
    server: TusServer,
    path: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    if why == "other system":
        monkeypatch.setattr(file_body, "_POSIX", False)
    checksum = "on" if why == "checksum" else "off"
    await TusUploader(http, server.url, checksum=checksum).upload(path, ATTEMPT, Watcher())
    assert whole(server.uploads.values()) == DATA
    assert calls.count == 0


def test_on_uvloop_too(path: Path, calls: Calls) -> None:
    async def scenario() -> None:
        async with tus_server() as server, Http() as http:
            server.faults = ["", "", "423", "", "cut", "", "lose"]
            await TusUploader(http, server.url, chunk=MIB).upload(path, ATTEMPT, Watcher())
            assert whole(server.uploads.values()) == DATA
        async with refusing(409, b"") as (url, counted), Http() as http:
            with pytest.raises(Transient, match="stays at byte 0"):
                await upload(http, url, path)
            assert counted.patches == 5

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
    assert calls.count >= 4


# --- what is wrong with the source -------------------------------------------------------


async def test_a_file_that_becomes_shorter_in_the_middle_of_a_request(
    http: Http, server: TusServer, path: Path, calls: Calls
) -> None:
    def cut(to: int, data: memoryview) -> int:
        os.truncate(path, MIB + 7)
        return calls.really(to, data)

    calls.are(cut)
    with pytest.raises(SourceChanged, match="became shorter"):
        await TusUploader(http, server.url).upload(path, ATTEMPT, Watcher())
    assert server.methods().count("PATCH") <= 1


@pytest.mark.parametrize(
    ("code", "family"),
    [(errno.EIO, Transient), (errno.ESTALE, Transient), (errno.EACCES, SourceMissing)],
)
async def test_a_file_that_can_not_be_read(
    http: Http,
    server: TusServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    family: type[OrchestratorError],
) -> None:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(family, match=rf"can't be read.*{os.strerror(code)}"):
        await TusUploader(http, server.url).upload(path, ATTEMPT, Watcher())


# --- what is wrong with the server -------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "family"),
    [(404, UploadGone), (410, UploadGone), (403, UploadGone), (401, Unauthorized)],
)
async def test_a_refusal_before_the_body_is_out(
    http: Http, tmp_path: Path, status: int, family: type[OrchestratorError]
) -> None:
    async with refusing(status, b"because") as (url, counted):
        with pytest.raises(family, match=rf"answered {status}: because"):
            await upload(http, url, sparse(tmp_path, 60 * MIB))
    assert counted.patches == 1


@pytest.mark.parametrize("status", [409, 413, 423])
async def test_a_refusal_before_the_body_is_out_that_is_mended(
    http: Http, tmp_path: Path, status: int
) -> None:
    async with refusing(status, b"") as (url, counted):
        with pytest.raises(Transient, match=rf"stays at byte 0: PATCH .* answered {status}"):
            await upload(http, url, sparse(tmp_path, 60 * MIB))
    assert counted.patches == 5
    assert counted.connections >= 5  # none that has half a body behind it is used again


async def test_what_the_kernel_took_is_progress_and_nothing_else(
    http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server reads a little now and then, then no more: the watchdog counts from there."""
    monkeypatch.setattr(file_body, "_TURN", 0.02)
    size, read = 100 * MIB, 0

    async def tire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            read += len(await reader.readexactly(4 * MIB))
        await asyncio.Event().wait()

    async with bare_server(tire) as url, open_source(sparse(tmp_path, size)) as source:
        body = FileBody(source, 0, size, Throttle())
        with pytest.raises(Stalled, match=r"nothing moved for 0\.4 seconds"):
            async with watched(0.4, url) as body.moved:
                await http.pour("PATCH", url, "", body, {})
    assert read == 32 * MIB


# --- threads and descriptors -------------------------------------------------------------


async def test_nothing_is_closed_under_a_thread_that_waits(
    http: Http, path: Path, calls: Calls
) -> None:
    waiting, go_on = threading.Event(), threading.Event()
    used: list[int] = []

    def slowly(to: int, data: memoryview) -> int:
        waiting.set()
        go_on.wait(10)  # a test that fails must not hang
        used.append(os.fstat(to).st_mode)
        return calls.really(to, data)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(MIB):
            pass

    calls.are(slowly)
    async with bare_server(listen) as url:
        uploading = asyncio.create_task(upload(http, url, path))
        await asyncio.to_thread(waiting.wait)
        for _ in range(3):  # whoever is impatient asks more than once
            uploading.cancel()
            await turns()
        assert not uploading.done()
        assert str(path) in open_files()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await uploading
    assert stat.S_ISSOCK(used[0])
    assert str(path) not in open_files()
    so_far = calls.count
    await turns()
    assert calls.count == so_far


async def test_cancelled_while_the_socket_is_full_it_ends_at_once(
    source: SourceFile, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = pair
    body = FileBody(source, 0, SIZE, Throttle())
    filled = asyncio.Event()
    body.moved = lambda *, resting=False: filled.set()
    loop = asyncio.get_running_loop()
    pouring = asyncio.create_task(body.pour(ours))
    await filled.wait()
    began = loop.time()
    pouring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert loop.time() - began < 2.0
    left = body.left
    assert 0 < left < SIZE
    await turns()
    assert body.left == left


async def test_it_waits_without_asking_again_and_again(
    source: SourceFile, pair: tuple[socket.socket, socket.socket], calls: Calls
) -> None:
    ours, theirs = pair
    body = FileBody(source, 0, SIZE, Throttle())
    filled = asyncio.Event()
    body.moved = lambda *, resting=False: filled.set()
    pouring = asyncio.create_task(body.pour(ours))
    await filled.wait()
    before, polled = calls.count, select.poll()
    polled.register(theirs, select.POLLIN)
    await asyncio.to_thread(threading.Event().wait, 0.35)
    assert calls.count - before <= 6  # one or two each turn of a tenth of a second
    assert await drain(theirs, SIZE)
    await pouring


# --- the limit of bytes per second -------------------------------------------------------


class Noting(Throttle):
    """Notes what is taken; ``asked`` when somebody comes to take."""

    def __init__(self, rate: int | None = None) -> None:
        super().__init__(rate)
        self.taken: list[int] = []
        self.asked = asyncio.Event()

    def piece(self, most: int) -> int:
        self.asked.set()
        return super().piece(most)

    async def take(self, count: int) -> None:
        await super().take(count)
        self.taken.append(count)


async def test_no_byte_leaves_that_was_not_taken(
    source: SourceFile, path: Path, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    throttle = Noting(100 * MIB)
    body = FileBody(source, 0, SIZE, throttle)
    begun = asyncio.Event()
    body.moved = lambda *, resting=False: begun.set() if body.left < SIZE else None
    pouring = asyncio.create_task(body.pour(ours))
    await begun.wait()  # a turn is over, and what it had taken is half sent
    assert await drain(theirs, SIZE) == DATA
    await pouring
    assert sum(throttle.taken) == SIZE
    assert max(throttle.taken) <= MIB


async def test_a_rate_counts_that_is_set_in_the_middle(
    source: SourceFile, path: Path, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    throttle = Noting()
    body = FileBody(source, 0, SIZE, throttle)
    filled = asyncio.Event()
    body.moved = lambda *, resting=False: filled.set()
    pouring = asyncio.create_task(body.pour(ours))
    await filled.wait()
    assert not throttle.taken
    throttle.rate = 100 * MIB
    await asyncio.wait_for(throttle.asked.wait(), 1.0)
    rest = body.left
    assert await drain(theirs, SIZE) == DATA
    await pouring
    assert sum(throttle.taken) == rest


async def test_a_rate_that_is_lifted_in_the_middle(
    source: SourceFile, path: Path, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    throttle = Noting(1000)  # at this rate it would take an hour
    body = FileBody(source, 0, SIZE, throttle)
    pouring = asyncio.create_task(body.pour(ours))
    await throttle.asked.wait()
    throttle.rate = None
    assert await asyncio.wait_for(drain(theirs, SIZE), 30) == DATA
    await pouring
    assert sum(throttle.taken) < MIB


async def test_waiting_for_the_limit_is_resting(
    source: SourceFile, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    body = FileBody(source, 0, 40_000, Throttle(200_000))
    heard: list[bool] = []
    body.moved = lambda *, resting=False: heard.append(resting)
    reading = asyncio.create_task(drain(theirs, 40_000))
    await body.pour(ours)
    await reading
    assert heard[:3] == [True, False, False]
    assert heard[-1] is False


# --- help --------------------------------------------------------------------------------


class Counted:
    """What a server saw."""

    patches = connections = 0


@asynccontextmanager
async def refusing(status: int, why: bytes) -> AsyncIterator[tuple[str, Counted]]:
    """Answers a PATCH after its head and closes, and HEAD with 0; reads no body."""
    counted = Counted()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.connections += 1
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"HEAD"):
            writer.write(answer(b"", 200, Upload_Offset="0"))
        counted.patches += 1
        writer.write(answer(why, status))
        await writer.drain()

    async with bare_server(serve) as url:
        yield url, counted


async def upload(http: Http, url: str, path: Path) -> str:
    """Send ``path`` to an upload at ``url``, which some other server has created."""
    async with fault_server(answer(b"", 204), answer(b"", 201, Location=url + "/u")) as creator:
        return await TusUploader(http, creator.url).upload(path, ATTEMPT, Watcher())


def sparse(folder: Path, size: int) -> Path:
    """A file of zeros that takes no room."""
    path = folder / "sparse.mp4"
    with path.open("wb") as file:
        file.truncate(size)
    return path


async def turns() -> None:
    """Give the event loop some turns."""
    for _ in range(10):
        await asyncio.sleep(0)


def open_files() -> set[str]:
    """What this process has open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(entry.readlink()))
    return found
