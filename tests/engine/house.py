"""A whole engine around a simulated service and a real ledger, on a virtual clock."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.engine import Engine, Limits, Parts, Patience
from orchestrator.ledger import SqlLedger
from orchestrator.model.items import Row
from orchestrator.model.states import State
from tests.engine.simulated import (
    LoopClock,
    PlainRecipe,
    Recorder,
    SimulatedCollector,
    SimulatedService,
    SimulatedSources,
    SimulatedUploader,
    SimulatedVerifier,
)

LIMITS = Limits(uploads=2, starts=2, in_flight=8, collects=2, upload_ahead=4)
PATIENCE = Patience(attempts=3, first=1.0, cap=10.0, settle=6.0, poll_min=1.0, poll_max=10.0)


def row(number: int, *, remote: bool = False, **values: Any) -> Row:
    """A local file by default; its key is its source."""
    source = f"http://host/{number}.mp4" if remote else f"/videos/{number}.mp4"
    return Row(key=source, source=source, fingerprint="v1", line=number + 1, **values)


@dataclass
class House:
    """Everything that outlives a run: the service, the files, the ledger's file."""

    folder: Path
    rows: list[Row]
    service: SimulatedService = field(default_factory=SimulatedService)
    uploader: SimulatedUploader = field(default_factory=SimulatedUploader)
    collector: SimulatedCollector = field(default_factory=SimulatedCollector)
    verifier: SimulatedVerifier = field(default_factory=SimulatedVerifier)
    sources: SimulatedSources = field(default_factory=SimulatedSources)
    seen: Recorder = field(default_factory=Recorder)
    limits: Limits = LIMITS
    patience: Patience = PATIENCE

    @asynccontextmanager
    async def ledger(self, rows: Iterable[Row] | None = None) -> AsyncIterator[SqlLedger]:
        """The ledger, with the rows (by default all) taken in."""
        url = f"sqlite:///{self.folder}/job.db"
        async with SqlLedger(url, "job", clock=LoopClock(), inline=True) as ledger:
            await ledger.begin_run(self.service.name, "rows.csv", {})
            await self.take_in(ledger, self.rows if rows is None else rows)
            yield ledger

    async def take_in(
        self, ledger: SqlLedger, rows: Iterable[Row], *, following: bool = False
    ) -> None:
        """Take rows in, and once more while a run goes."""
        taken = await ledger.ingest(
            rows,
            PlainRecipe(),
            keep_going=False,
            retry=lambda error_class: error_class == "transient",
            following=following,
        )
        assert not taken.problems

    def engine(
        self, ledger: SqlLedger, at_most: int | None = None, *, follow: bool = False
    ) -> Engine:
        """An engine for one run."""
        parts = Parts(
            service=self.service,
            uploader=self.uploader,
            sources=self.sources,
            collector=self.collector,
            recipe=PlainRecipe(),
            ledger=ledger,
            observer=self.seen,
            clock=LoopClock(),
            verifier=self.verifier,
        )
        return Engine(parts, self.limits, self.patience, at_most=at_most, follow=follow)

    async def run(self, at_most: int | None = None) -> Mapping[State, int]:
        """One run to its end; the items by state after it."""
        async with self.ledger() as ledger:
            await self.engine(ledger, at_most).run()
            return dict(await ledger.counts())
