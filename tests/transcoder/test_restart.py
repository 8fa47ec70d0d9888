"""The process dies with no warning; the next one goes on. And only one at a time."""

import asyncio
import json
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.transcoder.folders import DataFolderInUse
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.transcoder.client import BYTES, KEY, TUS, Client


@asynccontextmanager
async def process(data, *, hang):
    """A service in a process of its own, which is killed at the end."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.transcoder.serve",
        json.dumps({"data": str(data), "hang": hang}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        url = (await asyncio.wait_for(server.stdout.readline(), 20)).decode().strip()
        yield url
    finally:
        server.send_signal(signal.SIGKILL)
        await server.communicate()


async def test_killed_in_the_middle_of_an_encode(tmp_path, http):
    data = tmp_path / "data"
    async with process(data, hang=True) as url:
        client = Client(url, http)
        task = await client.task()
        upload = await client.upload(task, b"film")
        await client.start(task, f"tus:{upload}", payload="7")
        await client.until(task, "encoding")
        other = await client.task()
        partial = f"{url}/v1/upload_file/{other}/" + await client.upload(
            other, b"hal", **{"Upload-Length": "4"}
        )
    assert list((data / "work").iterdir()) != []
    (data / "uploads" / ("0" * 32)).write_bytes(b"a stray")
    (data / "outputs" / "stray").mkdir()

    async with process(data, hang=False) as url:
        client = Client(url, http)
        status = await client.until(task, "completed", "error")
        assert status["status"] == "completed"
        async with http.get(status["videos"][0]["url"]) as response:
            assert await response.read() == b"mp4 of 4 bytes\n"
        partial = url + partial[partial.index("/v1") :]
        async with http.head(partial, headers=TUS) as response:
            assert response.headers["Upload-Offset"] == "3"
        async with http.patch(
            partial, data=b"f", headers={**BYTES, "Upload-Offset": "3"}
        ) as response:
            assert response.status == 204
        assert list((data / "work").iterdir()) == []
        assert not (data / "uploads" / ("0" * 32)).exists()
        assert not (data / "outputs" / "stray").exists()

    connection = sqlite3.connect(data / "tasks.sqlite")
    try:
        starts = connection.execute("SELECT task, payload, source FROM starts").fetchall()
    finally:
        connection.close()
    assert starts == [(task, "7", f"tus:{upload}")]


@pytest.mark.slow
async def test_an_encode_that_kills_the_process_is_given_up(tmp_path, http):
    data = tmp_path / "data"
    async with process(data, hang=True) as url:
        client = Client(url, http)
        task = await client.task()
        await client.start(task, f"tus:{await client.upload(task, b'film')}")
        await client.until(task, "encoding")
    for _ in range(2):
        async with process(data, hang=True) as url:
            status = await Client(url, http).until(task, "encoding", "error")
    assert status["status"] == "encoding"
    async with process(data, hang=True) as url:
        status = await Client(url, http).until(task, "encoding", "error")
    assert status["status"] == "error"
    assert "3 times" in status["error_description"]


async def test_one_process_on_a_data_folder(service, settings, encoder):
    with pytest.raises(DataFolderInUse, match="another transcoder is running"):
        async with Transcoder(settings(), encoder):
            pass


async def test_the_folder_is_free_again_afterwards(settings, encoder):
    for _ in range(2):
        async with Transcoder(settings(), encoder) as transcoder:
            assert transcoder.url.startswith("http://127.0.0.1:")


async def test_an_address_that_is_taken_is_told(service, settings, encoder, tmp_path):
    taken = service.url.removeprefix("http://")
    with pytest.raises(BadInput, match=taken):
        async with Transcoder(settings(data=tmp_path / "other", listen=taken), encoder):
            pass


async def test_a_data_folder_that_is_a_file_is_told(settings, encoder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="data folder"):
        async with Transcoder(settings(data=tmp_path / "file"), encoder):
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_keys": ()},
        {"api_keys": ("with space",)},
        {"listen": "8080"},
        {"listen": "host:99999"},
        {"public_url": "media.example"},
        {"workers": -1},
        {"keep_hours": 0},
        {"unknown": 1},
    ],
)
def test_settings_are_checked(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TranscoderSettings(**{"data": tmp_path, "api_keys": (KEY,), **wrong})


def test_settings_keep_their_secrets(tmp_path):
    settings = TranscoderSettings(data=tmp_path, api_keys=(KEY,), listen="[::1]:80")
    assert KEY not in repr(settings)
    assert settings.address == ("::1", 80)
