"""Outputs are fetched whole or not at all, and never outside their place."""

import asyncio
import errno
import hashlib
import os
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.errors import (
    Busy,
    DiskFull,
    OrchestratorError,
    OutputDamaged,
    OutputMissing,
    Permanent,
    Stalled,
    Transient,
)
from orchestrator.model.items import Item, Output
from orchestrator.services.collect import HttpCollector
from orchestrator.services.folder_output import images_in, is_folder
from orchestrator.services.http import Http
from tests.services.contract_collector import CollectorContract, item_of
from tests.services.fault_server import HANG, RESET, answer, fault_server
from tests.services.served_files import Files, inside, serving

VTT = """WEBVTT

NOTE not-an-image.png

1
00:00:00.000 --> 00:00:10.000
sprite%201.png#xywh=0,0,160,90

00:00:10.000 --> 00:00:20.000
sprite%201.png#xywh=160,0,160,90

00:00:20.000 --> 00:00:30.000
sub/b.png
"""


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Files]:
    async with serving(tmp_path / "served") as served:
        yield served


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "collected"


def placed(folder: Path) -> Callable[[Item, Output], Path]:
    return lambda _, output: folder / (output.user_tag or "output.mp4")


@pytest.fixture
def collector(http: Http, files: Files, target: Path) -> HttpCollector:
    return HttpCollector(http, files.url, placed(target))


class TestContract(CollectorContract):
    @pytest.fixture
    def offer(self, files: Files) -> Callable[[str, bytes], Output]:
        return files.offer

    @pytest.fixture
    def fetched(self, files: Files) -> Callable[[], int]:
        return lambda: len(files.asked)


async def collect(collector: HttpCollector, *outputs: Output, since: float = 0) -> list[Output]:
    return list(await collector.collect(item_of(since), outputs, lambda *_: None))


def put(path: Path, data: bytes) -> None:
    """Have a file there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


async def test_what_is_elsewhere_stays_there(collector: HttpCollector, files: Files) -> None:
    own = Output("video-0-0", "video", "s3://bucket/key.mp4")
    local = Output("video-0-1", "video", "file:///srv/a%20b.mp4")
    assert await collect(collector, own, local) == [own, replace(local, path="/srv/a b.mp4")]
    assert files.asked == []


async def test_what_has_no_place_is_left(http: Http, files: Files) -> None:
    output = files.offer("a.mp4", b"a")
    assert await collect(HttpCollector(http, files.url, lambda *_: None), output) == [output]


async def test_an_output_of_an_earlier_version_is_replaced(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    put(target / "a.mp4", b"old!")
    await collect(collector, files.offer("a.mp4", b"new!"), since=time.time() + 60)
    assert (target / "a.mp4").read_bytes() == b"new!"


async def test_another_size_is_fetched_again(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    put(target / "a.mp4", b"less")
    await collect(collector, files.offer("a.mp4", b"a" * 1000))
    assert (target / "a.mp4").stat().st_size == 1000


async def test_it_goes_on_where_it_stopped(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    data = os.urandom(5000)
    put(target / ".a.mp4.part", data[:2000])
    await collect(collector, files.offer("a.mp4", data))
    assert (target / "a.mp4").read_bytes() == data
    assert files.asked == [("/a.mp4", "bytes=2000-")]
    assert inside(target) == ["a.mp4"]


@pytest.mark.parametrize("have", [5000, 6000])
async def test_an_earlier_try_that_had_it_all_or_too_much(
    collector: HttpCollector, files: Files, target: Path, have: int
) -> None:
    data = os.urandom(5000)
    put(target / ".a.mp4.part", (data * 2)[:have])
    await collect(collector, files.offer("a.mp4", data))
    assert (target / "a.mp4").read_bytes() == data
    assert len(files.asked) == (1 if have == 5000 else 2)


async def test_what_an_earlier_attempt_left_is_not_used(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    put(target / ".a.mp4.part", b"old")
    await collect(collector, files.offer("a.mp4", b"brand new"), since=time.time() + 60)
    assert (target / "a.mp4").read_bytes() == b"brand new"
    assert files.asked == [("/a.mp4", "")]


@pytest.mark.parametrize("second", [answer(b"whole" * 200), answer(b"", 416)])
async def test_a_server_without_ranges(http: Http, target: Path, second: bytes) -> None:
    put(target / ".a.mp4.part", b"begin")
    output = Output("video-0-0", "video", "/a.mp4", user_tag="a.mp4")
    async with fault_server(second, answer(b"whole" * 200)) as faults:
        await collect(HttpCollector(http, faults.url, placed(target)), output)
    assert (target / "a.mp4").read_bytes() == b"whole" * 200


@pytest.mark.parametrize(
    ("fault", "family"),
    [
        (RESET, Transient),
        (answer(b"half", length=1000), Transient),
        (answer(b"", 500), Transient),
        (answer(b"", 503, Retry_After="3"), Busy),
        (answer(b"", 206, Content_Range="bytes 0-9/10"), Transient),
        (answer(b"", 403), OutputMissing),
        (answer(b"", 410), OutputMissing),
        (answer(b"", 400), Permanent),
    ],
)
async def test_faults(
    http: Http, target: Path, fault: bytes | str, family: type[OrchestratorError]
) -> None:
    output = Output("video-0-0", "video", "/a.mp4?sig=hidden", user_tag="a.mp4")
    async with fault_server(fault, fault) as faults:
        with pytest.raises(family) as failed:
            await collect(HttpCollector(http, faults.url, placed(target)), output)
    assert type(failed.value) is family or family is Permanent
    assert "hidden" not in str(failed.value)
    assert not (target / "a.mp4").exists()


async def test_a_broken_download_is_picked_up(http: Http, target: Path) -> None:
    data = os.urandom(3 * 2**20)
    output = Output("video-0-0", "video", "/a.mp4", user_tag="a.mp4")
    async with fault_server(answer(data[: 2 * 2**20 + 9], length=len(data))) as faults:
        collector = HttpCollector(http, faults.url, placed(target))
        with pytest.raises(Transient):
            await collect(collector, output)
        begin = (target / ".a.mp4.part").stat().st_size
        assert begin >= 2**20
        rest = data[begin:]
        extent = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        faults.does(answer(rest, 206, Content_Range=extent))
        await collect(collector, output)
    assert (target / "a.mp4").read_bytes() == data


LIES = {
    "a size": (answer(b"a" * 900), 1000),
    "a size that is not there": (answer(b"a" * 1000), 0),
    "a digest": (answer(b"a" * 1000, Repr_Digest="sha-256=:" + "A" * 43 + "=:"), 1000),
    "more than the whole": (answer(b"a" * 1000, 206, Content_Range="bytes 0-999/900"), None),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_lies(http: Http, target: Path, lie: str) -> None:
    wrong, size = LIES[lie]
    right = answer(b"b" * (1000 if size is None else size))
    output = Output("video-0-0", "video", "/a.mp4?sig=hidden", user_tag="a.mp4", size=size)
    async with fault_server(wrong, right) as faults:
        collector = HttpCollector(http, faults.url, placed(target))
        with pytest.raises(OutputDamaged) as failed:
            await collect(collector, output)
        assert "hidden" not in str(failed.value)
        assert inside(target) == []
        await collect(collector, output)
    assert set((target / "a.mp4").read_bytes()) <= {ord("b")}


async def test_a_damaged_beginning_is_not_kept(http: Http, target: Path) -> None:
    data = os.urandom(5000)
    digest = "sha-256=:" + b64encode(hashlib.sha256(data).digest()).decode() + ":"
    put(target / ".a.mp4.part", b"not the beginning of it"[:20])
    output = Output("video-0-0", "video", "/a.mp4", user_tag="a.mp4", size=5000)
    rest = answer(data[20:], 206, Content_Range="bytes 20-4999/5000", Repr_Digest=digest)
    async with fault_server(rest, answer(data, Repr_Digest=digest)) as faults:
        collector = HttpCollector(http, faults.url, placed(target))
        with pytest.raises(OutputDamaged, match="sha256"):
            await collect(collector, output)
        await collect(collector, output)
    assert (target / "a.mp4").read_bytes() == data


async def test_a_silent_server_is_stalled(http: Http, target: Path) -> None:
    output = Output("video-0-0", "video", "/a.mp4", user_tag="a.mp4")
    async with fault_server(HANG) as faults:
        with pytest.raises(Stalled):
            await collect(HttpCollector(http, faults.url, placed(target), stall=0.1), output)


async def test_cancelled_in_the_middle_nothing_leaks(http: Http, target: Path) -> None:
    before = asyncio.all_tasks()
    output = Output("video-0-0", "video", "/a.mp4", user_tag="a.mp4")
    async with fault_server(HANG) as faults:
        call = asyncio.create_task(collect(HttpCollector(http, faults.url, placed(target)), output))
        await faults.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize(
    ("number", "family"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, Transient)],
)
async def test_a_disk_that_fails(
    collector: HttpCollector,
    files: Files,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    family: type[OrchestratorError],
) -> None:
    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    output = files.offer("a.mp4", b"a" * 3_000_000)
    monkeypatch.setattr(os, "pwrite", fails)
    with pytest.raises(family, match="can't be written") as failed:
        await collect(collector, output)
    assert type(failed.value) is family
    monkeypatch.undo()
    await collect(collector, output)
    assert (target / "a.mp4").stat().st_size == 3_000_000


async def test_a_folder_that_can_not_be_made(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    put(target, b"a file is in the way")
    with pytest.raises(Permanent, match="can't be written"):
        await collect(collector, files.offer("a.mp4", b"a"))


async def test_two_outputs_with_one_place(collector: HttpCollector, files: Files) -> None:
    output = files.offer("a.mp4", b"a")
    with pytest.raises(Permanent, match=r"key: two outputs would both become .*/a\.mp4"):
        await collect(collector, output, output)
    assert files.asked == []


def thumbnails(files: Files, vtt: str) -> Output:
    files.offer("t/sprite 1.png", b"one")
    files.offer("t/sub/b.png", b"two!")
    output = files.offer("t/thumbs.vtt", vtt.encode(), kind="image")
    return replace(output, user_tag="thumbs", size=None)


async def test_a_folder_of_thumbnails(collector: HttpCollector, files: Files, target: Path) -> None:
    (done,) = await collect(collector, thumbnails(files, VTT))
    assert done.path == str(target / "thumbs")
    assert done.size == len(VTT) + 7
    assert inside(target) == ["thumbs/sprite 1.png", "thumbs/sub/b.png", "thumbs/thumbs.vtt"]
    assert (target / "thumbs/sprite 1.png").read_bytes() == b"one"
    files.asked.clear()
    await collect(collector, thumbnails(files, VTT))
    assert files.asked == [("/t/thumbs.vtt", "")]


async def test_a_folder_with_an_image_missing(
    collector: HttpCollector, files: Files, target: Path
) -> None:
    with pytest.raises(OutputMissing, match=r"c\.png"):
        await collect(collector, thumbnails(files, VTT.replace("sub/b", "sub/c")))
    assert not (target / "thumbs/thumbs.vtt").exists()


@pytest.mark.parametrize(
    "reference",
    [
        "../x.png",
        "/etc/x.png",
        "http://else/x.png",
        "//else/x.png",
        "a/%2e%2e/%2e%2e/x.png",
        "a\\..\\x.png",
        "%2Fetc/x.png",
        "thumbs.vtt",
        "?x",
    ],
)
async def test_no_image_leaves_its_folder(
    collector: HttpCollector, files: Files, target: Path, reference: str
) -> None:
    with pytest.raises(OutputMissing, match=r"outside its own folder|names itself"):
        await collect(collector, thumbnails(files, VTT.replace("sub/b.png", reference)))
    assert inside(target) == []


def test_images_in() -> None:
    assert images_in(VTT) == ["sprite%201.png", "sub/b.png"]
    assert images_in("") == []


def test_is_folder() -> None:
    assert is_folder(Output("image-0-0", "image", "http://h/t/thumbs.vtt?sig=1"))
    assert not is_folder(Output("text-0-0", "text", "http://h/t/subtitles.vtt"))
    assert not is_folder(Output("image-0-0", "image", "http://h/t/1.png"))
