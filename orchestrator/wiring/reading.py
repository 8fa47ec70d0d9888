"""Reads files from file servers, as the transcoder reads its sources."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from yarl import URL

from orchestrator.files import make_folders, put_in_place
from orchestrator.model.errors import OutputMissing, Permanent
from orchestrator.services.redact import redact
from orchestrator.storage.disk import Disk
from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.bucket import Bucket
from orchestrator.transcoder.sources.faults import Unfetchable
from orchestrator.transcoder.sources.ftp import Ftp
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.sftp import Sftp
from orchestrator.transcoder.sources.tries import persist
from orchestrator.transcoder.sources.urls import BadUrl, read_remote, scheme_of
from orchestrator.transcoder.sources.web import Web

#: A playlist with more is none.
_LARGEST = 16 * 2**20


class RemoteReader:
    """Implements ``services.delivered.Reader`` for ftp, ftps, sftp, s3, http and https.

    ``known_hosts`` are the SSH servers that were met.
    """

    def __init__(self, disk: Disk, reserve: int, known_hosts: Path) -> None:
        self._disk, self._reserve, self._limits = disk, reserve, FetchLimits()
        addresses = Addresses(allow_private=True)
        self._web = Web(addresses, self._limits)
        self._bucket = Bucket(self._web, addresses, self._limits)
        self._ftp = Ftp(addresses, self._limits)
        self._sftp = Sftp(addresses, self._limits, known_hosts)

    async def fetch(self, url: str, target: Path, got: Callable[[int, int | None], None]) -> int:
        """See ``services.delivered.Reader``."""
        part = target.with_name(f".{target.name}.part")
        await self._disk.run(make_folders, target.parent)
        landing = Landing(part, self._disk, max_bytes=0, reserve=self._reserve, tell=got)
        await self._land(url, landing)
        await self._disk.run(put_in_place, part, target)
        return landing.done

    async def read(self, url: str) -> bytes:
        """See ``services.delivered.Reader``."""
        with TemporaryDirectory(prefix="orchestrator-") as folder:
            part = Path(folder) / "part"
            limits = {"max_bytes": _LARGEST, "reserve": 0}
            await self._land(url, Landing(part, self._disk, **limits, tell=lambda *_: None))
            return await self._disk.run(part.read_bytes)

    async def _land(self, url: str, landing: Landing) -> None:
        """Raises ``Permanent``, ``OutputMissing``."""
        try:
            async with landing:
                await persist(lambda: self._try(url, landing), landing, self._limits)
        except BadUrl as error:
            raise Permanent(f"{redact(url)} can't be collected: it {error}") from None
        except Unfetchable as error:
            raise OutputMissing(f"{redact(url)} can't be collected: {error}") from error

    async def _try(self, url: str, landing: Landing) -> None:
        scheme = scheme_of(url)
        if scheme in ("http", "https"):
            await self._web.fetch(URL(url), landing)
        elif scheme == "s3":
            await self._bucket.fetch(read_remote(url), landing)
        elif scheme == "sftp":
            await self._sftp.fetch(read_remote(url), landing)
        else:
            await self._ftp.fetch(read_remote(url), landing)
