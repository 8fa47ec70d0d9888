"""Takes an output to a destination: every file of it, in the order that readers need."""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from orchestrator.query import Destination
from orchestrator.transcoder.destinations.kinds import content_type, rank
from orchestrator.transcoder.destinations.opening import Target, open_place
from orchestrator.transcoder.destinations.place import Passing, Place, Reach, Refused, Upload
from orchestrator.transcoder.destinations.together import together
from orchestrator.transcoder.ports import MediaError

#: Told of how many bytes of an output are there, and of how many there will be.
Told = Callable[[int, int], None]


def _nobody(done: int, total: int) -> None:
    """Nobody wants to know."""


async def deliver(
    source: Path,
    entry: str | None,
    wanted: Destination,
    field: str,
    reach: Reach,
    told: Told = _nobody,
) -> dict[str, Any]:
    """Store a file or a folder; the answer is its ``url`` and ``storage`` for the status.

    Segments go before playlists, and ``entry`` (which names the others) last,
    so that nobody reads of a file before it is there. May be repeated. Raises
    ``MediaError`` that begins with ``field``; ``OSError`` if ``source`` can't be read.
    """
    try:
        target = Target.of(wanted, reach)
        async with open_place(wanted, reach) as place:
            await _store(place, await reach.disk.run(_uploads, source, entry, target, told))
    except (Refused, Passing) as error:
        raise MediaError(f"{field}: can't store on {Target.shown(wanted)}: {error}") from error
    return target.told(entry)


async def _store(place: Place, uploads: list[tuple[int, Upload]]) -> None:
    for _, wave in groupby(uploads, key=lambda each: each[0]):
        left = iter([upload for _, upload in wave])
        await together(_work(place, left) for _ in range(place.at_once))


async def _work(place: Place, uploads: Iterable[Upload]) -> None:
    for upload in uploads:
        await place.put(upload)


class _Tally:
    """Sums up what has arrived of several files; the sum never falls."""

    def __init__(self, total: int, told: Told) -> None:
        self._total, self._told = total, told
        self._done: dict[str, int] = {}
        self._sum = self._most = 0

    def of(self, name: str) -> Callable[[int], None]:
        def moved(done: int) -> None:
            self._sum += done - self._done.get(name, 0)
            self._done[name] = done
            if self._sum > self._most:
                self._most = self._sum
                self._told(self._most, self._total)

        return moved


def _uploads(
    source: Path, entry: str | None, target: Target, told: Told
) -> list[tuple[int, Upload]]:
    """Every file with its rank, in the order of going."""
    if source.is_dir():
        found = [path for path in source.rglob("*") if path.is_file()]
        names = {path.relative_to(source).as_posix(): path for path in found}
    else:
        names = {"": source}
    sizes = {name: path.stat().st_size for name, path in names.items()}
    tally = _Tally(sum(sizes.values()), told)
    listed = []
    for name, path in names.items():
        where = target.file(name)
        moved = tally.of(name)
        upload = Upload(path, where, content_type(where), sizes[name], moved)
        listed.append((rank(name, entry), upload))
    return sorted(listed, key=lambda each: (each[0], each[1].path))
