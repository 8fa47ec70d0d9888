"""Bytes to the end of an upload's file, so that its length is always the true offset."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.transcoder.disk import sync_folder
from orchestrator.transcoder.tus.wire import CHECKSUM_MISMATCH, Checksum, TusError


class Appender:
    """Writes one request's body after ``offset``. All methods block: use a thread.

    A body with a checksum counts only as a whole. While it is written, a file
    beside the upload holds the offset to fall back to, so that a crash half-way
    leaves nothing unproven behind (``mend``).
    """

    def __init__(self, path: Path, offset: int, checksum: Checksum | None = None) -> None:
        self._path, self._base, self._checksum = path, offset, checksum
        self._hash: Any = checksum.hasher() if checksum else None
        self._fd: int | None = None
        self.offset = offset

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append. Raises ``OSError``; what was written before it stays."""
        data = memoryview(b"".join(chunks))
        if self._hash is not None:
            self._hash.update(data)
        fd = self._open()
        while data:
            written = os.write(fd, data)
            self.offset += written
            data = data[written:]

    def finish(self, chunks: Sequence[bytes], length: int | None) -> int:
        """Append the rest and prove the checksum; the answer is the new offset.

        When that is the whole ``length``, it returns once all is on the disk.
        Raises ``TusError`` 460, with nothing of the body kept.
        """
        try:
            self.write(chunks)
            if self._checksum is not None:
                self._prove(self._checksum)
            if self.offset == length:
                os.fsync(self._open())
                sync_folder(self._path.parent)
        finally:
            self._close()
        return self.offset

    def break_off(self, chunks: Sequence[bytes]) -> int:
        """The body ended early: keep what came, unless a checksum was to prove it."""
        try:
            if self._checksum is None:
                self.write(chunks)
            else:
                self._fall_back()
        finally:
            self._close()
        return self.offset

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
