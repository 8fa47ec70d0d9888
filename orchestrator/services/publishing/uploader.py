"""Puts local sources into a folder that the service downloads from."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator.model.errors import AccountProblem, Transient, UploadGone
from orchestrator.model.items import Attempt
from orchestrator.model.ports import UploadWatcher
from orchestrator.query import Publish
from orchestrator.services.publishing.published import Published
from orchestrator.services.redact import redact
from orchestrator.services.source_file import SourceFile, open_source
from orchestrator.services.throttle import Throttle
from orchestrator.services.watchdog import Moved, watched
from orchestrator.storage import Passing, Refused, Resumable, Sending, Target
from orchestrator.storage.kinds import content_type

#: Bytes handed on at once, so the unit in which the throttle and the watchdog count.
_PIECE = 256 * 1024

#: S3's word for a multipart upload that was aborted, or has expired.
_GONE = "NoSuchUpload"


class PlaceUploader:
    """Publishes files in the folder ``target`` of a ``place``, as ``publish`` says.

    A file has the source's name and the attempt's mark, so that no two attempts
    ever write the same one. ``stall`` is in seconds. Bytes leave as ``throttle``
    lets them.
    """

    def __init__(
        self,
        place: Resumable,
        target: Target,
        publish: Publish,
        *,
        throttle: Throttle,
        stall: float = 60.0,
    ) -> None:
        self._place, self._target, self._publish = place, target, publish
        self._throttle, self._stall = throttle, stall

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        """See ``model.ports.Uploader``. Secrets in the answer stand as ``${env:NAME}``.

        Raises ``AccountProblem`` where the place takes nothing: it would take no
        other file either.
        """
        if attempt.task is None:
            raise ValueError(f"attempt {attempt.number} was not prepared for an upload")
        async with open_source(path) as source:
            with self._told_apart():
                if attempt.upload_url is None:
                    published, offset = Published.of(path, attempt.task), 0
                    sending = self._sending(published, source.size)
                    published = published._replace(handle=await self._place.begin(sending))
                    await watcher.created(published.record)
                else:
                    published = Published.read(attempt.upload_url)
                    offset = await self._found(self._sending(published, source.size))
                    watcher.sent(offset, source.size)
                await self._send(source, published, offset, watcher)
        return self._publish.remote(published.name)

    async def remove(self, record: str) -> None:
        """Take what ``upload`` called ``record`` out of the folder; it may be gone already."""
        with self._told_apart():
            await self._place.remove(self._sending(Published.read(record), 0))

    async def _send(
        self, source: SourceFile, published: Published, offset: int, watcher: UploadWatcher
    ) -> None:
        furthest = offset

        def moved(done: int) -> None:
            nonlocal furthest
            if done > furthest:
                furthest = done
                watcher.sent(done, source.size)

        sending = self._sending(published, source.size, moved)
        await self._append(source, sending, offset)
        await source.check_unchanged()
        await self._place.finish(sending)
        if source.size == 0:
            watcher.sent(0, 0)

    async def _append(self, source: SourceFile, sending: Sending, offset: int) -> None:
        """Send everything from ``offset`` on, again and again as long as that brings bytes."""
        whole = offset == source.size > 0
        while not whole:
            try:
                await self._stream(source, sending, offset)
                whole = True
            except Passing:
                there = await self._found(sending)
                if there <= offset:
                    raise
                offset, whole = there, there == source.size

    async def _stream(self, source: SourceFile, sending: Sending, offset: int) -> None:
        async with (
            watched(self._stall, self._shown) as moved,
            aclosing(self._blocks(source, offset, moved)) as blocks,
        ):
            await self._place.append(sending, offset, blocks)

    async def _blocks(
        self, source: SourceFile, offset: int, moved: Moved
    ) -> AsyncGenerator[bytes, None]:
        while offset < source.size:
            block = memoryview(await source.block(offset))
            while block:
                size = min(self._throttle.piece(_PIECE), len(block))
                if self._throttle.rate is not None:
                    moved(resting=True)
                    await self._throttle.take(size)
                moved(resting=not self._place.streams)
                yield bytes(block[:size])
                block, offset = block[size:], offset + size
        moved(resting=True)  # what is left to do has time limits of the place's own

    async def _found(self, sending: Sending) -> int:
        """How much of it is there. Raises ``UploadGone``."""
        there = await self._place.arrived(sending)
        if there is None:
            raise UploadGone(f"{self._shown}: nothing is there of {Path(sending.path).name}")
        return there

    def _sending(
        self, published: Published, size: int, moved: Callable[[int], None] | None = None
    ) -> Sending:
        path = self._target.file(published.name)
        sending = Sending(path, size, content_type(path), published.handle)
        return sending if moved is None else replace(sending, moved=moved)

    @property
    def _shown(self) -> str:
        return redact(self._target.url)

    @contextmanager
    def _told_apart(self) -> Iterator[None]:
        """Maps what storages raise to the families."""
        try:
            yield
        except Passing as error:
            raise Transient(f"can't publish at {self._shown}: {error}") from error
        except Refused as error:
            if error.code == _GONE:
                raise UploadGone(f"{self._shown}: the upload has expired") from error
            raise AccountProblem(f"can't publish at {self._shown}: {error}") from error
