"""Files written so that each is there whole or not at all, whatever stops the writing."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from orchestrator.files import make_folders, put_in_place
from orchestrator.model.errors import DiskFull, OrchestratorError, Permanent, Transient

P = ParamSpec("P")
T = TypeVar("T")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LASTING = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.EEXIST,
        errno.ENOENT,
    }
)


class PartFile:
    """``.<name>.part`` beside ``target``, which becomes ``target`` when it is complete.

    The methods block. They belong in a thread, one at a time (``in_thread``).
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._file: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether ``close`` is still to be called."""
        return self._file is not None

    def have(self, since: float) -> int:
        """How many bytes an earlier try left, if it was not before ``since`` (UNIX seconds)."""
        make_folders(self.target.parent)
        try:
            left = self.path.stat()
        except FileNotFoundError:
            return 0
        return left.st_size if left.st_mtime >= since else 0

    def write(self, data: bytes | bytearray, at: int) -> None:
        """Write ``data`` at offset ``at``; what lies behind it is cut off."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            os.ftruncate(self._file, at)
        view = memoryview(data)
        while view:
            done = os.pwrite(self._file, view, at)
            view, at = view[done:], at + done

    def finish(self, data: bytes | bytearray, at: int) -> None:
        """Write the last ``data``, and ``settle``."""
        self.write(data, at)
        self.settle()

    def settle(self) -> None:
        """Put the file into its place, on disk for good."""
        self.close()
        put_in_place(self.path, self.target)

    def discard(self) -> None:
        """Throw away what was written: it can't become the target."""
        self.close()
        self.path.unlink(missing_ok=True)

    def put(self, data: bytes) -> None:
        """Write a small file whole."""
        try:
            self.have(float("inf"))
            self.finish(data, 0)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; what was written stays, to go on from."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking ``call`` to its end even when cancelled; maps its ``OSError``."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise
    except OSError as error:
        raise _ours(error) from error


def _ours(error: OSError) -> OrchestratorError:
    where = error.filename or "an output"
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return DiskFull(f"{where} can't be written: {reason}; make room, then run again")
    if error.errno in _LASTING:
        return Permanent(f"{where} can't be written: {reason}")
    return Transient(f"{where} can't be written just now: {reason}")
