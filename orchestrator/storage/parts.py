"""A file in parts that fit in memory, each read and hashed away from the event loop."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from orchestrator.storage.disk import Disk

_MIB = 1024**2

#: Files up to this size go in one request; longer ones in parts of this size.
#: S3 wants at least 5 MiB, Azure any.
PART = 8 * _MIB

#: S3's "Amazon S3 multipart upload limits": 10,000 parts.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """A range of a file; ``number`` counts from 1."""

    number: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes to send, with what storages ask for to know that they arrived."""

    data: bytes
    sha256: str
    md5: bytes


def split(size: int) -> list[Part]:
    """The parts of a file of ``size`` bytes: at least one, and never too many."""
    step = max(PART, -(-size // (_MOST * _MIB)) * _MIB)
    starts = range(0, size, step) or range(1)
    return [Part(at + 1, start, min(step, size - start)) for at, start in enumerate(starts)]


async def read(disk: Disk, file: Path, part: Part) -> Body:
    """The bytes of a part. Raises ``OSError``."""
    return await disk.run(_read, file, part)


def body(data: bytes) -> Body:
    """Bytes as they are."""
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    return Body(data, hashlib.sha256(data).hexdigest(), md5)


def _read(file: Path, part: Part) -> Body:
    with file.open("rb") as stream:
        stream.seek(part.start)
        return body(stream.read(part.size))
