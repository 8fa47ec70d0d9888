"""Callbacks at real endpoints: what is sent, in which order, and what it never does."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from orchestrator.services.callbacks import CallbackReceiver
from orchestrator.transcoder.callbacks import sender
from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import ONE_MP4, Client
from tests.transcoder.endpoint import listening

HLS = [{"output": "advanced_hls", "stream": [{"tag": "low"}, {"tag": "high"}]}]


@pytest.fixture
async def endpoint():
    async with listening() as endpoint:
        yield endpoint


@pytest.fixture
async def client(http, settings, encoder, monkeypatch):
    monkeypatch.setattr(sender, "_PAUSES", (0.01, 0.01))
    async with Transcoder(settings(allow_private_sources=True), encoder) as service:
        yield Client(service.url, http)


async def started(client, endpoint, data=b"film", formats=ONE_MP4, **also):
    task = await client.task()
    source = f"tus:{await client.upload(task, data)}"
    query = {"callback_url": endpoint.url, **also}
    answer = await client.start(task, source, formats, also=query, payload='{"id": 7}')
    assert answer["error"] == 0
    return task


@pytest.mark.attribute("callback_url", "start_encode2.payload")
async def test_a_task_tells_of_its_start_and_its_end(client, endpoint):
    task = await started(client, endpoint)
    status = await endpoint.until(task, "saved")
    assert endpoint.events(task) == ["queued", "saved"]
    assert endpoint.types == {"application/x-www-form-urlencoded"}
    first, last = endpoint.heard
    assert set(first) == {"task_token", "event", "callback_type", "payload", "status"}
    assert json.loads(first["status"])["status"] == "queued"
    assert first["payload"] == last["payload"] == '{"id": 7}'
    assert status == await client.status(task)
    assert (status["status"], status["error"]) == ("completed", 0)
    assert status["videos"][0]["url"].startswith(client.url)


async def test_without_a_payload_there_is_an_empty_one(client, endpoint):
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    await client.start(task, source, also={"callback_url": endpoint.url})
    await endpoint.until(task, "saved")
    assert [each["payload"] for each in endpoint.heard] == ["", ""]


async def test_an_error_is_told_before_the_end(client, endpoint):
    task = await started(client, endpoint, b"broken film")
    status = await endpoint.until(task, "saved")
    assert endpoint.events(task) == ["queued", "error", "saved"]
    assert (status["status"], status["error"]) == ("error", 1)
    error = endpoint.heard[1]
    assert (error["error_code"], error["error_message"]) == ("1", "the source holds no video")


@pytest.mark.attribute("use_subtask_callback")
async def test_each_rendition_tells_of_itself(client, endpoint):
    task = await started(client, endpoint, formats=HLS, use_subtask_callback=1)
    await endpoint.until(task, "saved")
    told = [(each["event"], each.get("tag")) for each in endpoint.heard]
    assert told == [
        ("queued", "video-0-0-0"),
        ("queued", "video-0-0-1"),
        ("queued", None),
        ("saved", "video-0-0-0"),
        ("saved", "video-0-0-1"),
        ("saved", None),
    ]
    of_stream = json.loads(endpoint.heard[3]["status"])
    assert of_stream["status"] == "saving"
    assert [each["status"] for each in of_stream["videos"]] == ["completed", "completed"]
    assert endpoint.events(task, "subtask") == ["queued", "queued", "saved", "saved"]


async def test_a_rendition_that_fails_tells_of_it(client, endpoint, encoder):
    encoder.missed = {1: "video-0-1: no"}
    formats = [{"output": "mp4"}, {"output": "mp4", "allow_soft_fail": 1}]
    task = await started(client, endpoint, formats=formats, use_subtask_callback=1)
    await endpoint.until(task, "saved")
    [error] = [each for each in endpoint.heard if each["event"] == "error"]
    assert (error["tag"], error["callback_type"]) == ("video-0-1", "subtask")
    assert error["error_message"] == "video-0-1: no"
    assert endpoint.events(task) == ["queued", "saved"]


@pytest.mark.attribute("refresh_playlist")
async def test_a_playlist_that_grows_is_stored_and_told_of(client, endpoint, encoder):
    encoder.landing = True
    encoder.gate.clear()
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    query = {"callback_url": endpoint.url, "refresh_playlist": 1}
    await client.start(task, source, HLS, also=query)
    encoder.gate.set()
    encoder.gate.clear()
    await encoder.begun.wait()
    encoder.gate.set()
    status = await endpoint.until(task, "saved", "stream")
    assert [each["status"] for each in status["videos"]] == ["completed", "encoding"]
    await endpoint.until(task, "saved")
    assert endpoint.events(task, "stream") == ["saved", "saved"]


async def test_a_refused_callback_is_tried_again_and_warned_of(client, endpoint):
    endpoint.answers = [500, 503]
    task = await started(client, endpoint)
    await endpoint.until(task, "saved")
    assert endpoint.events(task) == ["queued", "queued", "queued", "saved"]
    status = await client.until(task, "completed")
    warnings = [each for each in status["warnings"] if each["message"] != "a warning"]
    assert {each["message"] for each in warnings} == {"Callback Endpoint Errors"}
    assert "'queued'" in warnings[0]["details"]
    assert "HTTP 500" in warnings[0]["details"]
    assert "s3cr3t" not in json.dumps(status)


async def test_what_never_arrives_is_given_up_and_the_next_one_sent(client, endpoint):
    endpoint.answers = [500] * 3
    task = await started(client, endpoint)
    await endpoint.until(task, "saved")
    assert endpoint.events(task) == ["queued"] * 3 + ["saved"]
    assert (await client.until(task, "completed"))["error"] == 0


async def test_an_endpoint_that_is_not_there_harms_nothing(client, endpoint):
    endpoint.url = "http://127.0.0.1:9/hook"
    task = await started(client, endpoint)
    await client.until(task, "completed")
    async with asyncio.timeout(20):
        while len(warned := (await client.status(task))["warnings"]) < 2:
            pass
    assert "no connection" in warned[1]["details"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]"])
async def test_this_machine_is_not_called(http, settings, encoder, endpoint, host):
    endpoint.url = endpoint.url.replace("127.0.0.1", host)
    async with Transcoder(settings(), encoder) as service:
        client = Client(service.url, http)
        task = await started(client, endpoint)
        await client.until(task, "completed")
        async with asyncio.timeout(20):
            while len(warned := (await client.status(task))["warnings"]) < 2:
                pass
    assert "private or local" in warned[1]["details"]
    assert endpoint.heard == []


async def test_redirects_are_not_followed(client, endpoint):
    endpoint.answers = [307, 307, 307]
    task = await started(client, endpoint)
    await endpoint.until(task, "saved")
    warned = (await client.until(task, "completed"))["warnings"]
    assert "HTTP 307" in warned[-1]["details"]


async def test_callbacks_wait_for_the_next_process(http, settings, encoder, endpoint, monkeypatch):
    monkeypatch.setattr(sender, "_PAUSES", (3600.0,))
    endpoint.answers = [500]
    async with Transcoder(settings(allow_private_sources=True), encoder) as service:
        client = Client(service.url, http)
        task = await started(client, endpoint)
        await client.until(task, "completed")
        await endpoint.until(task, "queued")
    assert endpoint.events(task) == ["queued"]
    monkeypatch.setattr(sender, "time", SimpleNamespace(time=lambda: 9e9))
    async with Transcoder(settings(allow_private_sources=True), encoder):
        await endpoint.until(task, "saved")
    assert endpoint.events(task) == ["queued", "queued", "saved"]


async def test_the_engines_own_receiver_hears_them(client):
    hints = asyncio.Queue()
    async with CallbackReceiver("127.0.0.1:0", "http://127.0.0.1", hints.put_nowait) as receiver:
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        url = receiver.url.replace("127.0.0.1", f"127.0.0.1:{receiver.port}")
        await client.start(task, source, also={"callback_url": url})
        async with asyncio.timeout(20):
            assert await hints.get() == task
    assert receiver.heard == 2
