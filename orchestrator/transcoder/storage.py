"""Outputs of tasks that are over: which of them are kept here, and which may be asked for.

An output without a destination is kept for a while under the unguessable key of
its task; how it comes here, or goes elsewhere, is ``storing``'s.
"""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.query import EncodeQuery
from orchestrator.storage import Reach, Refused, Target
from orchestrator.transcoder.answers import ApiError, Code
from orchestrator.transcoder.disk import remove
from orchestrator.transcoder.storing import Saved, Storing, place_named
from orchestrator.transcoder.tasks import Task


class Storage:
    """The folder of downloads, and the way to everywhere else (``reach``)."""

    def __init__(self, outputs: Path, reach: Reach) -> None:
        self._outputs, self._reach = outputs, reach

    def check(self, query: EncodeQuery) -> None:
        """Refuse destinations that can't be written. Raises ``ApiError`` naming the field."""
        for index, wanted in enumerate(query.format):
            for number, each in enumerate(wanted.destination):
                try:
                    Target.of(each, self._reach)
                except Refused as error:
                    field = place_named(index, number, len(wanted.destination))
                    raise ApiError(Code.BAD_QUERY, f"{field}: {error}", field=field) from error

    async def begin(self, task: Task, query: EncodeQuery, saved: Saved) -> Storing:
        """Store what a task makes, from the first; what an earlier try left is removed.

        ``saved`` is told of each output once it is where it belongs.
        """
        folder = self._outputs / task.key
        await self._reach.disk.run(remove, folder)
        return Storing(folder, self._reach, query, saved)

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
