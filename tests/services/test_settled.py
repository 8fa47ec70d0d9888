"""Waiting that no cancellation cuts short."""

import asyncio

import pytest

from orchestrator.services.settled import settled


async def test_all_have_ended_however_they_did() -> None:
    loop = asyncio.get_running_loop()
    good, bad, dropped = (loop.create_future() for _ in range(3))
    loop.call_soon(good.set_result, 1)
    loop.call_soon(bad.set_exception, LookupError())
    loop.call_soon(dropped.cancel)
    await settled(good, bad, dropped)
    assert good.done()
    assert bad.done()
    assert dropped.cancelled()


async def test_cancelled_it_waits_all_the_same_and_is_cancelled_then() -> None:
    slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(settled(slow))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not slow.done()
    slow.set_exception(LookupError())
    with pytest.raises(asyncio.CancelledError):
        await waiting
