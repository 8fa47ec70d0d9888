"""Which paths lie on a disk of this machine, and so can be opened without waiting for a network.

A hop to a thread and back costs more than opening a small file does, so files
on local disks are opened in the event loop. A network mount may hang for
hours, and must never take the event loop with it.
"""

import os
from functools import lru_cache
from pathlib import Path

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "overlay"}
)
_MOUNTS = Path("/proc/self/mountinfo")


def is_local(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is on a local disk. In doubt it is not."""
    return _is_local(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH120  # hot


@lru_cache(maxsize=4096)
def _is_local(folder: str) -> bool:
    kind = ""
    longest = -1
    for point, this in _mounts():
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:
            kind, longest = this, len(point)
    return kind in _LOCAL


@lru_cache(maxsize=1)
def _mounts() -> tuple[tuple[str, str], ...]:
    """Mount points and file system types (proc(5), mountinfo: fields 5 and "-" + 1)."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    fields = [line.split(" ") for line in lines]
    return tuple((_unescaped(line[4]), line[line.index("-") + 1]) for line in fields)


def _unescaped(point: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return point
