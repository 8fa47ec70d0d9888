"""Collects outputs that a service has delivered to the job's own file servers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from orchestrator.model.errors import Permanent
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Shortage
from orchestrator.services.collect import Placement
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.disk_write import in_thread
from orchestrator.services.fetching import size_of

#: Bytes to expect of an output, where its source's size is not known.
_TYPICAL = 256 * 2**20

#: Files that name others: one of them alone is no output.
_INDEXES = (".m3u8", ".mpd")


class Reader(Protocol):
    """Reads files from servers of files."""

    async def fetch(self, url: str, target: Path, got: Callable[[int, int | None], None]) -> int:
        """Have the file at ``target``, whole; the answer is its size. Raises the families."""


class DeliveredCollector:
    """Fetches an order's files from the first of its destinations.

    ``folder`` gives that destination's URL for an item, with its credentials.
    Orders name no sizes, so a file that is in its place since the attempt began
    is taken as it is: files get there whole. Also implements ``model.ports.Room``.
    """

    def __init__(
        self, place: Placement, folder: Callable[[Item], str], reader: Reader, room: DiskRoom
    ) -> None:
        self._place, self._folder, self._reader, self._room = place, folder, reader, room

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """See ``model.ports.Collector``. Playlists stay, as what they name does."""
        places = [self._place_of(item, output) for output in outputs]
        _check_apart(item, [place for place in places if place is not None])
        done, found = 0, []
        for output, place in zip(outputs, places, strict=True):
            if place is None:
                found.append(output)
                continue
            before = done

            def told(size: int, total: int | None, before: int = before) -> None:
                got(before + size, None if total is None else before + total)

            size = await self._one(item, output, place, told)
            done += size
            self._room.landed(item.id, size)
            found.append(replace(output, path=str(place), size=size))
        return tuple(found)

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        """See ``model.ports.Room``. Each output counts as its source."""
        places = [self._place_of(item, output) for output in outputs]
        wanted = [place for place in places if place is not None]
        if not wanted:
            return None
        size = len(wanted) * (item.size or _TYPICAL)
        return await self._room.hold(item.id, wanted[0].parent, size, 0)

    def let_go(self, item: Item) -> None:
        """See ``model.ports.Room``."""
        self._room.let_go(item.id)

    async def _one(
        self, item: Item, output: Output, place: Path, got: Callable[[int, int | None], None]
    ) -> int:
        since = item.attempt.started_at if item.attempt else float("inf")
        there = await in_thread(size_of, place, since)
        if there is not None:
            got(there, there)
            return there
        url = f"{self._folder(item).rstrip('/')}/{quote(_name(output))}"
        return await self._reader.fetch(url, place, got)

    def _place_of(self, item: Item, output: Output) -> Path | None:
        if _name(output).lower().endswith(_INDEXES):
            return None
        return self._place(item, output)


def _name(output: Output) -> str:
    return output.url.rpartition("/")[2]


def _check_apart(item: Item, places: Sequence[Path]) -> None:
    for place in places:
        if places.count(place) > 1:
            raise Permanent(
                f"{item.key}: two outputs would both become {place}; give each job a label of "
                "its own, and use {tag} in the name"
            )
