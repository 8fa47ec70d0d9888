"""Broken, lying and hostile inputs, each sent to the service as a client would.

Each ends as an error that names its reason, or as an output where the file is of
use in truth; in seconds, and with nothing left behind.
"""

import asyncio
import base64
import json
import re
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.media import children, toolchain
from tests.transcoder.bad_files import FILES, clip, cut, fast
from tests.transcoder.client import BYTES, KEY, Client
from tests.transcoder.sources.servers import serving

#: Seconds in which each has to end; most take a fraction of one.
LIMIT = 30
OUTPUT = [{"output": "mp4", "height": 48}]

#: Much like others of the list: run with the slow tests.
ALIKE = (
    "mp4 cut in its middle",
    "mp4 with its index first, cut near its end",
    "mkv cut near its end",
    "ts cut inside a packet",
    "ts without its first packets",
    "flv cut at half",
    "avi cut at half",
    "mp4 that claims 4 billion chunks",
    "webm with some bytes changed",
    "html",
    "random bytes",
    "mkv cut at a third",
    "a million frames per second",
    "negative times",
    "mp4 with its index first, cut in it",
    "m3u8 behind blank lines",
    "png of 100000x100000",
    "ts with every tenth byte changed",
    "one byte",
)
CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else [], id=name) for name in FILES
]


async def served(data: Path, work, **changes):
    """What ``work`` makes of a client of a service with the real encoder."""
    settings = TranscoderSettings(
        **{"data": data, "api_keys": (KEY,), "min_free_bytes": 0, **changes}
    )
    async with Transcoder(settings) as service, aiohttp.ClientSession() as http:
        return await work(Client(service.url, http))


async def outcome(client: Client, body: bytes, data: Path) -> dict:
    """How a task of a file ends, which leaves nothing behind."""
    before = set(children())
    async with asyncio.timeout(LIMIT):
        task, status = await client.encode(body, OUTPUT)
        while list((data / "uploads").iterdir()):  # it goes once the end is on record
            await client.status(task)
    assert set(children()) <= before
    assert list((data / "work").iterdir()) == []
    if status["status"] == "error":
        assert str(data) not in status["error_description"]
        assert list((data / "outputs").iterdir()) == []
    return status


@pytest.mark.attribute("status.returns.status.error_description")
@pytest.mark.parametrize("name", CASES)
async def test_a_bad_file_ends_cleanly(tmp_path, name):
    make, reason = FILES[name]
    body = await asyncio.to_thread(make)
    data = tmp_path / "data"
    status = await served(data, lambda client: outcome(client, body, data))
    if status["status"] == "completed":
        assert reason in ("", "|") or reason.startswith("|"), "it is of no use, and was taken"
        return
    assert status["status"] == "error"
    assert re.search(reason.removeprefix("|") or "(?!)", status["error_description"])


def test_there_are_enough_of_them():
    assert len(FILES) - len(ALIKE) >= 30


async def test_a_whole_file_passes_all_of_this(tmp_path):
    data = tmp_path / "data"
    status = await served(data, lambda client: outcome(client, fast(), data))
    assert status["status"] == "completed"


@pytest.mark.slow
async def test_bad_files_do_no_harm_to_those_beside_them(tmp_path):
    data = tmp_path / "data"
    bad = [cut(clip("mkv"), 0.33), b"", cut(fast(), 0.5)]

    async def work(client):
        ends = (client.encode(body, OUTPUT) for body in (*bad, fast(), *bad, fast()))
        return [status["status"] for _, status in await asyncio.gather(*ends)]

    ended = await served(data, work, workers=3)
    assert ended == ["error", "error", "error", "completed"] * 2


# --- streams that never end, and places that lead elsewhere -------------------


async def started(client: Client, source: str) -> dict:
    task = await client.task()
    answer = await client.start(task, source, OUTPUT)
    return answer if answer["error"] else await client.until(task, "completed", "error")


async def test_a_source_that_never_ends_stops_at_the_limit(tmp_path):
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(fast())
        while True:
            await response.write(bytes(65536))

    async with serving(endless) as address:
        status = await served(
            tmp_path / "data",
            lambda client: started(client, f"http://{address}/live.mp4"),
            allow_private_sources=True,
            max_upload_bytes=2_000_000,
        )
    assert "more than the 2000000 bytes" in status["error_description"]
    assert list((tmp_path / "data" / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["film.m3u8", "film.mp4", "-i", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"])
@pytest.mark.parametrize(
    "body",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    ],
    ids=["m3u8", "ffconcat"],
)
async def test_a_playlist_is_not_followed_whatever_its_name(tmp_path, name, body):
    async def playlist(request):
        return web.Response(body=body, content_type="application/vnd.apple.mpegurl")

    async with serving(playlist) as address:
        status = await served(
            tmp_path / "data",
            lambda client: started(client, f"http://{address}/{name}"),
            allow_private_sources=True,
        )
    assert "names other files" in status["error_description"]


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "file:../../../etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
        "concat:/etc/passwd|/etc/passwd",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "lavfi:testsrc",
        "-i /etc/passwd",
        "-f lavfi",
        "gopher://127.0.0.1/",
        "http://",
        "tus:../../tasks.sqlite",
        "tus:/etc/passwd",
    ],
)
async def test_what_is_no_source_is_refused_at_the_start(tmp_path, source):
    answer = await served(tmp_path / "data", lambda client: started(client, source))
    assert (answer["error"], answer["field"]) == (20, "query.source")


async def test_a_redirect_to_a_file_or_a_private_place_is_refused(tmp_path):
    async def moved(request):
        raise web.HTTPFound("file:///etc/passwd")

    async with serving(moved) as address:
        status = await served(
            tmp_path / "data",
            lambda client: started(client, f"http://{address}/film.mp4"),
            allow_private_sources=True,
        )
    assert "leads to no http(s) address" in status["error_description"]


@pytest.mark.parametrize(
    "name", ["-i.mp4", "../../../evil.mp4", "a'\"$(id).mp4", "concat:x|y", "\u202e"]
)
async def test_an_uploads_own_name_is_never_used(tmp_path, name):
    data = tmp_path / "data"
    told = base64.b64encode(name.encode()).decode()

    async def work(client):
        task = await client.task()
        upload = await client.upload(
            task, fast(), **{**BYTES, "Upload-Metadata": f"filename {told}"}
        )
        answer = await client.start(task, f"tus:{upload}", OUTPUT)
        assert answer["error"] == 0
        return await client.until(task, "completed", "error")

    status = await served(data, work)
    assert status["status"] == "completed"
    assert "evil" not in json.dumps(status)
    assert not list(tmp_path.rglob("*evil*"))


async def test_looking_into_a_bad_file_takes_no_longer_than_its_limit(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(fast())
    with pytest.raises(MediaError, match="took longer than 0 seconds"):
        await probe_source(toolchain(), path, limit=0)
    assert children() == []
