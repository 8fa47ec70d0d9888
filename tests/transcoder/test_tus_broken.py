"""Connections that break, clients that come back, disks that fill, processes that die."""

import asyncio
import errno
import io
import os
from contextlib import asynccontextmanager, suppress

import pytest
from yarl import URL

from orchestrator.transcoder.tus import receive
from orchestrator.transcoder.tus.appender import Appender, mend
from orchestrator.transcoder.tus.wire import Checksum, TusError
from tests.transcoder.client import BYTES, TUS

LENGTH = 3_000_000
DATA = os.urandom(LENGTH)


@pytest.fixture
async def upload(client, http):
    uploads = f"{client.url}/v1/upload_file/{await client.task()}"
    async with http.post(uploads, headers={**TUS, "Upload-Length": str(LENGTH)}) as response:
        return response.headers["Location"]


@asynccontextmanager
async def half_a_patch(url, offset, sent, **headers):
    """A PATCH that announces the rest of the upload and sends only some of it."""
    where = URL(url)
    reader, writer = await asyncio.open_connection(where.host, where.port)
    lines = {
        **BYTES,
        "Host": where.authority,
        "Upload-Offset": str(offset),
        "Content-Length": str(LENGTH - offset),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"PATCH {where.path} HTTP/1.1\r\n{head}\r\n".encode())
    writer.write(DATA[offset : offset + sent])
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()


async def offset_of(http, url):
    async with http.head(url, headers=TUS) as response:
        assert response.status == 200
        return int(response.headers["Upload-Offset"])


async def until_offset(http, url, offset):
    async with asyncio.timeout(20):
        while await offset_of(http, url) != offset:
            pass


async def patch(http, url, data, offset, **headers):
    sent = {**BYTES, "Upload-Offset": str(offset), **headers}
    async with http.patch(url, data=io.BytesIO(data), headers=sent) as response:
        return response.status


async def stored(settings, url):
    return (settings().data / "uploads" / url.rpartition("/")[2]).read_bytes()


@pytest.mark.parametrize("sent", [1, 700_000, 2_500_000])
async def test_what_came_before_a_break_is_kept(http, upload, settings, sent):
    async with half_a_patch(upload, 0, sent):
        await until_offset(http, upload, sent)
    assert await patch(http, upload, DATA[sent:], sent) == 204
    assert await stored(settings, upload) == DATA


async def test_a_break_at_once_leaves_a_beginning(http, upload, settings):
    async with half_a_patch(upload, 0, 2_000_000):
        pass
    assert await patch(http, upload, b"", 0) in (204, 409)  # waits for the end of the first
    offset = await offset_of(http, upload)
    assert await stored(settings, upload) == DATA[:offset]
    assert await patch(http, upload, DATA[offset:], offset) == 204
    assert await stored(settings, upload) == DATA


async def test_a_client_that_comes_back_takes_over(http, upload, settings):
    """The first connection is half open: it never says that it is gone."""
    async with half_a_patch(upload, 0, 1_500_000) as (reader, _):
        await until_offset(http, upload, 1_500_000)
        assert await patch(http, upload, DATA[1_500_000:], 1_500_000) == 204
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    assert await stored(settings, upload) == DATA


async def test_of_two_that_come_back_one_wins(http, upload, settings):
    async with half_a_patch(upload, 0, 1000):
        await until_offset(http, upload, 1000)
        tries = [patch(http, upload, DATA[1000:], 1000) for _ in range(4)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
    assert 204 in ends
    assert await offset_of(http, upload) == LENGTH
    assert await stored(settings, upload) == DATA


async def test_termination_cuts_off_whoever_writes(http, upload):
    async with half_a_patch(upload, 0, 1000):
        await until_offset(http, upload, 1000)
        async with http.delete(upload, headers=TUS) as response:
            assert response.status == 204
        async with http.head(upload, headers=TUS) as response:
            assert response.status == 404


async def test_what_no_checksum_proved_is_not_kept(http, upload):
    promise = {"Upload-Checksum": "sha1 " + "A" * 27 + "="}
    async with half_a_patch(upload, 0, 2_500_000, **promise):
        assert await offset_of(http, upload) == 0
    # The next writer waits for the first one's end, and so sees what it left.
    assert await patch(http, upload, b"", 0) == 204
    assert await offset_of(http, upload) == 0


async def test_a_stalled_connection_is_given_up(http, upload, monkeypatch):
    monkeypatch.setattr(receive, "IDLE", 0.05)
    async with half_a_patch(upload, 0, 1000) as (reader, _):
        answer = await reader.readline()
    assert b" 408 " in answer
    assert await offset_of(http, upload) == 1000


async def test_a_full_disk_breaks_nothing(http, upload, settings, monkeypatch):
    """Even if it has room again a moment later: no gap may come of that."""
    real = os.write
    room, full = 1_200_000, False

    def write(fd, data):
        nonlocal room, full
        if len(data) > 1000 and not full:  # not the event loop's own
            if not room:
                full = True
                raise OSError(errno.ENOSPC, "No space left on device")
            data = data[:room]
            room -= len(data)
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    assert await patch(http, upload, DATA, 0) == 507
    monkeypatch.undo()
    assert await offset_of(http, upload) == 1_200_000
    assert await patch(http, upload, DATA[1_200_000:], 1_200_000) == 204
    assert await stored(settings, upload) == DATA


async def test_no_room_for_a_whole_upload_is_said_at_once(http, client):
    uploads = f"{client.url}/v1/upload_file/{await client.task()}"
    async with http.post(uploads, headers={**TUS, "Upload-Length": str(10**17)}) as response:
        assert response.status == 507


def test_a_crash_half_way_through_a_proven_body_leaves_what_was_proven(tmp_path):
    path = tmp_path / "upload"
    Appender(path, 0, None).finish([b"proven"])
    Appender(path, 6, None, Checksum("sha1", b"\0" * 20)).write([b" and not"])  # dies here
    assert path.read_bytes() == b"proven and not"
    assert mend(path) == 6
    assert path.read_bytes() == b"proven"
    assert mend(path) == 6


def test_a_crash_before_the_first_byte_of_a_proven_body_changes_nothing(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"proven")
    (tmp_path / "upload.base").touch()
    assert mend(path) == 6
    assert list(tmp_path.iterdir()) == [path]


def test_a_wrong_checksum_leaves_no_trace(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"proven")
    with pytest.raises(TusError) as refused:
        Appender(path, 6, 9, Checksum("md5", b"\0" * 16)).finish([b"bad"])
    assert refused.value.status == 460
    assert path.read_bytes() == b"proven"
    assert list(tmp_path.iterdir()) == [path]


async def test_complete_means_on_the_disk(http, upload, monkeypatch):
    """HEAD waits for the fsync of the last bytes, which another request sent."""
    synced = asyncio.Event()
    loop, real, order = asyncio.get_running_loop(), os.fsync, []

    def fsync(fd):
        loop.call_soon_threadsafe(synced.set)
        real(fd)
        order.append("fsync")

    monkeypatch.setattr(os, "fsync", fsync)
    sending = asyncio.create_task(patch(http, upload, DATA, 0))
    await synced.wait()
    assert await offset_of(http, upload) == LENGTH
    assert "fsync" in order
    assert await sending == 204
