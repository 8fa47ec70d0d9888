"""A download's file is closed, whatever becomes of who writes it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.sources.landing import Landing


class SlowPath:
    """A file that is opened once it may be."""

    def __init__(self, path: Path) -> None:
        self.path, self.may = path, threading.Event()
        self.files: list[Any] = []

    def open(self, mode: str) -> Any:
        self.may.wait(10)
        self.files.append(self.path.open(mode))
        return self.files[0]


async def test_a_file_that_opens_after_its_writer_was_cancelled_is_closed(tmp_path: Path) -> None:
    disk, slow = Disk(), SlowPath(tmp_path / "a.part")
    landing = Landing(slow, disk, max_bytes=0, reserve=0, tell=lambda *_: None)  # type: ignore[arg-type]
    writing = asyncio.create_task(landing.__aenter__())
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    slow.may.set()
    await disk.run(lambda: None)
    async with asyncio.timeout(10):
        while not (slow.files and slow.files[0].closed):  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0)
    disk.close()
