"""The upload stage: from pending to a source that the service can read."""

from dataclasses import dataclass
from pathlib import Path

import anyio.lowlevel

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.work import Work
from orchestrator.model.errors import SourceChanged, UploadGone
from orchestrator.model.items import Attempt, Item
from orchestrator.model.ports import Clock, Observer, Service, Sources, Uploader
from orchestrator.model.states import State


@dataclass(frozen=True, slots=True)
class UploadStage:
    """Takes work that is pending, or whose upload was broken off; leaves it uploaded."""

    service: Service
    uploader: Uploader
    sources: Sources
    gate: AdmissionGate
    journal: Journal
    observer: Observer
    clock: Clock

    async def __call__(self, work: Work) -> None:
        """Make the source readable for the service."""
        if work.item.is_local:
            await self._upload(work, await self._look(work.item))
        else:
            await self._begin_remote(work)

    async def _look(self, item: Item) -> str:
        if item.source is None:
            raise ValueError(f"{item.key} has no local source")
        return await self.sources.fingerprint(item.source)

    async def _begin_remote(self, work: Work) -> None:
        """A remote source needs no upload: the task alone."""
        item = work.item
        attempt = await self._prepare(work, item.fingerprint)
        attempt = attempt.but(remote_source=item.source)
        now = item.to(State.UPLOADED, attempts=attempt.number, attempt=attempt)
        work.item = self.journal.jot(item, now)

    async def _upload(self, work: Work, fingerprint: str) -> None:
        item = work.item
        if item.state is State.PENDING:
            attempt = await self._prepare(work, fingerprint)
            now = item.to(
                State.UPLOADING,
                attempts=attempt.number,
                attempt=attempt,
                fingerprint=fingerprint,
            )
            work.item = await self.journal.move(item, now)
        elif item.attempt is not None and item.attempt.fingerprint != fingerprint:
            raise SourceChanged(f"{item.source} was changed since its upload began")
        await self._send(work)

    async def _send(self, work: Work) -> None:
        item = work.item
        if item.source is None or item.attempt is None:
            raise ValueError(f"{item.key} has nothing to upload")
        watcher = _Watcher(work, self.journal, self.observer)
        try:
            remote = await self.uploader.upload(Path(item.source), item.attempt, watcher)
        except UploadGone:
            # The task is as good as ever; only this upload has to begin again.
            now = work.item.noting(State.UPLOADING, upload_url=None)
            work.item = await self.journal.move(work.item, now, note="the upload was gone")
            raise
        now = work.item.noting(State.UPLOADED, remote_source=remote)
        work.item = await self.journal.move(work.item, now)

    async def _prepare(self, work: Work, fingerprint: str) -> Attempt:
        item = work.item
        attempt = Attempt(
            number=item.attempts + 1,
            service=self.service.name,
            fingerprint=fingerprint,
            digest=item.digest,
            started_at=self.clock.now(),
        )
        work.asking = True
        try:
            prepared = await self.gate.call(lambda: self.service.prepare(attempt))
            if work.dropped:  # while the answer was arriving
                await anyio.lowlevel.checkpoint_if_cancelled()
        finally:
            work.asking = False
        return prepared


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Writes the upload's URL down and passes its progress on."""

    work: Work
    journal: Journal
    observer: Observer

    async def created(self, upload_url: str) -> None:
        item = self.work.item
        self.work.item = await self.journal.move(
            item, item.noting(State.UPLOADING, upload_url=upload_url)
        )

    def sent(self, offset: int, total: int) -> None:
        self.observer.sent(self.work.item, offset, total)
