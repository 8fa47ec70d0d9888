"""Room is promised once, and only where it is."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model.items import Output
from orchestrator.model.ports import Shortage
from orchestrator.services.collect import HttpCollector
from orchestrator.services.disk_room import DiskRoom, Usage, usage_of
from orchestrator.services.http import Http
from tests.services.contract_collector import item_of
from tests.services.fault_server import answer, fault_server

FOLDER = Path("/out")


@dataclass
class Disk:
    """Two file systems: /out, and all else, which is huge."""

    free: int = 1000

    def __call__(self, folder: Path) -> Usage:
        return Usage(1, self.free) if folder.is_relative_to(FOLDER) else Usage(2, 10**12)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def room(disk: Disk) -> DiskRoom:
    return DiskRoom(100, disk)


async def test_what_is_promised_is_not_free(room: DiskRoom) -> None:
    assert await room.hold(1, FOLDER, 600, 0) is None
    assert await room.hold(2, FOLDER, 301, 0) == Shortage("/out", 400, 401)
    assert await room.hold(2, FOLDER, 300, 0) is None
    room.let_go(1)
    assert await room.hold(3, FOLDER, 600, 0) is None


async def test_bytes_that_landed_are_counted_by_the_disk_alone(room: DiskRoom, disk: Disk) -> None:
    assert await room.hold(1, FOLDER, 600, 0) is None
    room.landed(1, 400)
    disk.free = 600
    assert await room.hold(2, FOLDER, 300, 0) is None
    assert await room.hold(3, FOLDER, 1, 0) is not None
    room.landed(1, 9999)
    room.let_go(9)


async def test_what_is_there_already_needs_no_room(room: DiskRoom, disk: Disk) -> None:
    disk.free = 0
    assert await room.hold(1, FOLDER, 600, 600) is None
    assert await room.hold(2, FOLDER, 600, 599) == Shortage("/out", 0, 101)


async def test_asking_again_replaces_the_promise(room: DiskRoom) -> None:
    assert await room.hold(1, FOLDER, 900, 0) is None
    assert await room.hold(1, FOLDER, 900, 0) is None
    assert await room.hold(2, FOLDER, 1, 0) is not None


async def test_file_systems_are_counted_apart(room: DiskRoom) -> None:
    assert await room.hold(1, FOLDER, 900, 0) is None
    assert await room.hold(2, Path("/else"), 900, 0) is None


def test_a_real_file_system(tmp_path: Path) -> None:
    here = usage_of(tmp_path)
    there = usage_of(tmp_path / "not" / "there" / "yet")
    assert here.device == there.device == tmp_path.stat().st_dev
    assert here.free > 0


# --- held by the collector ---------------------------------------------------------


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


def collector(http: Http, folder: Path, room: DiskRoom, base: str = "http://h") -> HttpCollector:
    return HttpCollector(http, base, lambda _, each: folder / (each.user_tag or "a"), room=room)


def output(name: str, size: int | None, url: str = "") -> Output:
    return Output("video-0-0", "video", url or f"/{name}", user_tag=name, size=size)


async def test_an_items_outputs_are_held_together(http: Http, room: DiskRoom) -> None:
    held = collector(http, FOLDER, room)
    assert await held.hold(item_of(), [output("a", 500), output("b", 500)]) == Shortage(
        "/out", 1000, 1100
    )
    assert await held.hold(item_of(), [output("a", 500), output("b", 400)]) is None
    held.let_go(item_of())
    assert await held.hold(item_of(), [output("c", 900)]) is None


async def test_what_stays_elsewhere_needs_no_room(http: Http, room: DiskRoom) -> None:
    held = collector(http, FOLDER, room)
    assert await held.hold(item_of(), [output("a", 10**9, "s3://b/a")]) is None


async def test_an_unknown_size_is_estimated(http: Http, room: DiskRoom) -> None:
    short = await collector(http, FOLDER, room).hold(item_of(), [output("a", None)])
    assert short is not None
    assert short.needed > 100 * 2**20


async def test_a_download_gives_back_what_it_has_written(http: Http, tmp_path: Path) -> None:
    disk = Disk(1_000)
    room = DiskRoom(0, lambda _: disk(FOLDER))
    (tmp_path / ".b.part").write_bytes(bytes(100))
    async with fault_server(
        answer(bytes(500)), answer(bytes(400), 206, Content_Range="bytes 100-499/500")
    ) as faults:
        held = collector(http, tmp_path, room, faults.url)
        wanted = [output("a", 500), output("b", 500)]
        item = item_of(time.time() - 60)
        assert await held.hold(item, wanted) is None
        assert await room.hold(7, tmp_path, 1, 0) is not None
        await held.collect(item, wanted, lambda *_: None)
        assert await room.hold(7, tmp_path, 1000, 0) is None
