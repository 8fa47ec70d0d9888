"""Work with files in threads of its own, kept off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Threads wait for the disk, not for a core: enough of them let the file
#: system commit many small files in one go.
_THREADS = 16


class Disk:
    """Threads of a service's own, so that slow disks never starve other users."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")

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
