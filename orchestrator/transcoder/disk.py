"""Work with files, kept off the event loop, and the few operations that must last."""

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from orchestrator.files import sync

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Threads wait for the disk, not for a core: enough of them let the file
#: system commit many small files in one go.
_THREADS = 16


class Disk:
    """Threads of the service's own, so that slow disks never starve other users."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="transcoder-disk")

    def submit(
        self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs
    ) -> "asyncio.Future[_R]":
        """Begin work in a thread; the future belongs to the running loop."""
        return asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))

    async def run(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Do work in a thread. It goes on to its end even if the caller is cancelled."""
        return await self.submit(work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._threads.shutdown()


def sync_tree(path: Path) -> None:
    """``files.sync`` for a file, or for all files in a folder and the folder itself."""
    if path.is_dir():
        for child in path.iterdir():
            sync_tree(child)
    sync(path)


def free_bytes(path: Path) -> int:
    """Bytes that this process may still write to the disk that holds ``path``."""
    return shutil.disk_usage(path).free


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; fine if it isn't there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
