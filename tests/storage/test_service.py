"""Destinations as a client of the service meets them."""

import pytest

from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import Client
from tests.transcoder.conftest import encoder, http, settings  # noqa: F401 - fixtures


@pytest.fixture
async def client(http, settings, encoder):  # noqa: F811 - fixtures
    async with Transcoder(settings(), encoder) as service:
        yield Client(service.url, http)


@pytest.mark.attribute("format[].destination")
async def test_an_output_goes_to_all_its_destinations(client, s3, sftp):
    sent = [s3.at("a/film.mp4"), sftp.at("b/film.mp4")]
    formats = [
        {"output": "mp4", "destination": sent},
        {"output": "thumbnails", "interval": 10, "destination": s3.at("thumbs/")},
    ]
    _, status = await client.encode(b"film", formats)
    assert status["status"] == "completed", status["error_description"]
    assert s3.read("a/film.mp4") == sftp.read("b/film.mp4") == b"mp4 of 4 bytes\n"
    assert s3.names() == ["a/film.mp4", "thumbs/1.png", "thumbs/thumbnails.vtt"]
    video = status["videos"][0]
    assert video["url"] == f"{s3.url}a/film.mp4"
    assert video["storage"] == {
        "type": "s3",
        "bucket": "films",
        "host": f"127.0.0.1:{s3.port}",
        "key": "a/film.mp4",
        "format": "mp4",
    }
    assert status["images"][0]["url"] == f"{s3.url}thumbs/thumbnails.vtt"


@pytest.mark.attribute("format[].destination.key", "format[].destination.secret")
async def test_one_destination_that_refuses_fails_the_task(client, s3, sftp):
    sent = [s3.at("film.mp4"), sftp.at("film.mp4", secret="not this one")]
    _, status = await client.encode(b"film", [{"output": "mp4", "destination": sent}])
    assert status["status"] == "error"
    assert status["error_description"] == (
        f"query.format[0].destination[1]: can't store on sftp://127.0.0.1:{sftp.port}: "
        "it refuses the key or the secret"
    )


async def test_what_can_not_be_meant_is_refused_at_once(client):
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    bad = {"url": "sftp://host/film.mp4", "key": "me"}
    answer = await client.start(task, source, [{"output": "mp4", "destination": bad}])
    assert (answer["error"], answer["field"]) == (20, "query.format[0].destination")
    assert "the password as secret" in answer["message"]
