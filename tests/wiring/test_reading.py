"""Outputs at a job's own file servers are collected by the contract of all collectors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import OutputMissing, Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Collector
from orchestrator.services.delivered import DeliveredCollector
from orchestrator.services.disk_room import DiskRoom, Usage
from orchestrator.storage.disk import Disk
from orchestrator.wiring.reading import RemoteReader
from tests.services.contract_collector import CollectorContract, item_of
from tests.storage.conftest import moto, plain_ftp, s3, sftp, tls_server, trusted  # noqa: F401
from tests.storage.servers import KEY, SECRET, Server


def url_of(server: Server) -> str:
    scheme, _, rest = server.url.partition("://")
    host, _, path = rest.partition("/")
    login = f"{KEY}:{SECRET.replace('=', '%3D')}"
    return f"{scheme}://{login}@{host.partition(':')[0]}:{server.port}/{path}out"


@pytest.fixture(params=["plain_ftp", "sftp", "s3"])
def server(request: Any) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[RemoteReader]:
    disk = Disk()
    yield RemoteReader(disk, 2**20, tmp_path / "known_hosts")
    disk.close()


class Counted:
    """Counts what is really fetched."""

    def __init__(self, inner: RemoteReader) -> None:
        self._inner = inner
        self.count = 0

    async def fetch(self, url: str, target: Path, got: Callable[[int, int | None], None]) -> int:
        self.count += 1
        return await self._inner.fetch(url, target, got)


class TestContract(CollectorContract):
    @pytest.fixture
    def counted(self, reader: RemoteReader) -> Counted:
        return Counted(reader)

    @pytest.fixture
    def collector(self, server: Server, counted: Counted, tmp_path: Path) -> Collector:
        def place(item: Item, output: Output) -> Path:
            return tmp_path / "collected" / output.url.rpartition("/")[2]

        return DeliveredCollector(place, lambda _: url_of(server), counted, DiskRoom())

    @pytest.fixture
    def fetched(self, counted: Counted) -> Callable[[], int]:
        return lambda: counted.count

    @pytest.fixture
    def offer(
        self,
        server: Server,
        tmp_path: Path,
        moto: Any,  # noqa: F811
    ) -> Callable[[str, bytes], Output]:
        def put(name: str, data: bytes) -> Output:
            if server.url.startswith("s3"):
                moto.put_object(Bucket="films", Key=f"out/{name}", Body=data)
            else:
                kind = server.url.partition(":")[0]
                (tmp_path / kind / "out").mkdir(exist_ok=True)
                (tmp_path / kind / "out" / name).write_bytes(data)
            url = f"ftp://shown.example.com/out/{name}"
            return Output(f"video-0-{name}", "video", url, size=len(data))

        return put


async def test_what_can_not_be_read_is_told_without_its_password(
    reader: RemoteReader, tmp_path: Path
) -> None:
    with pytest.raises(Permanent, match="has no credentials") as caught:
        await reader.fetch("s3://bucket-name/a.mp4", tmp_path / "a.mp4", lambda *_: None)
    with pytest.raises(Permanent) as caught:
        await reader.fetch("ftp://u:hunter2@host/", tmp_path / "a.mp4", lambda *_: None)
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_refuses_is_told_of(
    reader: RemoteReader,
    plain_ftp: Server,  # noqa: F811
    tmp_path: Path,
) -> None:
    wrong = url_of(plain_ftp).replace(SECRET.replace("=", "%3D"), "hunter2")
    with pytest.raises(OutputMissing, match="refuses the user name or the password") as caught:
        await reader.fetch(f"{wrong}/a.mp4", tmp_path / "a.mp4", lambda *_: None)
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "a.mp4").exists()


async def test_playlists_stay_and_two_files_of_one_place_are_refused(tmp_path: Path) -> None:
    collector = DeliveredCollector(
        lambda _item, _output: tmp_path / "same.mp4", lambda _: "", Counted(None), DiskRoom()
    )
    playlist = Output("video-0-0", "video", "ftp://h/out/film.m3u8")
    assert await collector.collect(item_of(), [playlist], lambda *_: None) == (playlist,)
    films = [Output(f"video-0-{n}", "video", f"ftp://h/out/{n}.mp4") for n in range(2)]
    with pytest.raises(Permanent, match="two outputs would both become"):
        await collector.collect(item_of(), films, lambda *_: None)


async def test_room_is_held_for_what_comes(tmp_path: Path) -> None:
    room = DiskRoom(usage=lambda _: Usage(1, 1000))
    collector = DeliveredCollector(
        lambda _item, _output: tmp_path / "a.mp4", lambda _: "", Counted(None), room
    )
    item, films = item_of(), [Output("video-0-0", "video", "ftp://h/a.mp4")]
    item.size = 1500
    shortage = await collector.hold(item, films)
    assert shortage is not None
    assert shortage.free == 1000
    item.size = 900
    assert await collector.hold(item, films) is None
    collector.let_go(item)
