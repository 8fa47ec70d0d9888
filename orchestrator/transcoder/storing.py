"""One task's outputs on their way to where they belong: to destinations, or to our downloads.

An output may come several times, with more in it each time (``refresh_playlist``):
then only what is new or changed goes again, and what names the rest goes last.
"""

import os
import re
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.files import sync
from orchestrator.query import EncodeQuery, Format
from orchestrator.storage import NotStored, Reach, Seen, deliver
from orchestrator.transcoder.answers import extension, records
from orchestrator.transcoder.disk import sync_tree
from orchestrator.transcoder.ports import Encoded, MediaError, Missed, Produced

_UNFRIENDLY = re.compile(r"[^\w.\-]+")
_LONGEST_NAME = 100
#: Files that name others.
_LISTS = frozenset({".m3u8", ".mpd", ".vtt"})

Record = dict[str, Any]
#: Told of an output's records once it is stored, and whether more of it will come.
Saved = Callable[[Sequence[Record], bool], Awaitable[None]]


class Storing:
    """Takes outputs of one task to their places. ``folder`` is for those without one."""

    def __init__(self, folder: Path, reach: Reach, query: EncodeQuery, saved: Saved) -> None:
        self._folder, self._reach = folder, reach
        self._query, self._saved = query, saved
        self._names: dict[int, str] = {}
        self._seen: dict[tuple[int, int], Seen] = {}

    async def land(self, made: Produced) -> None:
        """Store an output that will come again. Raises ``MediaError``, ``OSError``."""
        await self._saved(await self._store(made), True)

    async def finish(self, encoded: Encoded) -> list[Missed]:
        """Store every output; the answer is those that were missed.

        All of it is on the disk on return. An output that may fail is missed where
        its destination refuses it. Raises ``MediaError``, ``OSError``.
        """
        missed: list[Missed] = []
        for made in encoded.outputs:
            try:
                stored = await self._store(made)
            except MediaError as error:
                if not self._query.format[made.format_index].allow_soft_fail:
                    raise
                missed.append(Missed(made.tag, made.format_index, str(error)))
                continue
            await self._saved(stored, False)
        if self._names:
            await self._reach.disk.run(_sync, self._folder)
        return missed

    async def _store(self, made: Produced) -> list[Record]:
        wanted = self._query.format[made.format_index]
        stored = await (self._send(made, wanted) if wanted.destination else self._keep(made))
        return records(made, stored)

    async def _send(self, made: Produced, wanted: Format) -> Record:
        """To each of its destinations; a status shows the first."""
        told: list[Record] = []
        for number, each in enumerate(wanted.destination):
            field = place_named(made.format_index, number, len(wanted.destination))
            seen = self._seen.setdefault((made.format_index, number), {})
            try:
                there = await deliver(made.path, made.entry, each, field, self._reach, seen=seen)
            except NotStored as error:
                raise MediaError(str(error)) from error
            told.append(there)
        return told[0]

    async def _keep(self, made: Produced) -> Record:
        wanted = self._query.format[made.format_index]
        name = self._names.get(made.format_index)
        if name is None:
            name = _name(made, wanted, set(self._names.values()))
            self._names[made.format_index] = name
        seen = self._seen.setdefault((made.format_index, 0), {})
        await self._reach.disk.run(_place, made, self._folder / name, self._folder, seen)
        return {"path": f"{name}/{made.entry}" if made.entry else name}


def place_named(index: int, number: int, of: int) -> str:
    """The dotted path of a destination; the only one of its output has no number."""
    field = f"query.format[{index}].destination"
    return f"{field}[{number}]" if of > 1 else field


def _place(made: Produced, target: Path, folder: Path, seen: Seen) -> None:
    """Put an output under ``target``, each file of it whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not made.path.is_dir():
        _put(made.path, target)
        return
    files = [path for path in made.path.rglob("*") if path.is_file()]
    # The entry names the other files, so it must not be seen before them.
    for file in sorted(files, key=lambda file: (file.suffix in _LISTS, file.name == made.entry)):
        name = file.relative_to(made.path).as_posix()
        found = file.stat()
        if seen.get(name) != (found.st_size, found.st_mtime_ns):
            _put(file, target / name)
            seen[name] = (found.st_size, found.st_mtime_ns)


def _put(file: Path, target: Path) -> None:
    """A file at ``target``, whole or not at all; not on the disk yet (``_sync``)."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _link_or_copy(file, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _link_or_copy(file: Path, target: Path) -> None:
    """A link costs nothing; lists are copied, because they may be written again."""
    if file.suffix not in _LISTS:
        try:
            os.link(file, target)
        except OSError:  # a file system without links
            pass
        else:
            return
    shutil.copyfile(file, target)


def _sync(folder: Path) -> None:
    sync_tree(folder)
    sync(folder.parent)


def _name(made: Produced, wanted: Format, taken: set[str]) -> str:
    """A name for people: the client's tag or the output's type, and never one twice."""
    base = _UNFRIENDLY.sub("_", made.user_tag or made.output).strip("._")[:_LONGEST_NAME]
    base = base or made.output
    ending = extension(wanted)
    suffix = f".{ending}" if ending and not made.path.is_dir() else ""
    name, number = base + suffix, 2
    while name in taken:
        name, number = f"{base}-{number}{suffix}", number + 1
    return name
