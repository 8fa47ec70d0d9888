"""Removes what nobody will ask for: after a crash, and from time to time."""

import asyncio
import time

import structlog

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.disk import remove
from orchestrator.transcoder.folders import DataFolder
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import TaskStore
from orchestrator.transcoder.tus import Uploads

_log = structlog.get_logger(__name__)

#: Seconds between sweeps.
_EVERY = 300.0

#: Tasks are forgotten a week after their end; the log of starts is kept.
_FORGET = 7 * 24 * 3600.0


class Sweeper:
    """``keep`` is how long outputs stay after their task's end, in seconds."""

    def __init__(
        self,
        tasks: TaskStore,
        uploads: Uploads,
        storage: Storage,
        disk: Disk,
        folder: DataFolder,
        keep: float,
    ) -> None:
        self._tasks, self._uploads, self._storage = tasks, uploads, storage
        self._disk, self._folder, self._keep = disk, folder, keep

    async def clean_start(self) -> None:
        """Remove what a crash left. Only while nothing else uses the data folder."""
        for left in self._folder.work.iterdir():
            await self._disk.run(remove, left)
        await self._uploads.remove_strays()
        await self.sweep()

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 - the next sweep may work
                _log.exception("sweep_failed")

    async def sweep(self) -> None:
        """Remove expired outputs and uploads, and tasks of long ago."""
        now = time.time()
        # In this order: outputs that appear meanwhile belong to a task that runs.
        kept = await self._disk.run(self._storage.kept)
        old = kept - await self._tasks.live_keys(now - self._keep)
        await self._disk.run(self._storage.drop, old)
        uploads = await self._uploads.remove_expired()
        await self._tasks.forget(now - _FORGET)
        if old or uploads:
            _log.info("swept", outputs=len(old), uploads=uploads)
