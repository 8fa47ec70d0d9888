"""The few operations on files that the service needs beside ``storage.disk``."""

import shutil
from pathlib import Path

from orchestrator.files import sync


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
