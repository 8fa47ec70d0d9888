"""Collects outputs that a service has delivered to the job's own file servers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote

from orchestrator.model.errors import Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Shortage
from orchestrator.services.collect import Placement
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.fetching import Fetching
from orchestrator.services.folder_output import is_streaming
from orchestrator.services.folders import fetch_ladder
from orchestrator.services.redact import redact

#: Bytes to expect of an output, where its source's size is not known.
_TYPICAL = 256 * 2**20

#: Segments that are fetched at once: each is a login of its own, and servers of files count those.
_WIDTH = 3


class Reader(Protocol):
    """Reads files from servers of files."""

    async def fetch(self, url: str, target: Path, got: Callable[[int, int | None], None]) -> int:
        """Have the file at ``target``, whole; the answer is its size. Raises the families."""

    async def read(self, url: str) -> bytes:
        """What is in a small file. Raises the families."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where an item's order delivers: the URL of its first destination, with credentials.

    ``images`` are the names of its thumbnails, which the service does not tell of.
    """

    folder: str = field(repr=False)
    images: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The folder's URL as others may see it."""
        return redact(self.folder).rstrip("/")

    def url_of(self, output: Output) -> str:
        """The output's URL in the folder, by whichever name the service knows that.

        A playlist lies in a folder of its own.
        """
        below = output.url.removeprefix(f"{self.shown}/")
        if "://" in below:
            below = "/".join(below.split("/")[-2 if is_streaming(output) else -1 :])
        return f"{self.shown}/{below}"

    def real(self, url: str) -> str:
        """The URL of a file in the folder, with the credentials."""
        return self.folder.rstrip("/") + url.removeprefix(self.shown)


class DeliveredCollector:
    """Fetches an order's files from the first of its destinations.

    Orders name no sizes, so a file that is in its place since the attempt began
    is taken as it is: files get there whole. Also implements ``model.ports.Room``.
    """

    def __init__(
        self,
        place: Placement,
        delivery: Callable[[Item], Delivery],
        reader: Reader,
        room: DiskRoom,
    ) -> None:
        self._place, self._delivery, self._reader, self._room = place, delivery, reader, room

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """See ``model.ports.Collector``. The order's images come after what the service told of.

        A playlist comes with all that it leads to, as a folder.
        """
        if not any(self._place(item, output) for output in outputs):
            return tuple(outputs)
        delivery = self._delivery(item)
        wanted = [*outputs, *_images(delivery, outputs)]
        places = [self._place(item, output) for output in wanted]
        _check_apart(item, [place for place in places if place is not None])
        progress = _Progress(lambda size: self._room.landed(item.id, size), got)
        since = item.attempt.started_at if item.attempt else float("inf")
        source = _Delivered(self._reader, delivery, progress)
        fetching = Fetching(source, since, progress.add, width=_WIDTH)
        found = []
        for output, place in zip(wanted, places, strict=True):
            if place is None:
                found.append(output)
                continue
            url = delivery.url_of(output)
            if is_streaming(output):
                size = await fetch_ladder(fetching, url, place, ())
            else:
                size = await fetching.file(url, place)
            found.append(replace(output, path=str(place), size=size))
        return tuple(found)

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        """See ``model.ports.Room``. Each output counts as its source, and images as nothing."""
        places = [self._place(item, output) for output in outputs]
        wanted = [place for place in places if place is not None]
        if not wanted:
            return None
        size = len(wanted) * (item.size or _TYPICAL)
        return await self._room.hold(item.id, wanted[0].parent, size, 0)

    def let_go(self, item: Item) -> None:
        """See ``model.ports.Room``."""
        self._room.let_go(item.id)


class _Progress:
    """Bytes over all of an item's outputs; the total is that of the files begun so far."""

    def __init__(
        self, landed: Callable[[int], None], got: Callable[[int, int | None], None]
    ) -> None:
        self._landed, self._got = landed, got
        self._done = self._total = 0

    def expect(self, size: int) -> None:
        """A file of ``size`` bytes is being fetched."""
        self._total += size

    def add(self, size: int) -> None:
        """``size`` more bytes are there; fewer, where it is negative."""
        self._done += size
        self._landed(size)
        self._got(self._done, max(self._total, self._done))


@dataclass(frozen=True, slots=True)
class _Delivered:
    """``fetching.Source`` for one item: credentials are put in, and numbers are of more bytes."""

    reader: Reader
    delivery: Delivery
    progress: _Progress

    async def fetch(
        self,
        url: str,
        target: Path,
        *,
        since: float,  # noqa: ARG002 - a part of a file is begun anew
        got: Callable[[int], None],
        named: int | None = None,  # noqa: ARG002 - orders name no sizes
    ) -> int:
        """See ``fetching.Source``."""
        before, expected = 0, 0

        def told(done: int, total: int | None) -> None:
            nonlocal before, expected
            self.progress.expect((total or 0) - expected)
            got(done - before)
            before, expected = done, total or 0

        return await self.reader.fetch(self.delivery.real(url), target, told)

    async def read(self, url: str) -> bytes:
        """See ``fetching.Source``."""
        return await self.reader.read(self.delivery.real(url))


def _images(delivery: Delivery, outputs: Sequence[Output]) -> Iterator[Output]:
    """The order's thumbnails, which are called by the names of their files."""
    there = {output.url for output in outputs}
    for number, name in enumerate(delivery.images):
        url = f"{delivery.shown}/{quote(name)}"
        if url not in there:
            stem = PurePosixPath(name).stem
            yield Output(f"image-0-{number}", "image", url, user_tag=stem)


def _check_apart(item: Item, places: Sequence[Path]) -> None:
    for place in places:
        if places.count(place) > 1:
            raise Permanent(
                f"{item.key}: two outputs would both become {place}; give each job a label of "
                "its own, and use {tag} in the name"
            )
