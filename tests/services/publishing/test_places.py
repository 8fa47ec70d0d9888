"""The publishing uploader keeps the contract on real servers, and goes on where it stopped."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import AccountProblem, OrchestratorError, Transient
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Uploader
from orchestrator.query import Publish
from orchestrator.services.publishing import PlaceUploader
from orchestrator.services.throttle import Throttle
from orchestrator.storage import Reach, Resumable, Target, open_place
from tests.services.contract_uploader import BYTES, UploaderContract, Watcher
from tests.services.publishing.door import Door
from tests.storage.conftest import (  # noqa: F401 - fixtures
    moto,
    old_sftp,
    plain_ftp,
    reach,
    s3,
    sftp,
    tls_server,
    trusted,
)
from tests.storage.servers import KEY, SECRET, Server

MARK = "0123456789abcdef"
#: More than one part of S3.
LARGE = BYTES * 6


def publish_at(server: Server, port: int | None = None) -> Publish:
    """As a job has it; FTP's port is an attribute in the servers' own tests."""
    scheme, _, rest = server.url.partition("://")
    host, _, path = rest.partition("/")
    host = f"127.0.0.1:{port or server.port}"
    return Publish(to=f"{scheme}://${{env:K}}:${{env:S}}@{host}/{path}in")


class Opened:
    """Makes uploaders; closes their places at the end."""

    def __init__(self, within: Reach) -> None:
        self.reach = within
        self.stack = AsyncExitStack()

    async def __call__(
        self, publish: Publish, secret: str = SECRET, rate: int | None = None
    ) -> PlaceUploader:
        wanted = publish.destination({"K": KEY, "S": secret.replace("=", "%3D")})
        place = await self.stack.enter_async_context(open_place(wanted, self.reach))
        assert isinstance(place, Resumable)
        target = Target.of(wanted, self.reach)
        return PlaceUploader(place, target, publish, throttle=Throttle(rate), stall=20)


@pytest.fixture
async def opened(reach: Reach) -> AsyncIterator[Opened]:  # noqa: F811
    made = Opened(reach)
    async with made.stack:
        yield made


@pytest.fixture(params=["plain_ftp", "tls_server", "sftp", "old_sftp", "s3"])
def server(request: Any) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def empty(server: Server, tmp_path: Path, bucket: Any) -> None:
    """Remove every file of a server."""
    for name in server.names():
        if server.url.startswith("s3"):
            bucket.delete_object(Bucket="films", Key=name)
        else:
            for kind in ("ftp", "ftps", "sftp"):
                (tmp_path / kind / name).unlink(missing_ok=True)


@pytest.fixture
def attempt() -> Attempt:
    return Attempt(1, "edge", "", "", task=MARK)


class TestContract(UploaderContract):
    @pytest.fixture
    async def uploader(
        self,
        server: Server,
        opened: Opened,
        tmp_path: Path,
        moto: Any,  # noqa: F811
    ) -> Uploader:
        self.server, self.forget = server, lambda: empty(server, tmp_path, moto)
        return await opened(publish_at(server))

    @pytest.fixture
    def attempt(self) -> Attempt:
        return Attempt(1, "edge", "", "", task=MARK)

    def arrived(self, remote: str) -> bytes:
        assert "${env:K}:${env:S}@" in remote
        data = self.server.read("in/" + remote.rpartition("/")[2])
        assert data is not None
        assert not any(".part" in name for name in self.server.names())
        return data


async def test_two_attempts_never_write_the_same_file(
    server: Server, opened: Opened, attempt: Attempt, tmp_path: Path
) -> None:
    uploader = await opened(publish_at(server))
    path = tmp_path / "film.mov"
    path.write_bytes(b"one")
    first = await uploader.upload(path, attempt, Watcher())
    path.write_bytes(b"two")
    second = await uploader.upload(path, replace(attempt, task="f" * 16), Watcher())
    assert first != second
    assert len(server.names()) == 2


async def test_another_process_goes_on_where_one_was_stopped(
    server: Server, opened: Opened, attempt: Attempt, tmp_path: Path
) -> None:
    """The first one's source becomes shorter half-way, as if it had been killed there."""
    path = tmp_path / "film.mov"
    path.write_bytes(LARGE[:9_000_000])
    first = Watcher(meanwhile=lambda: _cut(path, 8 * 2**20))
    with pytest.raises(OrchestratorError):
        await (await opened(publish_at(server))).upload(path, attempt, first)
    path.write_bytes(LARGE[:9_000_000])
    again = Watcher()
    other = await opened(publish_at(server))
    await other.upload(path, replace(attempt, upload_url=first.urls[0]), again)
    assert again.urls == []
    # What FTP had taken and not yet written when the connection broke is lost.
    assert again.offsets[0] == 8 * 2**20 or (server.more or 0 < again.offsets[0] <= 8 * 2**20)
    assert again.offsets[-1] == 9_000_000
    (name,) = server.names()
    assert server.read(name) == LARGE[:9_000_000]


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


async def test_it_goes_on_by_itself_after_a_broken_connection(
    sftp: Server,  # noqa: F811
    opened: Opened,
    attempt: Attempt,
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.mov"
    path.write_bytes(LARGE)
    async with Door(sftp.port) as door:
        uploader = await opened(publish_at(sftp, door.port))
        watcher = Watcher(meanwhile=lambda: door.break_after(5_000_000))
        await uploader.upload(path, attempt, watcher)
    assert door.broken == 1
    (name,) = sftp.names()
    assert sftp.read(name) == LARGE


async def test_it_can_be_removed_whole_or_not(
    server: Server, opened: Opened, attempt: Attempt, tmp_path: Path
) -> None:
    uploader = await opened(publish_at(server))
    path = tmp_path / "film.mov"
    path.write_bytes(LARGE)
    whole = Watcher()
    await uploader.upload(path, attempt, whole)
    await uploader.remove(whole.urls[0])
    assert server.names() == []
    await uploader.remove(whole.urls[0])  # it is gone already
    part = Watcher(meanwhile=lambda: _cut(path, 9 * 2**20))
    with pytest.raises(OrchestratorError):
        await uploader.upload(path, replace(attempt, task="e" * 16), part)
    await uploader.remove(part.urls[0])
    assert server.names() == []


async def test_a_place_that_refuses_stops_the_run(
    server: Server, opened: Opened, attempt: Attempt, tmp_path: Path
) -> None:
    if server.url.startswith("s3"):
        pytest.skip("moto believes every key")
    path = tmp_path / "film.mov"
    path.write_bytes(b"x")
    uploader = await opened(publish_at(server), secret="wrong")
    with pytest.raises(AccountProblem, match=r"can't publish at .*: it refuses the key") as caught:
        await uploader.upload(path, attempt, Watcher())
    assert "wrong" not in str(caught.value)


async def test_a_server_that_is_not_there_may_come_back(
    opened: Opened, attempt: Attempt, tmp_path: Path, unused_tcp_port: int
) -> None:
    path = tmp_path / "film.mov"
    path.write_bytes(b"x")
    gone = Publish(to=f"ftp://${{env:K}}:${{env:S}}@127.0.0.1:{unused_tcp_port}/in")
    with pytest.raises(Transient, match=r"can't publish at ftp://127\.0"):
        await (await opened(gone)).upload(path, attempt, Watcher())


async def test_bytes_leave_as_the_throttle_lets_them(
    plain_ftp: Server,  # noqa: F811
    opened: Opened,
    attempt: Attempt,
    tmp_path: Path,
) -> None:
    import asyncio

    path = tmp_path / "film.mov"
    path.write_bytes(BYTES[:600_000])
    uploader = await opened(publish_at(plain_ftp), rate=1_000_000)
    clock = asyncio.get_running_loop()
    began = clock.time()
    await uploader.upload(path, attempt, Watcher())
    assert clock.time() - began > 0.3
