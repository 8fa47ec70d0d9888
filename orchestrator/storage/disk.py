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
        """Do work in a thread. It is done to its end even if the caller is cancelled."""
        begun = self.submit(work, *args, **kwargs)
        try:
            # Else what still waits for a thread would be dropped, and a file never closed.
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(_seen)
            raise

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._threads.shutdown()


def _seen(done: "asyncio.Future[_R]") -> None:
    """What it came to interests nobody any more, not even asyncio's log."""
    if not done.cancelled():
        done.exception()
