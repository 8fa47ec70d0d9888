import asyncio
import threading

import pytest

from orchestrator.storage.disk import _THREADS, Disk


async def test_work_is_done_though_who_asked_was_cancelled_before_it_began():
    disk, free, done = Disk(), threading.Event(), threading.Event()
    busy = [disk.submit(free.wait) for _ in range(_THREADS)]
    asked = asyncio.create_task(disk.run(done.set))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not done.is_set()
    free.set()
    await asyncio.gather(*busy)
    await asyncio.to_thread(disk.close)
    assert done.is_set()


async def test_what_goes_wrong_after_a_cancellation_is_not_told_twice(caplog):
    disk, free = Disk(), threading.Event()

    def fail() -> None:
        free.wait()
        raise OSError("the disk is gone")

    asked = asyncio.create_task(disk.run(fail))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    free.set()
    await asyncio.to_thread(disk.close)
    await asyncio.sleep(0)
    assert not caplog.records
