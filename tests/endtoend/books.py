"""The books of a recording service: what really happened at it, whatever became of its clients."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

#: The kinds of entries.
TASK, UPLOAD, WHOLE, START = "task", "upload", "whole", "start"


class Books:
    """Appends entries to a file, each on disk before anybody hears of it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def enter(self, kind: str, **facts: Any) -> None:
        """Write one entry down."""
        os.write(self._file, json.dumps({"kind": kind, **facts}).encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Started:
    """A start that took effect. ``digest`` is of what the service had of the source then."""

    task: str
    payload: str
    source: str
    digest: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Entries:
    """What the books say."""

    kinds: Counter[str]
    starts: tuple[Started, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """All entries so far."""
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        kinds = Counter(entry.pop("kind") for entry in entries)
        return cls(kinds, tuple(Started(**entry) for entry in entries if "payload" in entry))

    def of(self, payload: str) -> list[Started]:
        """The starts of the item whose payload this is."""
        return [start for start in self.starts if start.payload == payload]


def digest_of(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def output_of(digest: str) -> bytes:
    """What the service makes of a source: 16 to 80 KiB that no other source gives."""
    return (digest * (256 + int(digest[:3], 16) % 1024)).encode()
