"""The file that a source is downloaded to, and the limits that it must keep."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.disk import free_bytes
from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Seconds: for a whole file, between two pieces of it, and for a connection.

    ``tries`` are those in a row that bring nothing new; ``pause`` is the longest
    first wait between two, which then grows.
    """

    total: float = 6 * 3600.0
    stall: float = 60.0
    connect: float = 30.0
    tries: int = 5
    pause: float = 1.0


class Landing:
    """A file being written; ``done`` bytes of it are there, which a next try goes on from.

    ``max_bytes`` 0 sets no limit; ``reserve`` bytes of the disk stay free.
    ``total`` is the whole size once a server has told it.
    """

    def __init__(
        self,
        path: Path,
        disk: Disk,
        *,
        max_bytes: int,
        reserve: int,
        tell: Callable[[int, int | None], None],
    ) -> None:
        self._path, self._disk, self._tell = path, disk, tell
        self._max_bytes, self._reserve = max_bytes, reserve
        self._file: BufferedRandom | None = None
        self.done = 0
        self.total: int | None = None
        #: What the server calls the version that is being read (an ETag, a date).
        self.version = ""

    async def __aenter__(self) -> Self:
        opening = self._disk.submit(self._path.open, "w+b")
        try:
            self._file = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)  # the thread opens it all the same
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            await self._disk.run(self._file.close)

    def expect(self, total: int | None) -> None:
        """The server says how large the file is. Raises ``Unfetchable`` if it is too large."""
        self.total = total
        self._check(total or 0)
        left = (total or 0) - self.done
        if left > 0 and free_bytes(self._path.parent) - left < self._reserve:
            raise Unfetchable("the service's disk has no room for it")
        self._tell(self.done, total)

    async def begin_again(self) -> None:
        """Forget what is there: the server can't, or won't, go on from it."""
        self.done, self.total, self.version = 0, None, ""
        if self._file is not None:
            await self._disk.run(self._file.seek, 0)
            await self._disk.run(self._file.truncate)

    async def write(self, piece: bytes) -> None:
        """Add what came. Raises ``Unfetchable`` where a limit is passed."""
        if self.total is not None and self.done + len(piece) > self.total:
            raise Unfetchable("its server sends more than it announced")
        self._check(self.done + len(piece))
        if free_bytes(self._path.parent) < self._reserve + len(piece):
            raise Unfetchable("the service's disk is full")
        if self._file is not None:
            await self._disk.run(self._file.write, piece)
        self.done += len(piece)
        self._tell(self.done, self.total)

    def finish(self) -> None:
        """The server says that this was all. Raises ``Interrupted`` where it was not."""
        if self.total is not None and self.done < self.total:
            raise Interrupted("the connection broke before the end")

    def _check(self, size: int) -> None:
        if self._max_bytes and size > self._max_bytes:
            raise Unfetchable(f"it has more than the {self._max_bytes} bytes that are taken here")


def _close(opening: "asyncio.Future[BufferedRandom]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
