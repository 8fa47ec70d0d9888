"""Memory that encodes share, and the disk that they leave alone."""

import asyncio

import pytest

from orchestrator.transcoder import room as room_module
from orchestrator.transcoder.memory import Memory
from orchestrator.transcoder.ports import EncodingFailed
from orchestrator.transcoder.room import Room


async def test_what_does_not_fit_waits_for_its_turn():
    memory, order = Memory(100), []
    gates = {name: asyncio.Event() for name in "abc"}

    async def work(name, needed):
        async with memory.hold(needed):
            order.append(name)
            await gates[name].wait()

    async with asyncio.TaskGroup() as group:
        for name, needed in (("a", 60), ("b", 50), ("c", 10)):
            group.create_task(work(name, needed))
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == ["a"]  # c would fit, but b came first
        gates["a"].set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == ["a", "b", "c"]
        gates["b"].set()
        gates["c"].set()


async def test_more_than_there_is_takes_all_of_it():
    memory = Memory(100)
    async with memory.hold(1000), asyncio.timeout(5):
        other = asyncio.create_task(memory.hold(1).__aenter__())
        await asyncio.sleep(0)
        assert not other.done()
        other.cancel()
    async with asyncio.timeout(5), memory.hold(100):
        pass  # who gave up waiting holds nothing


async def test_the_machine_has_memory():
    async with Memory().hold(2**30):
        pass


async def test_an_encode_that_fills_the_disk_is_given_up(tmp_path, monkeypatch):
    ended = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(room_module, "free_bytes", lambda _: 49)
    with pytest.raises(EncodingFailed, match="disk is nearly full"):
        await Room(tmp_path, 100, every=0.01).watch(work())
    assert ended.is_set()


async def test_less_than_wanted_is_no_emergency(tmp_path, monkeypatch):
    async def work():
        await asyncio.sleep(0)
        return 7

    monkeypatch.setattr(room_module, "free_bytes", lambda _: 51)
    assert not Room(tmp_path, 100).is_there()
    assert await Room(tmp_path, 100).watch(work()) == 7


async def test_a_cancelled_encode_has_ended(tmp_path):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(Room(tmp_path, 0).watch(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
