"""Fingerprints: which version of a local source this is.

A source's fingerprint is part of an item's version: where it differs from what
the ledger has, the item is encoded again.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from orchestrator.model.errors import SourceMissing

FingerprintKind = Literal["stat", "content", "none"]

_EVERYONE_READS = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
#: A file whose mode is this needs no closer look.
_READABLE_FILE = stat.S_IFREG | _EVERYONE_READS
_TOLD_BY = 0o170000 | _EVERYONE_READS
_EFFECTIVE = os.access in os.supports_effective_ids


def fingerprint(path: str) -> tuple[str, int]:
    """``("<size>-<mtime in ns>", size in bytes)`` of a local file, from one stat.

    Raises ``SourceMissing`` if the file is not there, is not a regular file,
    can't be read, or is empty.
    """
    try:
        info = os.stat(path)  # noqa: PTH116 - once a row: a Path costs more than the call
    except (OSError, ValueError) as error:
        raise _missing(path, error) from None
    size = info.st_size
    if not size or info.st_mode & _TOLD_BY != _READABLE_FILE:
        _check(path, info)
    return f"{size}-{info.st_mtime_ns}", size


def content_fingerprint(path: str) -> tuple[str, int]:
    """``("b2-<32 hex digits>", size in bytes)`` of a local file's content (BLAKE2b).

    Reads the whole file, in pieces. Survives copying and touching, which
    ``fingerprint`` does not. Raises ``SourceMissing`` like ``fingerprint``.
    """
    try:
        _check(path, Path(path).stat())
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    except (OSError, ValueError) as error:
        raise _missing(path, error) from None
    return f"b2-{digest.hexdigest()}", size


def fingerprinter(kind: FingerprintKind) -> Callable[[str], tuple[str, int | None]]:
    """The function that a kind of fingerprint names; ``none`` touches no file."""
    if kind == "stat":
        return fingerprint
    return content_fingerprint if kind == "content" else lambda _path: ("", None)


class Looks:
    """What looks at some sources came to, column by column; none where ``kind`` is "none".

    ``refused`` are the places, from 0, of those that can't be used. What is not a
    path is not looked at: it has no fingerprint ("") and no size.
    """

    def __init__(self, kind: Literal["stat", "none"], sources: Sequence[str]) -> None:
        self.fingerprints = [""] * len(sources)
        self.sizes: list[int | None] = [None] * len(sources)
        self.refused: list[int] = []
        if kind == "stat":
            self._stat(sources)

    def _stat(self, sources: Sequence[str]) -> None:
        # As ``fingerprint`` does, which is not called: that takes a twentieth longer.
        look, fingerprints, sizes = os.stat, self.fingerprints, self.sizes
        for at, path in enumerate(sources):
            if path[0] != "/":
                continue
            try:
                info = look(path)
                size = info.st_size
                if not size or info.st_mode & _TOLD_BY != _READABLE_FILE:
                    _check(path, info)
            except (OSError, ValueError, SourceMissing):
                self.refused.append(at)
            else:
                fingerprints[at] = f"{size}-{info.st_mtime_ns}"
                sizes[at] = size


def _missing(path: str, error: Exception) -> SourceMissing:
    if isinstance(error, FileNotFoundError):
        return SourceMissing(_absence(path))
    reason = getattr(error, "strerror", None) or str(error)
    return SourceMissing(f"{path} can't be read: {reason}")


def _check(path: str, info: os.stat_result) -> None:
    """Raise ``SourceMissing`` for what can't be encoded."""
    if not stat.S_ISREG(info.st_mode):
        what = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
        raise SourceMissing(f"{path} is {what}")
    # A file that everyone may read saves the second system call.
    if info.st_mode & _EVERYONE_READS != _EVERYONE_READS and not os.access(
        path, os.R_OK, effective_ids=_EFFECTIVE
    ):
        raise SourceMissing(f"{path} can't be read: permission denied")
    if info.st_size == 0:
        raise SourceMissing(f"{path} is empty")


def _absence(path: str) -> str:
    if Path(path).is_symlink():
        return f"{path} is a link to a file that does not exist"
    return f"{path} does not exist"
