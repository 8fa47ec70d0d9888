"""The disk that tasks work on: no work without room, and none that takes the last of it."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.transcoder.disk import free_bytes
from orchestrator.transcoder.ports import EncodingFailed

_T = TypeVar("_T")

#: Seconds between two looks at the disk.
_EVERY = 2.0


class Room:
    """``least`` bytes are to stay free where ``folder`` lies; half of them is an emergency."""

    def __init__(self, folder: Path, least: int, every: float = _EVERY) -> None:
        self._folder, self._least, self._every = folder, least, every

    def is_there(self) -> bool:
        """Whether new work may begin."""
        return free_bytes(self._folder) >= self._least

    async def watch(self, work: Coroutine[Any, Any, _T]) -> _T:
        """What ``work`` gives; it is given up when the disk is nearly full.

        Others may go on then, and the service's own store can still be written.
        Raises ``EncodingFailed``.
        """
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._every)
                if not task.done() and free_bytes(self._folder) < self._least // 2:
                    raise EncodingFailed("the service's disk is nearly full")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
