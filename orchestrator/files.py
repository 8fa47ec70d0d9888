"""Files that are on disk for good, whole or not at all, whatever stops the writing.

The one place that knows how: bytes to disk, then the name, then the folder that
holds the name (fsync(2): "Calling fsync() does not necessarily ensure that the
entry in the directory containing the file has also reached disk"). Everything
here blocks and raises ``OSError``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def put_in_place(part: Path, target: Path) -> None:
    """Make ``part``, a complete file in the same folder, ``target``; on return it lasts."""
    sync(part)
    part.replace(target)
    sync(target.parent)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of ``path`` when the block ends well.

    What was there stays until then; nothing else is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing; on return they last."""
    if path.is_dir():
        return
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync(folder.parent)


def sync(path: Path) -> None:
    """Return when a file's bytes, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
