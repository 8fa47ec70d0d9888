"""Fetches the files of one item's outputs: those that are not there yet, several at once."""

import asyncio
import stat
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.services.disk_write import PartFile, in_thread
from orchestrator.services.download import agree

#: Files of one folder that are fetched at once, where nobody says otherwise.
_WIDTH = 6


class Source(Protocol):
    """Where the files are: ``download.Downloader`` over HTTP."""

    async def fetch(
        self,
        url: str,
        target: Path,
        *,
        since: float,
        got: Callable[[int], None],
        named: int | None = None,
    ) -> int:
        """Bring ``url`` to ``target``, whole; the answer is its size in bytes."""

    async def read(self, url: str) -> bytes:
        """What is in a small file."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """``since`` is in UNIX seconds: what is older belongs to an earlier attempt.

    ``got`` counts bytes that are there, and takes them back with a negative number.
    ``width`` is how many files of one folder are fetched at once.
    """

    source: Source
    since: float
    got: Callable[[int], None]
    width: int = _WIDTH

    async def file(self, url: str, place: Path, size: int | None = None) -> int:
        """Have ``url`` at ``place``; the answer is its size in bytes.

        ``size`` is what the service named. A file that is there already is not
        fetched again: files get there whole.
        """
        there = await in_thread(size_of, place, self.since)
        if there is not None and (size is None or agree(there, size)):
            self.got(there)
            return there
        return await self.source.fetch(url, place, since=self.since, got=self.got, named=size)

    async def files(self, wanted: Iterable[tuple[str, Path]]) -> int:
        """Have many files, each at its place; the answer is the size of all, in bytes."""
        waiting = iter(wanted)
        total = 0

        async def fetch() -> None:
            nonlocal total
            for url, place in waiting:
                size = await self.file(url, place)
                total += size

        await _together([fetch() for _ in range(self.width)])
        return total

    async def put(self, place: Path, data: bytes) -> int:
        """Write a small file that was read already; the answer is its size."""
        await in_thread(PartFile(place).put, data)
        self.got(len(data))
        return len(data)


def size_of(path: Path, since: float) -> int | None:
    """The size of a file that is there since then; None where there is none. Blocks."""
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return there.st_size if stat.S_ISREG(there.st_mode) and there.st_mtime >= since else None


async def _together(calls: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
