"""Bytes to the end of an upload's file, so that its length is always the true offset."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.files import sync
from orchestrator.transcoder.tus.wire import CHECKSUM_MISMATCH, Checksum, TusError


class Appender:
    """Writes one request's body after ``offset``. All methods block: use a thread.

    ``length`` is the whole upload's, None while it is not known: once that much
    is there, the last method returns only when all of it is on the disk.
    A body with a checksum counts only as a whole. While it is written, a file
    beside the upload holds the offset to fall back to, so that a crash half-way
    leaves nothing unproven behind (``mend``).
    """

    def __init__(
        self, path: Path, offset: int, length: int | None, checksum: Checksum | None = None
    ) -> None:
        self._path, self._base, self._length, self._checksum = path, offset, length, checksum
        self._hash: Any = checksum.hasher() if checksum else None
        self._fd: int | None = None
        self._failed = False
        self.offset = offset

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append. Raises ``OSError``; what was written before it stays.

        After a failure nothing more is written: it would stand in the wrong place.
        """
        if self._failed:
            return
        self._failed = True
        data = memoryview(b"".join(chunks))
        if self._hash is not None:
            self._hash.update(data)
        fd = self._open()
        while data:
            written = os.write(fd, data)
            self.offset += written
            data = data[written:]
        self._failed = False

    def finish(self, chunks: Sequence[bytes]) -> int:
        """Append the rest and prove the checksum; the answer is the new offset.

        Raises ``TusError`` 460, with nothing of the body kept.
        """
        try:
            self.write(chunks)
            if self._checksum is not None:
                self._prove(self._checksum)
            self._sync_if_whole()
        finally:
            self._close()
        return self.offset

    def break_off(self, chunks: Sequence[bytes]) -> None:
        """The body ended early: keep what came, unless a checksum was to prove it."""
        try:
            if self._checksum is None:
                self.write(chunks)
            else:
                self._fall_back()
            self._sync_if_whole()
        finally:
            self._close()

    def _sync_if_whole(self) -> None:
        if self.offset == self._length:
            os.fsync(self._open())
            sync(self._path.parent)

    def _prove(self, checksum: Checksum) -> None:
        if self._hash.digest() != checksum.digest:
            self._fall_back()
            raise TusError(
                CHECKSUM_MISMATCH, "the bytes don't match Upload-Checksum; send them again"
            )
        _marker(self._path).unlink(missing_ok=True)

    def _fall_back(self) -> None:
        os.ftruncate(self._open(), self._base)
        self.offset = self._base
        _marker(self._path).unlink(missing_ok=True)

    def _open(self) -> int:
        if self._fd is None:
            if self._checksum is not None:
                _marker(self._path).write_text(str(self._base), encoding="ascii")
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._fd

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def mend(path: Path) -> int:
    """The offset of an upload that nobody writes to; cuts off what was never proven."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    marker = _marker(path)
    if not marker.exists():
        return size
    base = marker.read_text(encoding="ascii")
    if base:  # empty: the process died before it wrote a byte of the body
        size = min(size, int(base))
        os.truncate(path, size)
    marker.unlink()
    return size


def unproven(path: Path) -> bool:
    """Whether the file may end in bytes whose checksum was not compared yet."""
    return _marker(path).exists()


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".base")
