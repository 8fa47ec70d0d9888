"""What the methods take and answer, against files that were really uploaded and encoded."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.media import coded_clip, stream
from tests.transcoder.client import BYTES, KEY, Client

FORMATS = [
    {"output": "mp4", "height": 120, "tag": "film"},
    {"output": "mp3", "tag": "sound"},
    {"output": "thumbnail", "time": 0.5, "tag": "still"},
    {"output": "metadata", "tag": "facts"},
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of 160x120 with a tone."""
    folder = tmp_path_factory.mktemp("clips")
    return coded_clip(folder / "clip.mp4", seconds=1, size="160x120", sound=1)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = TranscoderSettings(data=tmp_path / "data", api_keys=(KEY,), min_free_bytes=0)
    async with Transcoder(settings) as service, aiohttp.ClientSession() as http:
        yield Client(service.url, http)


@pytest.mark.attribute("access_token.api_key", "access_token.returns.token")
@pytest.mark.attribute("create_task.token")
async def test_a_key_gives_the_token_that_creates_tasks(client):
    assert (await client.call("access_token", {"api_key": "another"}))["error"] == 3
    assert (await client.call("access_token"))["error"] == 14
    answer = await client.call("access_token", {"api_key": KEY})
    assert answer["error"] == 0
    forged = answer["token"][:-1] + ("0" if answer["token"][-1] != "0" else "1")
    assert (await client.call("create_task", {"token": forged}))["error"] == 5
    assert (await client.call("create_task", {"token": "no token"}))["error"] == 4
    assert (await client.call("create_task", {"token": answer["token"]}))["error"] == 0


async def test_a_suspended_key_and_its_tokens_are_told_so(tmp_path):
    def settings(**keys: tuple[str, ...]) -> TranscoderSettings:
        return TranscoderSettings(data=tmp_path / "data", min_free_bytes=0, **keys)

    async with aiohttp.ClientSession() as http:
        async with Transcoder(settings(api_keys=(KEY,))) as service:
            token = await Client(service.url, http).session()
        async with Transcoder(settings(api_keys=("new",), suspended_keys=(KEY,))) as service:
            client = Client(service.url, http)
            for method, shown in (
                ("access_token", {"api_key": KEY}),
                ("create_task", {"token": token}),
            ):
                answer = await client.call(method, shown)
                assert (answer["error"], "suspended" in answer["message"]) == (6, True)
            assert (await client.call("access_token", {"api_key": "new"}))["error"] == 0


@pytest.mark.attribute("create_task.returns.task_token", "create_task.returns.upload_url")
@pytest.mark.attribute("upload_file.task_token", "upload_file.returns.file_uuid")
@pytest.mark.attribute("start_encode2.task_token", "start_encode2.query", "format", "source")
@pytest.mark.attribute("start_encode2.returns.status_url", "status.task_tokens")
@pytest.mark.attribute("status.returns.statuses", "status.returns.status.status")
async def test_a_task_from_its_upload_to_its_end(client, clip):
    task = await client.call("create_task", {"token": await client.session()})
    data, token = clip.read_bytes(), task["task_token"]
    headers = {**BYTES, "Upload-Length": str(len(data))}
    nobody = f"{task['upload_url']}/{'0' * 32}"
    async with client.http.post(nobody, data=data, headers=headers) as response:
        assert response.status == 404
    url = f"{task['upload_url']}/{token}"
    async with client.http.post(url, data=data, headers=headers) as response:
        assert response.status == 201
        file_uuid = response.headers["Location"].rpartition("/")[2]
    query = {"source": f"tus:{file_uuid}", "format": [{"output": "mp4"}]}
    wrapped = json.dumps({"query": query})
    given = {"task_token": "0" * 32, "query": wrapped}
    assert (await client.call("start_encode2", given))["error"] == 5
    started = await client.call("start_encode2", {**given, "task_token": token})
    assert started == {"error": 0, "status_url": f"{client.url}/v1/status"}
    other = await client.task()
    await client.until(token, "completed")
    both = {"task_tokens": f"{token},{other}"}
    async with client.http.post(started["status_url"], data=both) as response:
        statuses = (await response.json())["statuses"]
    assert {name: each["status"] for name, each in statuses.items()} == {
        token: "completed",
        other: "created",
    }


@pytest.mark.attribute("status.returns.status.videos", "status.returns.status.audios")
@pytest.mark.attribute("status.returns.status.images", "status.returns.status.texts")
@pytest.mark.attribute("status.returns.status.videos[].tag", "status.returns.status.audios[].tag")
@pytest.mark.attribute("status.returns.status.images[].tag", "status.returns.status.texts[].tag")
@pytest.mark.attribute("status.returns.status.videos[].user_tag", "format[].tag")
@pytest.mark.attribute("status.returns.status.audios[].user_tag")
@pytest.mark.attribute("status.returns.status.images[].user_tag")
@pytest.mark.attribute("status.returns.status.texts[].user_tag")
@pytest.mark.attribute("status.returns.status.videos[].url", "status.returns.status.audios[].url")
@pytest.mark.attribute("status.returns.status.images[].url", "status.returns.status.texts[].url")
@pytest.mark.attribute("status.returns.status.videos[].bitrate")
@pytest.mark.attribute("status.returns.status.videos[].duration")
@pytest.mark.attribute("status.returns.status.videos[].size")
@pytest.mark.attribute("status.returns.status.error", "status.returns.status.status_url")
async def test_a_status_tells_what_its_urls_hold(client, clip, tmp_path):
    _, status = await client.encode(clip.read_bytes(), FORMATS)
    assert (status["status"], status["error"]) == ("completed", 0)
    assert status["status_url"] == f"{client.url}/v1/status"
    found = {}
    for kind, name in (("videos", "film"), ("audios", "sound"), ("images", "still")):
        found[name] = await _only(client, status[kind], tmp_path / name)
    texts = status["texts"] or status["videos"][1:]
    found["facts"] = await _only(client, texts, tmp_path / "facts")
    assert {name: each["user_tag"] for name, each in found.items()} == {
        name: name for name in found
    }
    tags = [each["tag"].split("-")[0] for each in found.values()]
    assert tags == ["video", "audio", "image", "text"]
    film, file = found["film"], tmp_path / "film"
    picture, sound = stream(file, "video"), stream(tmp_path / "sound", "audio")
    assert picture is not None
    assert sound is not None
    assert (picture["codec_name"], sound["codec_name"]) == ("h264", "mp3")
    assert (tmp_path / "still").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((tmp_path / "facts").read_bytes())["streams"]) == 2
    size = file.stat().st_size
    assert float(film["size"]) == pytest.approx(size / 1_000_000, abs=1e-6)
    assert float(film["duration"]) == pytest.approx(1.0, abs=0.1)
    bits = 8 * size / float(film["duration"]) / 1000
    assert float(film["bitrate"]) == pytest.approx(bits, rel=0.15)


@pytest.mark.attribute("encoder_version", "format[].packager_version")
@pytest.mark.slow
async def test_all_versions_are_one_encoder_and_one_packager(client, clip):
    made = []
    for version in (1, 2):
        formats = [
            {"output": "mp4", "height": 120},
            {"output": "advanced_hls", "packager_version": version},
        ]
        _, status = await client.encode(
            clip.read_bytes(), formats, also={"encoder_version": version}
        )
        assert status["status"] == "completed"
        made.append([await _size(client, each["url"]) for each in status["videos"]])
    assert made[0] == made[1]
    task = await client.task()
    answer = await client.start(task, "tus:any", formats, also={"encoder_version": 3})
    assert (answer["error"], answer["field"]) == (20, "query.encoder_version")


@pytest.mark.attribute("format[].destination.udp_port")
async def test_a_udp_port_is_refused_where_no_storage_has_one(client):
    formats = [{"output": "mp4", "destination": {"url": "ftp://host/a.mp4", "udp_port": 33001}}]
    answer = await client.start(await client.task(), "tus:any", formats)
    assert (answer["error"], answer["field"]) == (20, "query.format[0].destination.udp_port")


@pytest.mark.attribute("status.returns.status.warnings[].message")
async def test_a_warning_has_a_short_message(client, clip):
    formats = [{"output": "mp4", "audio_codec": "libfdk_aac"}]
    _, status = await client.encode(clip.read_bytes(), formats)
    (warning,) = status["warnings"]
    assert "libfdk_aac" in warning["message"]
    assert len(warning["message"]) < 100


async def test_a_task_that_failed_says_so(client):
    _, status = await client.encode(b"this is no film" * 100, FORMATS)
    assert (status["status"], status["error"]) == ("error", 1)
    assert status["error_description"]


async def _only(client: Client, listed: list[dict[str, Any]], to: Path) -> dict[str, Any]:
    """The first output of a list, with what its URL holds put into a file."""
    async with client.http.get(listed[0]["url"]) as response:
        assert response.status == 200
        await asyncio.to_thread(to.write_bytes, await response.read())
    return listed[0]


async def _size(client: Client, url: str) -> int:
    async with client.http.get(url) as response:
        return len(await response.read())
