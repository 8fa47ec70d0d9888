"""``retry_on_error``: one more try, as a new job that the failed one names."""

import pytest

from orchestrator.services.qencode_status import read_status
from orchestrator.transcoder.ports import EncodingFailed, MediaError
from orchestrator.transcoder.room import Room
from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import ONE_MP4, Client
from tests.transcoder.endpoint import listening

RETRY = {"retry_on_error": 1}


@pytest.fixture
async def client(http, settings, encoder):
    async with Transcoder(settings(allow_private_sources=True), encoder) as service:
        yield Client(service.url, http)


async def failed(client, encoder, error, also=RETRY, **more):
    encoder.error = error
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    await client.start(task, source, also=also, **more)
    return task, await client.until(task, "error", "completed")


def again(task, status):
    """The new job, as this product's own client finds it."""
    return read_status(task, status, "http://127.0.0.1", set()).replaced_by


@pytest.mark.attribute("retry_on_error", "status.returns.status.warnings[].details")
async def test_a_failed_encode_begins_again_as_a_new_job(client, encoder):
    encoder.errors = 1
    task, status = await failed(client, encoder, EncodingFailed("a worker fell over"), payload="7")
    assert (status["status"], status["error_description"]) == ("error", "a worker fell over")
    assert [each["message"] for each in status["warnings"]] == [
        (
            "An error occurred while processing your job. It will be automatically retried with "
            "the same parameters in a new job."
        ),
        "Retry on error triggered.",
    ]
    new = again(task, status)
    assert new
    assert new != task
    second = await client.until(new, "completed", "error")
    assert (second["status"], second["payload"]) == ("completed", "7")
    assert second["warnings"] == [{"message": "a warning"}]
    assert encoder.sources[0] == encoder.sources[1]  # the upload went over to the new job


async def test_it_is_tried_again_once(client, encoder):
    task, status = await failed(client, encoder, EncodingFailed("again and again"))
    second = await client.until(again(task, status), "completed", "error")
    assert (second["status"], second["warnings"]) == ("error", [])
    assert len(encoder.sources) == 2


async def test_what_broke_inside_is_tried_again(client, encoder):
    encoder.errors = 1
    task, status = await failed(client, encoder, RuntimeError("a bug"))
    assert status["error_description"] == "internal error"
    assert (await client.until(again(task, status), "completed"))["error"] == 0


@pytest.mark.parametrize(
    ("error", "also"), [(MediaError("the source is damaged"), RETRY), (EncodingFailed("no"), {})]
)
async def test_a_bad_source_is_not_tried_again_nor_what_nobody_asked_for(
    client, encoder, error, also
):
    task, status = await failed(client, encoder, error, also)
    assert (status["status"], status["warnings"]) == ("error", [])
    assert again(task, status) is None


@pytest.mark.slow
async def test_a_download_that_fails_is_not_tried_again(client):
    task = await client.task()
    await client.start(task, "http://127.0.0.1:9/film.mp4", also=RETRY)
    status = await client.until(task, "error")
    assert "can't be downloaded" in status["error_description"]
    assert status["warnings"] == []


async def test_a_destination_that_fails_is_not_tried_again(http, settings, encoder, tmp_path):
    (tmp_path / "library" / "film.mp4").mkdir(parents=True)
    url = (tmp_path / "library" / "film.mp4").as_uri()
    async with Transcoder(settings(local_roots=(tmp_path / "library",)), encoder) as service:
        client = Client(service.url, http)
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        formats = [{"output": "mp4", "destination": {"url": url}}]
        await client.start(task, source, formats, also=RETRY)
        status = await client.until(task, "error")
    assert "destination" in status["error_description"]
    assert status["warnings"] == [{"message": "a warning"}]


@pytest.mark.attribute("callback_url")
async def test_a_restart_is_told_of(client, encoder):
    encoder.errors = 1
    async with listening() as endpoint:
        also = {**RETRY, "callback_url": endpoint.url}
        task, _ = await failed(client, encoder, EncodingFailed("fell over"), also)
        status = await endpoint.until(task, "restarted")
        assert endpoint.events(task) == ["queued", "error", "saved", "restarted"]
        assert len(status["warnings"]) == 2
        new = again(task, status)
        status = await endpoint.until(new, "saved")
        assert endpoint.events(new) == ["queued", "saved"]
        assert status["status"] == "completed"


async def test_a_restart_that_can_not_be_is_told_of(client, encoder, monkeypatch):
    async with listening() as endpoint:
        encoder.gate.clear()
        encoder.error = EncodingFailed("fell over")
        task = await client.task()
        source = f"tus:{await client.upload(task, b'film')}"
        also = {**RETRY, "callback_url": endpoint.url}
        await client.start(task, source, ONE_MP4, also=also)
        await encoder.begun.wait()
        monkeypatch.setattr(Room, "is_there", lambda room: False)
        encoder.gate.set()
        status = await endpoint.until(task, "restart_failed")
        assert status["warnings"][1] == {
            "message": "Retry on error failed.",
            "details": "the service's disk is nearly full",
        }
        assert again(task, status) is None
