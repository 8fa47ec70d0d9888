"""The order of work, how much at a time, and what stopping does to it."""

import asyncio
import sqlite3

from orchestrator.transcoder.server import Transcoder
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
