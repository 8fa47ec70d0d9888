"""Where outputs go: the service's own downloads, or the destinations of a query.

An output without a destination is kept for a while under the unguessable key of
its task. One with several is stored at each of them, in their order; if one of
them takes it for no try, the output and with it the task fails, as the documents
leave no state between stored and not.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.files import sync
from orchestrator.query import Destination, EncodeQuery, Format
from orchestrator.transcoder.answers import ApiError, Code, extension, records
from orchestrator.transcoder.destinations import Reach, Refused, Target, deliver
from orchestrator.transcoder.destinations.place import to_its_end
from orchestrator.transcoder.disk import remove, sync_tree
from orchestrator.transcoder.ports import Encoded, Produced
from orchestrator.transcoder.tasks import Task

_UNFRIENDLY = re.compile(r"[^\w.\-]+")
_LONGEST_NAME = 100


class Storage:
    """Stores what an encode produced. ``find``, ``kept`` and ``drop`` block: use a thread."""

    def __init__(self, outputs: Path, reach: Reach) -> None:
        self._outputs, self._reach = outputs, reach

    def check(self, query: EncodeQuery) -> None:
        """Refuse destinations that can't be meant. Raises ``ApiError`` naming the field."""
        for index, wanted in enumerate(query.format):
            for field, each in _destinations(index, wanted):
                try:
                    Target.of(each, self._reach)
                except Refused as error:
                    raise ApiError(Code.BAD_QUERY, f"{field}: {error}", field=field) from error

    async def store(self, task: Task, query: EncodeQuery, encoded: Encoded) -> list[dict[str, Any]]:
        """Put every output where it belongs; the answer is their records, in order.

        On return all of it is on the disk, or taken by its destinations. May be
        repeated after a crash. Raises ``MediaError``, ``OSError``.
        """
        disk = self._reach.disk
        folder = self._outputs / task.key
        await disk.run(remove, folder)
        names: set[str] = set()
        found: list[dict[str, Any]] = []
        for made in encoded.outputs:
            wanted = query.format[made.format_index]
            if wanted.destination:
                stored = await self._send(made, wanted)
            else:
                name = _name(made, wanted, names)
                stored = await to_its_end(disk.submit(_keep, made, name, folder))
            found.extend(records(made, stored))
        if names:
            await to_its_end(disk.submit(self._make_last, folder))
        return found

    def _make_last(self, folder: Path) -> None:
        sync_tree(folder)
        sync(self._outputs)

    def find(self, key: str, path: str) -> Path | None:
        """A file that may be downloaded, None if there is none of that name."""
        folder = (self._outputs / key).resolve()
        file = (folder / path).resolve()
        inside = folder.parent == self._outputs.resolve() and file.is_relative_to(folder)
        return file if inside and file.is_file() else None

    def kept(self) -> set[str]:
        """The keys of the tasks that have outputs here."""
        return {folder.name for folder in self._outputs.iterdir()}

    def drop(self, keys: Iterable[str]) -> None:
        """Remove the outputs of the tasks with these keys."""
        for key in keys:
            remove(self._outputs / key)

    async def _send(self, made: Produced, wanted: Format) -> dict[str, Any]:
        """Store an output at all its destinations; a status shows the first."""
        stored = [
            await deliver(made.path, made.entry, each, field, self._reach)
            for field, each in _destinations(made.format_index, wanted)
        ]
        return stored[0]


def _destinations(index: int, wanted: Format) -> list[tuple[str, Destination]]:
    """Each destination of an output, after how a message names it."""
    field = f"query.format[{index}].destination"
    if len(wanted.destination) == 1:
        return [(field, wanted.destination[0])]
    return [(f"{field}[{at}]", each) for at, each in enumerate(wanted.destination)]


def _keep(made: Produced, name: str, folder: Path) -> dict[str, Any]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made.path.rename(folder / name)
    return {"path": f"{name}/{made.entry}" if made.entry else name}


def _name(made: Produced, wanted: Format, taken: set[str]) -> str:
    """A name for people: the client's tag or the output's type, and never one twice."""
    base = _UNFRIENDLY.sub("_", made.user_tag or made.output).strip("._")[:_LONGEST_NAME]
    base = base or made.output
    ending = extension(wanted)
    suffix = f".{ending}" if ending and not made.path.is_dir() else ""
    name, number = base + suffix, 2
    while name in taken:
        name, number = f"{base}-{number}{suffix}", number + 1
    taken.add(name)
    return name
