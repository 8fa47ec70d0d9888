"""Sources as clients meet them: what a task's end, the log and the store say."""

import asyncio
import sqlite3

import pytest
from aiohttp import web

from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import Client
from tests.transcoder.sources.servers import serving


async def film(request):
    if request.path == "/film.mp4":
        return web.Response(body=b"film" * 1000)
    if request.path == "/moved":
        raise web.HTTPFound("/film.mp4")
    if request.path == "/loop":
        raise web.HTTPFound("/loop")
    if request.path == "/file":
        raise web.HTTPFound("file:///etc/passwd")
    raise web.HTTPNotFound


@pytest.fixture
async def elsewhere():
    async with serving(film) as address:
        yield address


async def fetch(http, settings, encoder, source, **changes):
    async with Transcoder(settings(**changes), encoder) as service:
        client = Client(service.url, http)
        task = await client.task()
        assert (await client.start(task, source))["error"] == 0
        return await client.until(task, "completed", "error")


def rows(data, sql):
    connection = sqlite3.connect(data / "tasks.sqlite")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.attribute("source", "status.returns.status.error_description")
@pytest.mark.parametrize("path", ["film.mp4", "moved"])
async def test_a_source_is_downloaded(http, settings, encoder, elsewhere, path):
    source = f"http://user:pass@{elsewhere}/{path}?signature=secret"
    status = await fetch(http, settings, encoder, source, allow_private_sources=True)
    assert status["status"] == "completed"
    assert status["source_size"] == 4000
    data = settings().data
    assert await asyncio.to_thread(rows, data, "SELECT source FROM starts") == [
        (f"http://{elsewhere}/{path}",)
    ]
    assert await asyncio.to_thread(rows, data, "SELECT query FROM tasks") == [(None,)]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none.mp4", "HTTP 404"),
        ("loop", "redirects more than"),
        ("file", "no http(s) address"),
    ],
)
async def test_a_source_that_can_not_be_downloaded(http, settings, encoder, elsewhere, path, why):
    source = f"http://{elsewhere}/{path}?signature=secret"
    status = await fetch(http, settings, encoder, source, allow_private_sources=True)
    assert status["status"] == "error"
    assert why in status["error_description"]
    assert "secret" not in status["error_description"]


async def test_a_source_that_is_too_large(http, settings, encoder, elsewhere):
    source = f"http://{elsewhere}/film.mp4"
    limits = {"allow_private_sources": True, "max_upload_bytes": 3999}
    status = await fetch(http, settings, encoder, source, **limits)
    assert "3999 bytes" in status["error_description"]


async def test_a_disk_without_room_is_said_and_nothing_is_left(
    http, settings, encoder, elsewhere, monkeypatch
):
    def no_room(path):
        return 3999

    monkeypatch.setattr("orchestrator.transcoder.sources.landing.free_bytes", no_room)
    source = f"http://{elsewhere}/film.mp4"
    status = await fetch(http, settings, encoder, source, allow_private_sources=True)
    assert "has no room for it" in status["error_description"]
    assert list((settings().data / "work").iterdir()) == []


@pytest.mark.parametrize("scheme", ["http", "ftp", "ftps", "sftp", "s3"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"]
)
async def test_private_addresses_are_not_fetched(make, folder, elsewhere, scheme, host):
    port = elsewhere.rpartition(":")[2]
    url = f"{scheme}://user:pass@{host}:{port}/bucket/film.mp4"
    sources = make(allow_private=False)
    with pytest.raises(Exception, match=r"private|name of its server is not known") as caught:
        await sources.fetch("task", url, folder)
    assert type(caught.value).__name__ == "MediaError"
    assert "pass" not in str(caught.value)
