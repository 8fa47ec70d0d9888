"""The order of work, how much at a time, and what stopping does to it."""

import asyncio
import sqlite3

import pytest
from aiohttp import web

from orchestrator.transcoder import Transcoder
from orchestrator.transcoder.sources import is_public, without_credentials
from tests.transcoder.client import Client


async def started(client, data, **more):
    task = await client.task()
    upload = await client.upload(task, data)
    assert (await client.start(task, f"tus:{upload}", **more))["error"] == 0
    return task


async def test_tasks_run_in_the_order_of_their_starts(http, settings, encoder):
    encoder.gate.clear()
    async with Transcoder(settings(workers=1), encoder) as service:
        client = Client(service.url, http)
        tasks = [await started(client, bytes([number])) for number in range(5)]
        await encoder.begun.wait()
        states = [(await client.status(task))["status"] for task in tasks]
        assert states == ["encoding"] + ["queued"] * 4
        encoder.gate.set()
        for task in tasks:
            await client.until(task, "completed")
        assert len(set(encoder.sources)) == 5
        starts = await rows(settings().data, "SELECT task FROM starts ORDER BY id")
    assert [row[0] for row in starts] == tasks
    assert encoder.most_running == 1


async def test_as_many_at_a_time_as_workers(http, settings, encoder):
    encoder.gate.clear()
    async with Transcoder(settings(workers=3), encoder) as service:
        client = Client(service.url, http)
        tasks = [await started(client, b"x") for _ in range(5)]
        for task in tasks[:3]:
            await client.until(task, "encoding")
        encoder.gate.set()
        for task in tasks:
            await client.until(task, "completed")
    assert encoder.most_running == 3


async def test_stopping_queues_what_was_running(http, settings, encoder):
    encoder.gate.clear()
    async with Transcoder(settings(workers=1), encoder) as service:
        client = Client(service.url, http)
        tasks = [await started(client, b"x", payload=str(n)) for n in range(2)]
        await client.until(tasks[0], "encoding")
    assert encoder.cancelled == 1
    assert list((settings().data / "work").iterdir()) == []
    encoder.gate.set()
    async with Transcoder(settings(workers=1), encoder) as service:
        client = Client(service.url, http)
        for task in tasks:
            assert (await client.until(task, "completed"))["error"] == 0
    log = await rows(settings().data, "SELECT task, payload, source FROM starts ORDER BY id")
    assert [(row[0], row[1]) for row in log] == [(tasks[0], "0"), (tasks[1], "1")]
    assert log[0][2].startswith("tus:")


async def test_a_broken_task_does_not_stop_the_worker(http, settings, encoder):
    async with Transcoder(settings(workers=1), encoder) as service:
        client = Client(service.url, http)
        encoder.error = RuntimeError("boom")
        _, status = await client.encode(b"film")
        assert status["status"] == "error"
        encoder.error = None
        _, status = await client.encode(b"film")
        assert status["status"] == "completed"


async def rows(data, sql):
    def read():
        connection = sqlite3.connect(data / "tasks.sqlite")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    return await asyncio.to_thread(read)


# --- sources -----------------------------------------------------------------


@pytest.fixture
async def elsewhere():
    """A server that has a film, and everything that goes wrong on the way to it."""

    async def film(_request):
        return web.Response(body=b"film" * 1000)

    async def moved(_request):
        raise web.HTTPFound("/film.mp4")

    async def round_and_round(_request):
        raise web.HTTPFound("/loop")

    async def to_a_file(_request):
        raise web.HTTPFound("file:///etc/passwd")

    async def half(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"film")
        request.transport.abort()
        return response

    app = web.Application()
    app.router.add_get("/film.mp4", film)
    app.router.add_get("/moved", moved)
    app.router.add_get("/loop", round_and_round)
    app.router.add_get("/file", to_a_file)
    app.router.add_get("/half", half)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def fetch(http, settings, encoder, source, **changes):
    async with Transcoder(settings(**changes), encoder) as service:
        client = Client(service.url, http)
        task = await client.task()
        assert (await client.start(task, source))["error"] == 0
        return await client.until(task, "completed", "error")


@pytest.mark.parametrize("path", ["film.mp4", "moved"])
async def test_a_source_is_downloaded(http, settings, encoder, elsewhere, path):
    source = f"http://user:pass@{elsewhere}/{path}?signature=secret"
    status = await fetch(http, settings, encoder, source, allow_private_sources=True)
    assert status["status"] == "completed"
    assert status["source_size"] == 4000
    [[logged]] = await rows(settings().data, "SELECT source FROM starts")
    assert logged == f"http://{elsewhere}/{path}"
    for [text] in await rows(settings().data, "SELECT query FROM tasks"):
        assert text is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none.mp4", "HTTP 404"),
        ("loop", "redirects more than"),
        ("file", "no http(s) address"),
        ("half", "broke before the end"),
    ],
)
async def test_a_source_that_can_not_be_downloaded(http, settings, encoder, elsewhere, path, why):
    source = f"http://{elsewhere}/{path}?signature=secret"
    status = await fetch(http, settings, encoder, source, allow_private_sources=True)
    assert status["status"] == "error"
    assert why in status["error_description"]
    assert "secret" not in status["error_description"]


async def test_a_source_that_is_too_large(http, settings, encoder, elsewhere):
    status = await fetch(
        http,
        settings,
        encoder,
        f"http://{elsewhere}/film.mp4",
        allow_private_sources=True,
        max_upload_bytes=3999,
    )
    assert "3999 bytes" in status["error_description"]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", "private"),
        ("localhost", "private"),
        ("[::ffff:127.0.0.1]", "private"),
        ("0.0.0.0", "private"),
        ("2130706433", "can't be downloaded"),
    ],
)
async def test_private_addresses_are_not_fetched(http, settings, encoder, elsewhere, host, why):
    source = f"http://{host}:{elsewhere.rpartition(':')[2]}/film.mp4"
    status = await fetch(http, settings, encoder, source)
    assert status["status"] == "error"
    assert why in status["error_description"]
    assert encoder.sources == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("fd00::1", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


def test_credentials_do_not_reach_the_log():
    url = "https://user:pass@host:8443/a/b.mp4?X-Amz-Signature=x#y"
    assert without_credentials(url) == "https://host:8443/a/b.mp4"
    assert without_credentials("tus:abc") == "tus:abc"
