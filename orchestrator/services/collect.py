"""Brings outputs from the service to where the job wants them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from orchestrator.model.errors import Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Shortage
from orchestrator.query.expected import Expectations, Expected, Shape
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.disk_write import PartFile, in_thread
from orchestrator.services.download import Downloader
from orchestrator.services.fetching import Fetching, size_of
from orchestrator.services.folder_output import folder_url, is_row, is_streaming, name_of
from orchestrator.services.folders import fetch_ladder, fetch_named, fetch_row
from orchestrator.services.http import Http
from orchestrator.services.urls import absolute

#: Bytes to expect of an output whose size nobody named, where its source's is not known either.
_TYPICAL = 256 * 2**20


class Placement(Protocol):
    """Where a job wants its outputs."""

    def __call__(self, item: Item, output: Output) -> Path | None:
        """The file's path, or the folder's of an output of many files; None to leave it."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Outputs that are one thing on disk: the streams of a ladder share its master playlist.

    ``place`` is None where they are left.
    """

    outputs: tuple[Output, ...]
    url: str
    place: Path | None

    @property
    def first(self) -> Output:
        return self.outputs[0]


class HttpCollector:
    """Fetches outputs over HTTP. ``base`` is the service's address, for relative URLs.

    An output with another kind of URL is where the user sent it, and stays
    there. ``expectations`` tell which files a folder has where no file in it
    does. ``stall`` is in seconds. Also implements ``model.ports.Room``: with
    ``room``, which may be shared.
    """

    def __init__(
        self,
        http: Http,
        base: str,
        place: Placement,
        *,
        expectations: Expectations | None = None,
        stall: float = 60.0,
        room: DiskRoom | None = None,
    ) -> None:
        self._base = base
        self._place = place
        self._expectations = expectations
        self._room = room or DiskRoom()
        self._downloader = Downloader(http, stall)

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """See ``model.ports.Collector``.

        A file that is in its place since the attempt began, with the size that
        the service named, is not fetched again: files get there whole. The
        streams of a ladder are one folder, at the place of the first of them:
        that one has the size of all that is in it, the others have none.
        """
        groups = list(self._groups(item, outputs))
        _check_apart(item, [group.place for group in groups if group.place is not None])

        def landed(size: int, done: int, total: int | None) -> None:
            self._room.landed(item.id, size)
            got(done, total)

        fetching = Fetching(self._downloader, _begun(item), _Count(outputs, landed).add)
        found: dict[int, Output] = {}
        for group in groups:
            for output, collected in zip(
                group.outputs, await self._one(item, group, fetching), strict=True
            ):
                found[id(output)] = collected
        return tuple(found[id(output)] for output in outputs)

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        """See ``model.ports.Room``. An output whose size is unknown counts as its source."""
        groups = [group for group in self._groups(item, outputs) if group.place is not None]
        if not groups:
            return None
        sizes = [output.size for group in groups for output in group.outputs]
        paths = [group.place for group in groups if group.place is not None]
        have = await in_thread(_have, paths, _begun(item))
        size = sum(item.size or _TYPICAL if size is None else size for size in sizes)
        return await self._room.hold(item.id, paths[0].parent, size, have)

    def let_go(self, item: Item) -> None:
        """See ``model.ports.Room``."""
        self._room.let_go(item.id)

    def _groups(self, item: Item, outputs: Sequence[Output]) -> Iterator[_Group]:
        for together in grouped(outputs):
            url = absolute(together[0].url, self._base)
            ours = url.startswith(("http://", "https://"))
            yield _Group(together, url, self._place(item, together[0]) if ours else None)

    async def _one(self, item: Item, group: _Group, fetching: Fetching) -> tuple[Output, ...]:
        if group.url.startswith("file://"):
            path = Path(unquote(urlsplit(group.url).path))
            folder = is_streaming(group.first) or is_row(group.first)
            path = path.parent if folder else path
            return tuple(replace(output, path=str(path)) for output in group.outputs)
        if group.place is None:
            return group.outputs
        size = await self._fetch(item, group, group.place, fetching)
        first = replace(group.first, path=str(group.place), size=size)
        rest = (replace(each, path=first.path, size=None) for each in group.outputs[1:])
        return (first, *rest)

    async def _fetch(self, item: Item, group: _Group, place: Path, fetching: Fetching) -> int:
        if is_row(group.first):
            return await fetch_row(fetching, group.url, place)
        expected = self._expected(item, group.first)
        if is_streaming(group.first):
            beside = further_masters(group.first, expected)
            return await fetch_ladder(fetching, group.url, place, beside)
        names = expected.names if expected else ()
        folder = folder_url(replace(group.first, url=group.url), names)
        if expected is not None and folder is not None:
            return await fetch_named(fetching, folder, place, names, expected.may_be)
        return await fetching.file(group.url, place, group.first.size)

    def _expected(self, item: Item, output: Output) -> Expected | None:
        return self._expectations.of(item, output) if self._expectations else None


def grouped(outputs: Sequence[Output]) -> list[tuple[Output, ...]]:
    """Outputs that are one thing: the streams of a ladder, which share its master's URL."""
    groups: dict[object, list[Output]] = {}
    for place, output in enumerate(outputs):
        key: object = output.url if is_streaming(output) else place
        groups.setdefault(key, []).append(output)
    return [tuple(group) for group in groups.values()]


def further_masters(output: Output, expected: Expected | None) -> tuple[str, ...]:
    """Master playlists beside the one that the output's URL names: CMAF has one of each kind."""
    if expected is None or expected.shape is not Shape.STREAMING:
        return ()
    name = name_of(output)
    return tuple(each for each in expected.files if each != name and name in expected.files)


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
    files: list[Path] = []
    for place in places:
        files += place.rglob("*") if place.is_dir() else (place, PartFile(place).path)
    return sum(size_of(file, since) or 0 for file in files)
