"""Brings outputs from the service to where the job wants them."""

import asyncio
import stat
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from orchestrator.model.errors import OutputMissing, Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Shortage
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.disk_write import PartFile, in_thread
from orchestrator.services.download import Downloader, agree
from orchestrator.services.folder_output import images_in, is_folder, path_of
from orchestrator.services.http import Http
from orchestrator.services.redact import redact
from orchestrator.services.urls import absolute

#: Bytes to expect of an output whose size nobody named, where its source's is not known either.
_TYPICAL = 256 * 2**20

#: Images of one folder that are fetched at once.
_WIDTH = 6


class Placement(Protocol):
    """Where a job wants its outputs."""

    def __call__(self, item: Item, output: Output) -> Path | None:
        """The file's path; the folder's, where ``is_folder(output)``; None to leave it."""


class HttpCollector:
    """Fetches outputs over HTTP. ``base`` is the service's address, for relative URLs.

    An output with another kind of URL is where the user sent it, and stays
    there. ``stall`` is in seconds. Also implements ``model.ports.Room``: with
    ``room``, which may be shared.
    """

    def __init__(
        self,
        http: Http,
        base: str,
        place: Placement,
        *,
        stall: float = 60.0,
        room: DiskRoom | None = None,
    ) -> None:
        self._base = base
        self._place = place
        self._room = room or DiskRoom()
        self._downloader = Downloader(http, stall)

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """See ``model.ports.Collector``.

        A file that is in its place since the attempt began, with the size that
        the service named, is not fetched again: files get there whole.
        """
        places = self._places(item, outputs)
        _check_apart(item, [place for place in places if place is not None])

        def landed(size: int, done: int, total: int | None) -> None:
            self._room.landed(item.id, size)
            got(done, total)

        count = _Count(outputs, landed)
        since = _begun(item)
        return tuple(
            [
                await self._one(output, place, since, count)
                for output, place in zip(outputs, places, strict=True)
            ]
        )

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        """See ``model.ports.Room``. An output whose size is unknown counts as its source."""
        placed = [
            (place, item.size or _TYPICAL if output.size is None else output.size)
            for place, output in zip(self._places(item, outputs), outputs, strict=True)
            if place is not None
        ]
        if not placed:
            return None
        paths = [place for place, _ in placed]
        have = await in_thread(_have, paths, _begun(item))
        size = sum(size for _, size in placed)
        return await self._room.hold(item.id, paths[0].parent, size, have)

    def let_go(self, item: Item) -> None:
        """See ``model.ports.Room``."""
        self._room.let_go(item.id)

    def _places(self, item: Item, outputs: Sequence[Output]) -> list[Path | None]:
        return [self._place(item, output) if self._is_ours(output) else None for output in outputs]

    def _is_ours(self, output: Output) -> bool:
        return absolute(output.url, self._base).startswith(("http://", "https://"))

    async def _one(
        self, output: Output, place: Path | None, since: float, count: "_Count"
    ) -> Output:
        url = absolute(output.url, self._base)
        if url.startswith("file://"):
            return replace(output, path=unquote(urlsplit(url).path))
        if place is None:
            return output
        if is_folder(output):
            size = await self._folder(url, place, since, count)
        else:
            size = await self._file(url, place, output.size, since, count)
        return replace(output, path=str(place), size=size)

    async def _file(
        self, url: str, place: Path, size: int | None, since: float, count: "_Count"
    ) -> int:
        there = await in_thread(_size_of, place, since)
        if there is not None and (size is None or agree(there, size)):
            count.add(there)
            return there
        return await self._downloader.fetch(url, place, since=since, got=count.add, named=size)

    async def _folder(self, url: str, place: Path, since: float, count: "_Count") -> int:
        """Fetch a .vtt file and its images; the .vtt is put in its place last."""
        vtt = await self._downloader.read(url)
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        images = [(image, path_of(image)) for image in images_in(vtt.decode("utf-8", "replace"))]
        if any(str(path) == name for _, path in images) or name in ("", ".", ".."):
            raise OutputMissing(f"{redact(url)} names itself as an image")
        sizes: list[int] = []
        waiting = iter(images)

        async def fetch() -> None:
            for image, path in waiting:
                source = urljoin(url, image)
                sizes.append(await self._file(source, place / path, None, since, count))

        await _together([fetch() for _ in range(min(_WIDTH, len(images)))])
        await in_thread(PartFile(place / name).put, vtt)
        count.add(len(vtt))
        return sum(sizes) + len(vtt)


class _Count:
    """Bytes over all of an item's outputs."""

    def __init__(
        self, outputs: Sequence[Output], landed: Callable[[int, int, int | None], None]
    ) -> None:
        sizes = [output.size for output in outputs]
        self._total = None if None in sizes else sum(size or 0 for size in sizes)
        self._done = 0
        self._landed = landed

    def add(self, size: int) -> None:
        """``size`` more bytes are there. The services round sizes, so the total may give way."""
        self._done += size
        total = None if self._total is None else max(self._total, self._done)
        self._landed(size, self._done, total)


async def _together(calls: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _check_apart(item: Item, places: Sequence[Path]) -> None:
    for place in places:
        if places.count(place) > 1:
            raise Permanent(
                f"{item.key}: two outputs would both become {place}; "
                "give each format a tag, or a place of its own"
            )


def _begun(item: Item) -> float:
    """What is older belongs to an earlier attempt."""
    return item.attempt.started_at if item.attempt else float("inf")


def _have(places: Sequence[Path], since: float) -> int:
    """The bytes of these files, whole or begun, that need not be fetched again."""
    files = (file for place in places for file in (place, PartFile(place).path))
    return sum(_size_of(file, since) or 0 for file in files)


def _size_of(path: Path, since: float) -> int | None:
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return there.st_size if stat.S_ISREG(there.st_mode) and there.st_mtime >= since else None
