"""What ``/v1/status`` says of outputs that failed, of chains, and of outputs that grow."""

import hashlib

import pytest

from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import Client

SOFT = [{"output": "mp4"}, {"output": "mp4", "tag": "extra", "allow_soft_fail": 1}]


@pytest.mark.attribute(
    "format[].allow_soft_fail",
    "status.returns.status.videos[].error",
    "status.returns.status.videos[].error_description",
    "status.returns.status.warnings[].tag",
)
async def test_an_output_that_may_fail_is_marked_and_the_others_complete(client, encoder):
    encoder.missed = {1: "video-0-1: no encoder"}
    _, status = await client.encode(b"film", SOFT)
    good, bad = status["videos"]
    assert (status["status"], status["error"]) == ("completed", 0)
    assert (good["status"], good["error"], good["error_description"]) == ("completed", 0, None)
    assert (bad["tag"], bad["user_tag"], bad["status"]) == ("video-0-1", "extra", "error")
    assert (bad["error"], bad["error_description"]) == (1, "video-0-1: no encoder")
    assert bad["url"] is None


@pytest.mark.attribute("format[].allow_soft_fail", "status.returns.status.warnings")
async def test_a_destination_that_may_refuse(http, settings, encoder, tmp_path):
    (tmp_path / "library" / "film.mp4").mkdir(parents=True)
    url = (tmp_path / "library" / "film.mp4").as_uri()
    formats = [{"output": "metadata"}, {**SOFT[1], "destination": {"url": url}}]
    async with Transcoder(settings(local_roots=(tmp_path / "library",)), encoder) as service:
        _, status = await Client(service.url, http).encode(b"film", formats)
        assert status["status"] == "completed"
        metadata, bad = status["videos"]
        assert (metadata["error"], bad["error"]) == (0, 1)
        assert "can't be written" in bad["error_description"]
        assert status["warnings"][1] == {
            "message": "Errors Ignored by 'allow_soft_fail'",
            "details": bad["error_description"],
            "tag": "video-0-0",
        }
        _, alone = await Client(service.url, http).encode(b"film", formats[1:])
    assert (alone["status"], alone["error"]) == ("error", 1)


@pytest.mark.attribute(
    "status.returns.status.percent",
    "status.returns.status.videos[].percent",
    "status.returns.status.videos[].status",
    "refresh_playlist",
)
async def test_a_ladder_can_be_played_before_it_is_whole(client, encoder):
    encoder.landing = True
    formats = [{"output": "advanced_hls", "stream": [{"tag": "low"}, {"tag": "high"}]}]
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    encoder.gate.clear()
    await client.start(task, source, formats, also={"refresh_playlist": 1})
    await encoder.begun.wait()
    low, high = (await client.status(task))["videos"]
    assert (low["percent"], high["percent"], low["url"]) == (25, 25, None)
    encoder.gate.set()
    await encoder.landed.acquire()
    status = await client.until(task, "completed")
    assert [each["status"] for each in status["videos"]] == ["completed", "completed"]
    url = status["videos"][0]["url"]
    async with client.http.get(url) as response:
        assert (await response.text()).splitlines() == ["#EXTM3U", "1.ts", "2.ts"]
    for number in (1, 2):
        async with client.http.get(url.replace("playlist.m3u8", f"{number}.ts")) as response:
            assert await response.read() == b"segment" * number


@pytest.mark.attribute("format[].incremental_tag", "status.returns.status.videos[].meta")
async def test_a_chain_goes_on_where_it_stopped(http, settings, encoder, tmp_path):
    (tmp_path / "library").mkdir()
    root = (tmp_path / "library").as_uri()
    ladder = {"output": "advanced_hls", "incremental_tag": "auto", "stream": [{"height": 120}]}
    async with Transcoder(settings(local_roots=(tmp_path / "library",)), encoder) as service:
        client = Client(service.url, http)

        async def encode(tag, folder, streams=1):
            asked = {**ladder, "incremental_tag": tag, "stream": [{"height": 120}] * streams}
            asked["destination"] = {"url": f"{root}/{folder}/"}
            _, status = await client.encode(b"film", [asked])
            assert status["status"] == "completed", status["error_description"]
            return status["videos"][0]["meta"]["incremental_tag"]

        tag = await encode("auto", "a")
        assert len(tag) == 32
        assert await encode(tag, "a", 2) == tag
        assert await encode(tag, "b") == tag
        assert await encode(tag, "a") == tag
        earlier = [given.earlier for given in encoder.inputs]
        assert earlier == [{}, {tag: {"rungs": 1}}, {}, {tag: {"rungs": 2}}]
        task = await client.task()
        answer = await client.start(task, "http://example.com/a.mp4", [ladder])
    assert (answer["error"], answer["field"]) == (20, "query.format[0].incremental_tag")


async def test_priorities_come_first(http, settings, encoder):
    encoder.gate.clear()
    async with Transcoder(settings(workers=1), encoder) as service:
        client = Client(service.url, http)
        tasks = []
        for priority in ("", "3", "10", "3"):
            task = await client.task()
            source = f"tus:{await client.upload(task, priority.encode() + bytes([len(tasks)]))}"
            assert (await client.start(task, source, priority=priority))["error"] == 0
            tasks.append(task)
            if len(tasks) == 1:
                await encoder.begun.wait()
        encoder.gate.set()
        for task in tasks:
            await client.until(task, "completed")
        task = await client.task()
        for wrong in ("11", "-1", "x", "1.5"):
            answer = await client.start(task, "http://example.com/a.mp4", priority=wrong)
            assert (answer["error"], answer["field"]) == (20, "priority")
    sent = [hashlib.sha256(each).hexdigest() for each in (b"\0", b"3\1", b"10\2", b"3\3")]
    assert encoder.sources == [sent[0], sent[2], sent[1], sent[3]]


@pytest.mark.attribute("refresh_playlist", "format[].destination.url")
async def test_only_what_is_new_goes_to_a_destination_again(http, settings, encoder, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    encoder.landing = True
    encoder.gate.clear()
    place = {"url": f"{library.as_uri()}/film/"}
    formats = [{"output": "advanced_hls", "stream": [{}, {}], "destination": place}]
    async with Transcoder(settings(local_roots=(library,)), encoder) as service:
        client = Client(service.url, http)
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        await client.start(task, source, formats, also={"refresh_playlist": 1})
        await encoder.begun.wait()
        encoder.gate.set()
        encoder.gate.clear()  # whoever waited goes on, the next one waits
        await encoder.landed.acquire()
        low, high = (await client.status(task))["videos"]
        assert (low["status"], high["status"]) == ("completed", "encoding")
        assert low["url"] == f"{place['url']}playlist.m3u8"
        assert (library / "film" / "playlist.m3u8").read_text() == "#EXTM3U\n1.ts\n"
        first = (library / "film" / "1.ts").stat().st_ino
        encoder.gate.set()
        await client.until(task, "completed")
    assert (library / "film" / "playlist.m3u8").read_text() == "#EXTM3U\n1.ts\n2.ts\n"
    assert (library / "film" / "2.ts").read_bytes() == b"segment" * 2
    assert (library / "film" / "1.ts").stat().st_ino == first
