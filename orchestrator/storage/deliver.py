"""Takes an output to a destination: every file of it, in the order that readers need."""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from orchestrator.query import Destination
from orchestrator.storage.kinds import content_type, rank
from orchestrator.storage.opening import Target, open_place
from orchestrator.storage.place import Passing, Place, Reach, Refused, Upload
from orchestrator.storage.together import together

#: Told of how many bytes of an output are there, and of how many there will be.
Told = Callable[[int, int], None]

#: What was delivered already: size and time of each file by its name in the folder.
Seen = dict[str, tuple[int, int]]


class NotStored(Exception):
    """Raised when an output can't be stored, for a reason that the message gives."""


def _nobody(done: int, total: int) -> None:
    """Nobody wants to know."""


async def deliver(
    source: Path,
    entry: str | None,
    wanted: Destination,
    field: str,
    reach: Reach,
    told: Told = _nobody,
    *,
    seen: Seen | None = None,
) -> dict[str, Any]:
    """Store a file or a folder; the answer is its ``url`` and ``storage`` for the status.

    Segments go before playlists, and ``entry`` (which names the others) last,
    so that nobody reads of a file before it is there. May be repeated: with
    ``seen``, which is kept up to date, only what is new or changed goes. Raises
    ``NotStored``, whose message begins with ``field``; ``OSError`` if ``source`` can't be read.
    """
    try:
        target = Target.of(wanted, reach)
        async with open_place(wanted, reach) as place:
            files = await reach.disk.run(_files, source)
            there = seen or {}
            fresh = {name: found for name, found in files.items() if found != there.get(name)}
            await _store(place, _uploads(source, fresh, entry, target, told))
            if seen is not None:
                seen.update(fresh)
    except (Refused, Passing) as error:
        raise NotStored(f"{field}: can't store on {Target.shown(wanted)}: {error}") from error
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


def _files(source: Path) -> Seen:
    """Every file with its size and time, by its name in the folder; a lone file has none."""
    if not source.is_dir():
        found = {"": source.stat()}
    else:
        paths = (path for path in source.rglob("*") if path.is_file())
        found = {path.relative_to(source).as_posix(): path.stat() for path in paths}
    return {name: (each.st_size, each.st_mtime_ns) for name, each in found.items()}


def _uploads(
    source: Path, files: Seen, entry: str | None, target: Target, told: Told
) -> list[tuple[int, Upload]]:
    """Every file with its rank, in the order of going."""
    tally = _Tally(sum(size for size, _ in files.values()), told)
    listed = []
    for name, (size, _) in files.items():
        where = target.file(name)
        path = source / name if name else source
        upload = Upload(path, where, content_type(where), size, tally.of(name))
        listed.append((rank(name, entry), upload))
    return sorted(listed, key=lambda each: (each[0], each[1].path))
