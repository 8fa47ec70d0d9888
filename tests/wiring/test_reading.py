"""Outputs at a job's own file servers are collected by the contract of all collectors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.errors import OutputMissing, Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Collector
from orchestrator.services.delivered import DeliveredCollector, Delivery
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

    async def read(self, url: str) -> bytes:
        return await self._inner.read(url)


@pytest.fixture
def counted(reader: RemoteReader) -> Counted:
    return Counted(reader)


@pytest.fixture
def put(
    server: Server,
    tmp_path: Path,
    moto: Any,  # noqa: F811
) -> Callable[[str, bytes], None]:
    def store(name: str, data: bytes) -> None:
        if server.url.startswith("s3"):
            moto.put_object(Bucket="films", Key=f"out/{name}", Body=data)
            return
        path = tmp_path / server.url.partition(":")[0] / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return store


class TestContract(CollectorContract):
    @pytest.fixture
    def collector(self, server: Server, counted: Counted, tmp_path: Path) -> Collector:
        def place(item: Item, output: Output) -> Path:
            return tmp_path / "collected" / output.url.rpartition("/")[2]

        return DeliveredCollector(place, lambda _: Delivery(url_of(server)), counted, DiskRoom())

    @pytest.fixture
    def fetched(self, counted: Counted) -> Callable[[], int]:
        return lambda: counted.count

    @pytest.fixture
    def offer(self, put: Callable[[str, bytes], None]) -> Callable[[str, bytes], Output]:
        def offered(name: str, data: bytes) -> Output:
            put(name, data)
            url = f"ftp://shown.example.com/out/{name}"
            return Output(f"video-0-{name}", "video", url, size=len(data))

        return offered


MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=64x48\nlow/list.m3u8\n"
LIST = b"#EXTM3U\n#EXTINF:1,\n1.ts\n#EXTINF:1,\n2%20b.ts\n#EXT-X-ENDLIST\n"
LADDER = {
    "master.m3u8": MASTER,
    "low/list.m3u8": LIST,
    "low/1.ts": b"1" * 5000,
    "low/2 b.ts": b"2" * 3000,
}


def inside(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("named", ["as it is", "in other words"])
async def test_a_ladder_comes_whole_and_the_orders_images_with_it(
    named: str,
    server: Server,
    counted: Counted,
    put: Callable[[str, bytes], None],
    tmp_path: Path,
) -> None:
    for name, data in LADDER.items():
        put(f"fi lm/{name}", data)
    put("po ster.jpg", b"image")
    delivery = Delivery(url_of(server), ("po ster.jpg",))
    home = delivery.shown if named == "as it is" else "ftp://shown.example.com/x"
    film = Output("video-0-0", "video", f"{home}/fi%20lm/master.m3u8", user_tag="phone")
    counts: list[tuple[int, int | None]] = []

    def place(item: Item, output: Output) -> Path:
        return tmp_path / "got" / (output.user_tag or "")

    collector = DeliveredCollector(place, lambda _: delivery, counted, DiskRoom())
    done = await collector.collect(item_of(), [film], lambda *count: counts.append(count))
    size = sum(map(len, LADDER.values()))
    assert inside(tmp_path / "got" / "phone") == LADDER
    assert (tmp_path / "got" / "po ster").read_bytes() == b"image"
    assert [(each.kind, each.user_tag, each.size) for each in done] == [
        ("video", "phone", size),
        ("image", "po ster", 5),
    ]
    assert done[1].url == f"{delivery.shown}/po%20ster.jpg"
    assert SECRET[:20] not in str(done)
    assert SECRET[:20] not in repr(delivery)
    assert counts[-1] == (size + 5, size + 5)
    before = counted.count
    assert await collector.collect(item_of(), [film], lambda *_: None) == done
    assert await collector.collect(item_of(), done, lambda *_: None) == done
    assert counted.count == before == 3


async def test_a_ladder_without_a_segment_is_no_output(
    server: Server, counted: Counted, put: Callable[[str, bytes], None], tmp_path: Path
) -> None:
    for name, data in LADDER.items():
        if name != "low/1.ts":
            put(f"film/{name}", data)
    delivery = Delivery(url_of(server))
    film = Output("video-0-0", "video", f"{delivery.shown}/film/master.m3u8")
    collector = DeliveredCollector(
        lambda _item, _output: tmp_path / "got", lambda _: delivery, counted, DiskRoom()
    )
    with pytest.raises(OutputMissing, match=r"film/low/1\.ts"):
        await collector.collect(item_of(), [film], lambda *_: None)
    assert not list((tmp_path / "got").rglob("*.m3u8"))


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


def without_files(place: Path | None, *images: str) -> DeliveredCollector:
    return DeliveredCollector(
        lambda _item, _output: place,
        lambda _: Delivery("ftp://h/out", images),
        Counted(None),
        DiskRoom(),
    )


async def test_what_nobody_wants_is_left(tmp_path: Path) -> None:
    films = (Output("video-0-0", "video", "ftp://h/out/0.mp4"),)
    left = without_files(None, "poster.jpg")
    assert await left.collect(item_of(), films, lambda *_: None) == films
    assert await left.hold(item_of(), films) is None


async def test_two_files_of_one_place_are_refused(tmp_path: Path) -> None:
    collector = without_files(tmp_path / "same.mp4")
    films = [Output(f"video-0-{n}", "video", f"ftp://h/out/{n}.mp4") for n in range(2)]
    with pytest.raises(Permanent, match="two outputs would both become"):
        await collector.collect(item_of(), films, lambda *_: None)
    with pytest.raises(Permanent, match="two outputs would both become"):
        await without_files(tmp_path / "same.mp4", "poster.jpg").collect(
            item_of(), films[:1], lambda *_: None
        )


async def test_room_is_held_for_what_comes(tmp_path: Path) -> None:
    room = DiskRoom(usage=lambda _: Usage(1, 1000))
    collector = DeliveredCollector(
        lambda _item, _output: tmp_path / "a.mp4", lambda _: Delivery(""), Counted(None), room
    )
    item, films = item_of(), [Output("video-0-0", "video", "ftp://h/a.mp4")]
    item.size = 1500
    shortage = await collector.hold(item, films)
    assert shortage is not None
    assert shortage.free == 1000
    item.size = 900
    assert await collector.hold(item, films) is None
    collector.let_go(item)
