"""Folders of this machine: under the roots that the service may write to, and nowhere else."""

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestrator.files import make_folders, put_in_place
from orchestrator.query import Destination
from orchestrator.storage.place import Reach, Refused, Upload, to_its_end


class Local:
    """The file system."""

    at_once = 4

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def put(self, upload: Upload) -> None:
        """``Place.put``."""
        try:
            await to_its_end(self._reach.disk.submit(self._put, upload))
        except OSError as error:
            raise Refused(f"can't be written: {error.strerror or 'unknown reason'}") from error
        upload.moved(upload.size)

    def _put(self, upload: Upload) -> None:
        target = Path(upload.path)
        _check(target.resolve(), self._reach)  # a link in the folder may lead out of it
        _place(upload.file, target)


@asynccontextmanager
async def open_local(wanted: Destination, reach: Reach) -> AsyncIterator[Local]:
    """The file system that a ``file://`` destination is on. Raises ``Refused``."""
    local_path(wanted, reach)
    yield Local(reach)


def local_path(wanted: Destination, reach: Reach) -> str:
    """The path of a ``file://`` URL, symbolic links followed, under an allowed root."""
    parts = urlsplit(wanted.url)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute() or "\0" in str(path):
        raise Refused("must be file:///path on the service's machine")
    target = path.resolve()
    _check(target, reach)
    return str(target)


def _check(target: Path, reach: Reach) -> None:
    roots = [root.resolve() for root in reach.roots]
    if not any(target != root and target.is_relative_to(root) for root in roots):
        raise Refused("is not under a folder that this service may write to")


def _place(file: Path, target: Path) -> None:
    """A file at ``target``, whole or not at all, and on the disk."""
    make_folders(target.parent)
    partial = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _link_or_copy(file, partial)
        put_in_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _link_or_copy(file: Path, target: Path) -> None:
    """A link costs nothing. Only one is made: two places must not share their bytes."""
    if file.stat().st_nlink == 1:
        try:
            os.link(file, target)
        except OSError:  # another disk, or a file system without links
            pass
        else:
            return
    shutil.copyfile(file, target)
