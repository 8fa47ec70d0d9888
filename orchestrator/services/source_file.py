"""A local file while it is sent: read without waiting where that can be, and watched for changes.

What the kernel has in memory is read in the event loop at once; a hop to a
thread and back costs more than that copy. The rest is read in a thread, one
block ahead of the one that is on the wire.
"""

import asyncio
import errno
import mmap
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path

import aiofiles.os
from aiofiles.threadpool.binary import AsyncFileIO

from orchestrator.model.errors import OrchestratorError, SourceChanged, SourceMissing, Transient
from orchestrator.services.local_disk import is_local

#: Bytes per read. What the kernel has in memory is always read into the same buffer; from
#: the disk there are two blocks more in memory at most: one on the wire, one ahead.
BLOCK = 2**20

_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_NOT_THERE = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


class SourceFile:
    """An open file, whose size, time and inode were noted when it was opened."""

    def __init__(self, path: Path, raw: FileIO, noted: os.stat_result, *, local: bool) -> None:
        self.path = path
        self.size = noted.st_size
        self._identity = _identity(noted)
        self._raw = raw
        self._local = local
        self._ahead: asyncio.Task[bytes] | None = None
        self._ahead_at = -1
        self._near: memoryview | None = None

    async def block(self, offset: int) -> bytes | memoryview:
        """The bytes from ``offset`` on, ``BLOCK`` or what is left: good until the next call.

        Raises ``SourceChanged`` where the file has become shorter.
        """
        if offset != self._ahead_at:
            await self._drop_ahead()
        if self._ahead is None:
            if self._near is None:
                # A bytearray of this size begins 16 bytes into a page, and where the kernel's
                # page begins at 0 the processor copies at a fifth of its speed.
                self._near = memoryview(mmap.mmap(-1, min(BLOCK, self.size)))
            near = self._near[: self.size - offset]
            if self._at_hand(offset, near):
                return near
        read = await self._from_disk(offset)
        ahead = offset + len(read)
        # Even of a file that was read a moment ago a page may be missing: that is no reason
        # to go through threads for the rest of it.
        if ahead < self.size and not self._at_hand(min(ahead + BLOCK, self.size) - 1, bytearray(1)):
            self._read_ahead(ahead)
        return read

    async def whole(self) -> bytes | bytearray:
        """All of a file that has no more than ``BLOCK`` bytes. Raises as ``block`` does."""
        data = bytearray(self.size)
        return data if self._at_hand(0, data) else await self._from_disk(0)

    async def check_unchanged(self) -> None:
        """Raise ``SourceChanged`` or ``SourceMissing`` unless the path still names this file."""
        try:
            if self._local:
                now = os.stat(self.path)  # noqa: PTH116  # half the time of Path.stat
            else:
                now = await aiofiles.os.stat(self.path)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if _identity(now) != self._identity:
            raise SourceChanged(f"{self.path} was changed while it was sent")

    async def close(self) -> None:
        """Let a read that is under way end, then close: never close under a reading thread."""
        if self._ahead is not None:
            await asyncio.shield(self._drop_ahead())
        self._raw.close()

    def _at_hand(self, offset: int, into: bytearray | memoryview) -> bool:
        """Fill ``into`` if all of it is in the kernel's memory (preadv2(2), RWF_NOWAIT)."""
        if not _NOWAIT:
            return False
        try:
            return os.preadv(self._raw.fileno(), [into], offset, _NOWAIT) == len(into)
        except OSError:
            return False

    async def _from_disk(self, offset: int) -> bytes:
        if self._ahead is None:
            self._read_ahead(offset)
        assert self._ahead is not None
        try:
            data = await asyncio.shield(self._ahead)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self._ahead, self._ahead_at = None, -1
        if not data:
            raise SourceChanged(f"{self.path} became shorter while it was sent")
        return data

    def _read_ahead(self, offset: int) -> None:
        self._raw.seek(offset)
        self._ahead_at = offset
        file = AsyncFileIO(self._raw, asyncio.get_running_loop(), None)
        self._ahead = asyncio.create_task(file.read(min(BLOCK, self.size - offset)))

    async def _drop_ahead(self) -> None:
        ahead, self._ahead, self._ahead_at = self._ahead, None, -1
        if ahead is not None:
            await asyncio.wait([ahead])
            ahead.exception()


@asynccontextmanager
async def open_source(path: Path) -> AsyncIterator[SourceFile]:
    """Open a source. Raises ``SourceMissing`` where it isn't there, can't be read, is no file."""
    local = is_local(path)
    try:
        raw = _open(path) if local else await asyncio.to_thread(_open, path)
    except OSError as error:
        raise _unreadable(path, error) from error
    noted = os.fstat(raw.fileno())
    source = SourceFile(path, raw, noted, local=local)
    try:
        if not stat.S_ISREG(noted.st_mode):
            raise SourceMissing(f"{path} is not a file")
        yield source
    finally:
        await source.close()


def _open(path: Path) -> FileIO:
    return FileIO(os.fspath(path), "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    """Open a named pipe at once instead of waiting for its writer for ever."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _identity(noted: os.stat_result) -> tuple[int, int, int]:
    return noted.st_size, noted.st_mtime_ns, noted.st_ino


def _unreadable(path: Path, error: OSError) -> OrchestratorError:
    reason = error.strerror or type(error).__name__
    if error.errno in _NOT_THERE:
        return SourceMissing(f"{path} can't be read: {reason}")
    return Transient(f"{path} can't be read just now: {reason}")
