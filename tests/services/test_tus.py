"""The tus client, against a server that was written for its tests."""

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    Permanent,
    Stalled,
    TaskLost,
    Transient,
    Unreachable,
    UploadGone,
)
from orchestrator.model.items import Attempt
from orchestrator.services import local_disk, source_file
from orchestrator.services.http import MIB, Http
from orchestrator.services.refusals import Unauthorized
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus import TusUploader
from orchestrator.services.tus_transfer import Pace
from tests.services.contract_uploader import UploaderContract, Watcher
from tests.services.fault_server import HANG, answer, bare_server, fault_server
from tests.services.tus_server import TusServer, tus_server, whole

ATTEMPT = Attempt(1, "test", "", "", task="token", upload_to="/files/token")


@pytest.fixture
async def server() -> AsyncIterator[TusServer]:
    async with tus_server() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def attempt() -> Attempt:
    return ATTEMPT


def big(tmp_path: Path, size: int = 3 * MIB + 5) -> Path:
    path = tmp_path / "big.mp4"
    path.write_bytes(os.urandom(size))
    return path


class TestContract(UploaderContract):
    server: TusServer

    @pytest.fixture
    def uploader(self, http: Http, server: TusServer) -> TusUploader:
        self.server = server
        return TusUploader(http, server.url, chunk=MIB)

    def arrived(self, remote: str) -> bytes:
        scheme, _, name = remote.partition(":")
        assert scheme == "tus"
        return bytes(self.server.uploads[name].data)

    def forget(self) -> None:
        self.server.uploads.clear()


class TestContractFromADisk(TestContract):
    """The same where nothing is in the kernel's memory and the disk is not local."""

    @pytest.fixture(autouse=True)
    def far(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source_file, "_NOWAIT", 0)
        monkeypatch.setattr(source_file, "is_local", lambda _: False)


def test_network_mounts_are_not_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
        "2 1 0:4 / /media/my\\040nas rw shared:2 master:1 - nfs4 nas:/x rw\n"
        "3 2 8:2 / /media/my\\040nas/disk rw - xfs /dev/sdb rw\n"
    )
    monkeypatch.setattr(local_disk, "_MOUNTS", mounts)
    caches = (local_disk._mounts, local_disk._is_local)
    for cache in caches:
        cache.cache_clear()
    try:
        assert local_disk.is_local("/media/a.mp4")
        assert local_disk.is_local("/media/my nasty/a.mp4")
        assert not local_disk.is_local("/media/my nas/a/b.mp4")
        assert local_disk.is_local("/media/my nas/disk/b.mp4")
    finally:
        for cache in caches:
            cache.cache_clear()


async def test_a_small_file_costs_one_request(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    uploader = TusUploader(http, server.url)
    path = tmp_path / "ü.mp4"
    path.write_bytes(b"tiny")
    for _ in range(3):
        watcher = Watcher()
        await uploader.upload(path, ATTEMPT, watcher)
        assert watcher.urls == []
        assert watcher.offsets == [4]
    assert server.methods() == ["OPTIONS", "POST", "POST", "POST"]
    assert len(server.connections) == 2  # one to ask, one for the files
    upload = next(iter(server.uploads.values()))
    assert upload.metadata == "filename " + base64.b64encode("ü.mp4".encode()).decode()


async def test_the_options_are_asked_once_by_many(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    uploader = TusUploader(http, server.url)
    path = big(tmp_path, 100)
    attempts = [replace(ATTEMPT, upload_to=f"/files/token{n}") for n in range(8)]
    await asyncio.gather(*[uploader.upload(path, each, Watcher()) for each in attempts])
    assert server.methods().count("OPTIONS") == 1


@pytest.mark.parametrize("absolute", [True, False])
async def test_created_is_told_before_bytes_leave(
    http: Http, server: TusServer, tmp_path: Path, *, absolute: bool
) -> None:
    server.absolute = absolute
    watcher = Watcher(meanwhile=lambda: server.log.append("NOTED -"))
    await TusUploader(http, server.url, chunk=2 * MIB).upload(big(tmp_path), ATTEMPT, watcher)
    assert server.methods() == ["OPTIONS", "POST", "NOTED", "PATCH", "PATCH"]
    assert watcher.urls == [f"/data/{next(iter(server.uploads))}"]


async def test_it_goes_on_from_the_offset(http: Http, server: TusServer, tmp_path: Path) -> None:
    path = big(tmp_path)
    uploader = TusUploader(http, server.url, chunk=MIB)
    watcher = Watcher()
    server.faults = ["", "", "429"]
    with pytest.raises(Busy):
        await uploader.upload(path, ATTEMPT, watcher)
    server.only().data += path.read_bytes()[MIB : MIB + 777]
    resumed = replace(ATTEMPT, upload_url=watcher.urls[0])
    again = Watcher()
    await uploader.upload(path, resumed, again)
    assert whole(server.uploads.values()) == path.read_bytes()
    assert again.offsets[0] == MIB + 777


async def test_a_service_that_came_back_elsewhere(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    path, watcher = big(tmp_path), Watcher()
    async with tus_server() as before:
        before.faults = ["", "", "429"]
        with pytest.raises(Busy):
            await TusUploader(http, before.url, chunk=MIB).upload(path, ATTEMPT, watcher)
        server.uploads = before.uploads
    resumed = replace(ATTEMPT, upload_url=watcher.urls[0])
    await TusUploader(http, server.url).upload(path, resumed, Watcher())
    assert whole(server.uploads.values()) == path.read_bytes()


@pytest.mark.parametrize("status", [404, 405, 500, 501])
async def test_without_options_it_is_core_and_creation(
    http: Http, tmp_path: Path, status: int
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"tiny")
    async with fault_server(
        answer(b"", status),
        answer(b"", 201, Location="/data/abc"),
        answer(b"", 204, Upload_Offset="4"),
    ) as faults:
        remote = await TusUploader(http, faults.url).upload(path, ATTEMPT, Watcher())
        assert remote == "tus:abc"
        assert faults.requests[1][1] == b""
        assert faults.requests[2][1] == b"tiny"


async def test_a_file_that_is_too_large(http: Http, server: TusServer, tmp_path: Path) -> None:
    server.max_size = 1000
    with pytest.raises(Permanent, match=r"1001 bytes.* 1000 at most"):
        await TusUploader(http, server.url).upload(big(tmp_path, 1001), ATTEMPT, Watcher())
    server.faults = ["413"]
    with pytest.raises(Permanent, match="too large"):
        await TusUploader(http, server.url).upload(big(tmp_path, 10), ATTEMPT, Watcher())
    assert "PATCH" not in server.methods()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", Unauthorized),
        ("403", AccountProblem),
        ("404", TaskLost),
        ("400", BadRequest),
        ("429", Busy),
        ("503", Busy),
        ("500", Transient),
        ("302", AccountProblem),
        ("lose", Transient),
        ("cut", Transient),
    ],
)
async def test_a_creation_that_fails_is_not_repeated(
    http: Http, server: TusServer, tmp_path: Path, fault: str, error: type[Exception]
) -> None:
    server.faults = [fault]
    with pytest.raises(error) as failed:
        await TusUploader(http, server.url).upload(big(tmp_path, 1000), ATTEMPT, Watcher())
    assert type(failed.value) is error
    assert server.methods().count("POST") <= 1
    assert len(server.uploads) <= 1


@pytest.mark.parametrize(
    ("location", "offset"), [("", "0"), ("/data/x", "none"), ("/data/x", "99")]
)
async def test_answers_that_make_no_sense(
    http: Http, tmp_path: Path, location: str, offset: str
) -> None:
    headers = {"Location": location} if location else {}
    async with fault_server(
        answer(b"", 204),
        answer(b"", 201, **headers),
        *[answer(b"", 204, Upload_Offset=offset)] * 20,
    ) as faults:
        with pytest.raises(Transient, match=r"not understood|more bytes"):
            await TusUploader(http, faults.url).upload(big(tmp_path, 10), ATTEMPT, Watcher())


@pytest.mark.parametrize(
    "fault", ["409", "423", "460", "500", "502", "413", "cut", "lose", "part", "mute", "back"]
)
async def test_a_fault_on_the_way_is_mended(
    http: Http, server: TusServer, tmp_path: Path, fault: str
) -> None:
    path, watcher = big(tmp_path), Watcher()
    server.faults = ["", "", fault, "", "", fault]
    await TusUploader(http, server.url, chunk=MIB).upload(path, ATTEMPT, watcher)
    assert whole(server.uploads.values()) == path.read_bytes()
    assert len(server.uploads) == 1
    assert watcher.offsets == sorted(watcher.offsets)


async def test_the_answer_to_the_last_patch_is_lost(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    path = big(tmp_path, MIB + 1)
    server.faults = ["", "lose"]
    await TusUploader(http, server.url).upload(path, ATTEMPT, Watcher())
    assert server.methods() == ["OPTIONS", "POST", "HEAD"]
    assert whole(server.uploads.values()) == path.read_bytes()


async def test_it_does_not_try_in_vain_for_ever(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    server.faults = [""] + ["500", ""] * 50
    with pytest.raises(Transient, match=r"stays at byte 0: PATCH .* answered 500") as failed:
        await TusUploader(http, server.url).upload(big(tmp_path), ATTEMPT, Watcher())
    assert type(failed.value) is Transient
    assert server.methods().count("PATCH") == 5


@pytest.mark.parametrize("status", ["404", "410", "403"])
async def test_an_upload_gone_in_the_middle(
    http: Http, server: TusServer, tmp_path: Path, status: str
) -> None:
    server.faults = ["", "", status]
    with pytest.raises(UploadGone):
        await TusUploader(http, server.url, chunk=MIB).upload(big(tmp_path), ATTEMPT, Watcher())


async def test_an_upload_of_another_length_is_gone(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    uploader, watcher = TusUploader(http, server.url), Watcher()
    await uploader.upload(big(tmp_path), ATTEMPT, watcher)
    resumed = replace(ATTEMPT, upload_url=watcher.urls[0])
    with pytest.raises(UploadGone, match="begun for a file of"):
        await uploader.upload(big(tmp_path, 2 * MIB), resumed, Watcher())


async def test_a_server_that_is_away(http: Http, server: TusServer, tmp_path: Path) -> None:
    path, watcher = big(tmp_path), Watcher()
    async with tus_server() as before:
        before.faults = ["", "", "429"]
        uploader = TusUploader(http, before.url, chunk=MIB)
        with pytest.raises(Busy):
            await uploader.upload(path, ATTEMPT, watcher)
    with pytest.raises(Unreachable):
        await uploader.upload(path, replace(ATTEMPT, upload_url=watcher.urls[0]), Watcher())


@pytest.mark.parametrize("small", [0, MIB])
async def test_checksums_are_sent_and_mistakes_found(
    http: Http, server: TusServer, tmp_path: Path, small: int
) -> None:
    path = big(tmp_path, 5 * MIB + 3)
    server.faults = ["", "damage"]
    uploader = TusUploader(http, server.url, checksum="on", small=small)
    await uploader.upload(path, ATTEMPT, Watcher())
    assert whole(server.uploads.values()) == path.read_bytes()
    assert len(server.checksums) == 3
    assert all(claim.startswith("sha1 ") for claim in server.checksums)
    path.write_bytes(b"small")
    await uploader.upload(path, ATTEMPT, Watcher())


async def test_checksums_only_where_they_are_offered_and_of_use(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    path = big(tmp_path, 2 * MIB)
    await TusUploader(http, server.url, checksum="auto").upload(path, ATTEMPT, Watcher())
    await TusUploader(http, server.url, checksum="off").upload(path, ATTEMPT, Watcher())
    server.algorithms = "crc64"
    await TusUploader(http, server.url, checksum="on").upload(path, ATTEMPT, Watcher())
    assert server.checksums == []


async def test_a_server_that_says_nothing_is_stalled(http: Http, tmp_path: Path) -> None:
    async with fault_server(answer(b"", 204), answer(b"", 201, Location="/d/x"), HANG) as faults:
        with pytest.raises(Stalled, match=r"nothing moved for 0\.2 seconds"):
            await TusUploader(http, faults.url, stall=0.2).upload(
                big(tmp_path, 10), ATTEMPT, Watcher()
            )


async def test_a_server_that_stops_reading_is_stalled(http: Http, tmp_path: Path) -> None:
    async def reads_a_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    path = big(tmp_path, 40 * MIB)
    async with (
        bare_server(reads_a_little) as url,
        fault_server(answer(b"", 204), answer(b"", 201, Location=url + "/upload")) as faults,
    ):
        with pytest.raises(Stalled):
            await TusUploader(http, faults.url, stall=0.3).upload(path, ATTEMPT, Watcher())


async def test_a_slow_line_is_not_stalled(http: Http, tmp_path: Path) -> None:
    """Ten pauses, each shorter than the watchdog allows, all together longer."""
    path = big(tmp_path, 5 * MIB)

    async def reads_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.12)
            await reader.readexactly(512 * 1024)
        writer.write(answer(b"", 204, Upload_Offset=str(5 * MIB)))
        await writer.drain()

    async with (
        bare_server(reads_slowly) as url,
        fault_server(answer(b"", 204), answer(b"", 201, Location=url + "/upload")) as faults,
    ):
        remote = await TusUploader(http, faults.url, stall=1.0).upload(path, ATTEMPT, Watcher())
    assert remote == "tus:upload"


async def test_cancelled_in_the_middle_nothing_leaks(http: Http, tmp_path: Path) -> None:
    path = big(tmp_path, 30 * MIB)
    reading = asyncio.Event()
    before = asyncio.all_tasks()

    async def reads_a_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MIB)
        reading.set()
        await asyncio.Event().wait()

    async with (
        bare_server(reads_a_little) as url,
        fault_server(answer(b"", 204), answer(b"", 201, Location=url + "/upload")) as faults,
    ):
        upload = asyncio.create_task(TusUploader(http, faults.url).upload(path, ATTEMPT, Watcher()))
        await reading.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert str(path) not in open_files()
    assert asyncio.all_tasks() <= before


def open_files() -> set[str]:
    """What this process has open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(entry.readlink()))
    return found


@pytest.mark.parametrize("small", [MIB, 1])
async def test_waiting_for_the_bandwidth_is_no_stall(
    http: Http, server: TusServer, tmp_path: Path, small: int
) -> None:
    path = big(tmp_path, 200_000)
    throttle = Throttle(200_000)
    uploader = TusUploader(http, server.url, small=small, stall=0.2, throttle=throttle)
    began = asyncio.get_running_loop().time()
    await uploader.upload(path, ATTEMPT, Watcher())
    assert server.only().data == path.read_bytes()
    assert "HEAD" not in server.methods()
    assert asyncio.get_running_loop().time() - began > 0.2


def test_more_is_sent_at_once_while_it_goes_fast() -> None:
    pace, sizes, pieces = Pace(512 * MIB), [], []
    for seconds in (0.3, 1.0, 1.9, 5.0, 1.0, 1.0, 1.0, 1.0, 11.0):
        sizes.append(pace.size // MIB)
        pieces.append(pace.piece // 1024)
        pace.took(seconds)
    assert sizes == [8, 16, 32, 64, 64, 128, 256, 512, 512]
    assert pieces == [256, 512, *[1024] * 7]
    assert pace.size == 256 * MIB
    pace.broke()
    pace.took(0.3)
    assert pace.size == 256 * MIB


def test_a_fast_line_has_large_requests_soon() -> None:
    pace = Pace(512 * MIB)
    for size in (8, 64, 512, 512):
        assert pace.size == size * MIB
        pace.took(0.2)


def test_pieces_stay_small_where_a_stall_is_to_be_noticed() -> None:
    pace = Pace(512 * MIB)
    for _ in range(5):
        pace.took(11.0)
    assert (pace.size, pace.piece) == (MIB, MIB // 4)


async def test_what_was_too_large_once_is_not_tried_again(
    http: Http, server: TusServer, tmp_path: Path
) -> None:
    path = big(tmp_path, 20 * MIB)
    server.faults = ["", "413"]
    await TusUploader(http, server.url).upload(path, ATTEMPT, Watcher())
    assert server.only().data == path.read_bytes()
    assert server.log[1:] == ["POST 201", "PATCH 413", "HEAD 200", *["PATCH 204"] * 5]
