"""From the URLs of a query to files: uploads, and downloads that are guarded."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yarl import URL

from orchestrator.query import EncodeQuery
from orchestrator.storage.disk import Disk
from orchestrator.transcoder.answers import ApiError, Code
from orchestrator.transcoder.ports import Inputs, MediaError, SourceFile
from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.bucket import Bucket, read_object
from orchestrator.transcoder.sources.faults import Unfetchable
from orchestrator.transcoder.sources.ftp import Ftp
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.named import Named, assets_in, sources_in
from orchestrator.transcoder.sources.tries import persist
from orchestrator.transcoder.sources.urls import SCHEMES, BadUrl, read_remote, scheme_of
from orchestrator.transcoder.sources.web import Web
from orchestrator.transcoder.tus import Uploads

if TYPE_CHECKING:
    from orchestrator.transcoder.sources.sftp import Sftp

#: Images and subtitles are read whole.
_MAX_SMALL = 32 * 1024 * 1024
#: Files of one task that are fetched at the same time.
_AT_ONCE = 4
#: Endings that tell ffmpeg how text is written; everything else it finds out itself.
_ENDINGS = frozenset({".srt", ".ass", ".ssa", ".vtt"})
_NO_UPLOAD = "this task has no complete upload of that id"

_LIMITS = FetchLimits()

#: Bytes fetched so far, and of how many (None: not known yet), over all files of a task.
Tell = Callable[[int, int | None], None]


class Sources:
    """Checks and fetches what queries read. ``max_bytes`` 0 sets no limit.

    ``reserve`` bytes of the disk stay free. ``known_hosts`` are the SSH servers that were met.
    """

    def __init__(
        self,
        uploads: Uploads,
        disk: Disk,
        limits: FetchLimits = _LIMITS,
        /,
        *,
        max_bytes: int,
        reserve: int,
        allow_private: bool,
        known_hosts: Path,
    ) -> None:
        self._uploads, self._disk, self._limits = uploads, disk, limits
        self._max_bytes, self._reserve = max_bytes, reserve
        self._addresses = addresses = Addresses(allow_private=allow_private)
        self._web = Web(addresses, self._limits)
        self._ftp = Ftp(addresses, self._limits)
        self._known_hosts = known_hosts
        self._bucket = Bucket(self._web, addresses, self._limits)

    @cached_property
    def _sftp(self) -> "Sftp":
        from orchestrator.transcoder.sources.sftp import Sftp  # as slow to load as asyncssh is

        return Sftp(self._addresses, self._limits, self._known_hosts)

    async def check(self, task: str, query: EncodeQuery) -> None:
        """Refuse at once what can't work. Raises ``ApiError`` naming the field."""
        for named in (*sources_in(query), *assets_in(query)):
            try:
                await self._check(task, named.url)
            except BadUrl as error:
                raise ApiError(
                    Code.BAD_QUERY, f"{named.where}: {error}", field=named.where
                ) from None

    async def fetch(self, task: str, source: str, folder: Path) -> Path:
        """One source as a local file. Raises ``MediaError``."""
        return await self._fetch(task, Named("query.source", source), folder / "source", _silent)

    async def fetch_all(
        self, task: str, query: EncodeQuery, folder: Path, progress: Tell | None = None
    ) -> Inputs:
        """Everything that the query reads, in ``folder`` under names of our own.

        What is named twice is fetched once. Raises ``MediaError`` naming the field;
        the rest is then given up. What only outputs need that may fail is lost alone.
        """
        sources, assets = sources_in(query), assets_in(query)
        wanted: dict[str, Named] = {}
        for named in sorted((*sources, *assets), key=lambda each: each.spare):
            wanted.setdefault(named.url, named)
        lost: dict[str, str] = {}
        each = list(wanted.values())
        files = await self._fetch_each(task, each, folder, progress or _silent, lost)
        return Inputs(
            sources=_parts(query, files),
            assets={named.url: files[named.url] for named in assets if named.url in files},
            lost=lost,
        )

    async def _fetch_each(
        self,
        task: str,
        wanted: list[Named],
        folder: Path,
        progress: Tell,
        lost: dict[str, str],
    ) -> dict[str, Path]:
        board = _Board(len(wanted), progress)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(place: int, named: Named) -> Path | None:
            async with turns:
                target = folder / f"input-{place}{_ending(named)}"
                try:
                    return await self._fetch(task, named, target, board.teller(place))
                except MediaError as error:
                    if not named.spare:
                        raise
                    lost[named.url] = str(error)
                    return None

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(*each)) for each in enumerate(wanted)]
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        made = zip(wanted, (task.result() for task in tasks), strict=True)
        return {named.url: path for named, path in made if path is not None}

    async def _check(self, task: str, source: str) -> None:
        """Raises ``BadUrl``."""
        scheme = scheme_of(source)
        if scheme == "tus":
            await self._upload(task, source)
        elif scheme not in SCHEMES:
            known = ", ".join(f"{each}://" for each in SCHEMES)
            raise BadUrl(f"can't read from {scheme[:20]}: (use {known}, or upload it)")
        elif scheme == "s3":
            read_object(read_remote(source))
        elif scheme in ("http", "https"):
            _web_url(source)
        else:
            read_remote(source)

    async def _fetch(self, task: str, named: Named, target: Path, tell: Tell) -> Path:
        subject = "the source" if named.where == "query.source" else f"{named.where}:"
        most = _MAX_SMALL if named.small else self._max_bytes
        try:
            await self._check(task, named.url)
            if scheme_of(named.url) == "tus":
                return await self._uploaded(task, named.url, most if named.small else 0, tell)
            landing = Landing(target, self._disk, max_bytes=most, reserve=self._reserve, tell=tell)
            async with landing:
                await persist(lambda: self._try(named.url, landing), landing, self._limits)
        except BadUrl as error:
            raise MediaError(f"{subject} {error}") from None
        except Unfetchable as error:
            raise MediaError(f"{subject} can't be downloaded: {error}") from error
        return target

    async def _try(self, source: str, landing: Landing) -> None:
        scheme = scheme_of(source)
        if scheme in ("http", "https"):
            await self._web.fetch(_web_url(source), landing)
        elif scheme == "s3":
            await self._bucket.fetch(read_remote(source), landing)
        elif scheme == "sftp":
            await self._sftp.fetch(read_remote(source), landing)
        else:
            await self._ftp.fetch(read_remote(source), landing)

    async def _upload(self, task: str, source: str) -> Path:
        path = await self._uploads.complete(task, source.partition(":")[2])
        if path is None:
            raise BadUrl(_NO_UPLOAD)
        return path

    async def _uploaded(self, task: str, source: str, most: int, tell: Tell) -> Path:
        path = await self._upload(task, source)
        size = (await self._disk.run(path.stat)).st_size
        if most and size > most:
            raise BadUrl(f"has more than the {most} bytes that are taken here")
        tell(size, size)
        return path


class _Board:
    """Adds up how far each of several files is."""

    def __init__(self, files: int, progress: Tell) -> None:
        self._done: list[int] = [0] * files
        self._totals: list[int | None] = [None] * files
        self._progress = progress

    def teller(self, place: int) -> Tell:
        """What the file at ``place`` tells."""

        def tell(done: int, total: int | None) -> None:
            self._done[place], self._totals[place] = done, total
            known = [each for each in self._totals if each is not None]
            whole = sum(known) if len(known) == len(self._totals) else None
            self._progress(sum(self._done), whole)

        return tell


def _parts(query: EncodeQuery, files: dict[str, Path]) -> tuple[SourceFile, ...]:
    if query.source is not None:
        return (SourceFile(files[query.source]),)
    return tuple(
        SourceFile(files[part.url], part.start_time or 0.0, part.duration)
        for part in query.stitch or ()
    )


def _web_url(source: str) -> URL:
    try:
        url = URL(source)
        if url.host and url.port:
            return url
    except ValueError:
        pass
    raise BadUrl("is not a URL: write https://host/path")


def _ending(named: Named) -> str:
    """The ending of a small file's name, where it is one of ours."""
    path = urlsplit(named.url).path if named.small else ""
    ending = PurePosixPath(path).suffix.lower()
    return ending if ending in _ENDINGS else ""


def _silent(done: int, total: int | None) -> None:
    """For who does not want to know."""
