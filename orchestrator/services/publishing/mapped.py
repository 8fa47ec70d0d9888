"""Sources that the service can read where they lie."""

from pathlib import Path

from orchestrator.model.errors import Permanent
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Uploader, UploadWatcher
from orchestrator.query import Origins
from orchestrator.services.source_file import open_source


class MappedUploader:
    """Names the URL of a file under one of ``origins``; any other is for ``rest``, if there is one.

    Nothing is sent and nothing is reserved, so there is nothing to go on with.
    """

    def __init__(self, origins: Origins, rest: Uploader | None = None) -> None:
        self._origins, self._rest = origins, rest

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        """See ``model.ports.Uploader``. Raises ``Permanent`` for a file that nobody can reach."""
        url = self._origins.url(str(path))
        if url is not None:
            async with open_source(path):
                return url
        if self._rest is not None:
            return await self._rest.upload(path, attempt, watcher)
        raise Permanent(str(self._origins.outside(str(path), "the job")))
