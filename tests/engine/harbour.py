"""Several simulated services in one run, on a real ledger and a virtual clock."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.engine import Limits, Parts, Patience
from orchestrator.engine.allowance import Allowance
from orchestrator.engine.breaker import Bounds
from orchestrator.engine.closing import Hours
from orchestrator.engine.fleet import Berth, Fleet, Rules
from orchestrator.ledger import SqlLedger
from orchestrator.model.items import Item, Row
from orchestrator.model.money import Budget, Charge
from orchestrator.model.states import State
from tests.engine.house import LIMITS, PATIENCE
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


class Minutes:
    """Every output lasts a minute and costs nothing that is known."""

    def charges(self, item: Item, seconds: float | None) -> list[Charge]:
        return [Charge("mp4", 1.0, None)]


@dataclass
class Side:
    """One service, and what a run knows of it."""

    service: SimulatedService
    uploader: SimulatedUploader = field(default_factory=SimulatedUploader)
    weight: float = 1.0
    limits: Limits = LIMITS
    patience: Patience = PATIENCE
    can: Callable[[Item], bool] = lambda _: True


@dataclass
class Harbour:
    """Everything that outlives a run."""

    folder: Path
    rows: list[Row]
    sides: list[Side]
    seen: Recorder = field(default_factory=Recorder)
    collector: SimulatedCollector = field(default_factory=SimulatedCollector)
    sources: SimulatedSources = field(default_factory=SimulatedSources)
    bounds: Bounds = field(default_factory=lambda: Bounds(percent=100))
    budget: Budget = field(default_factory=Budget)

    @asynccontextmanager
    async def ledger(self, rows: Iterable[Row] | None = None) -> AsyncIterator[SqlLedger]:
        url = f"sqlite:///{self.folder}/job.db"
        async with SqlLedger(url, "job", clock=LoopClock(), inline=True) as ledger:
            await ledger.begin_run("all", "rows.csv", {})
            taken = await ledger.ingest(
                self.rows if rows is None else rows,
                PlainRecipe(),
                keep_going=False,
                retry=lambda error_class: error_class == "transient",
            )
            assert not taken.problems
            yield ledger

    def fleet(self, ledger: SqlLedger, **rules: Any) -> Fleet:
        berths = [
            Berth(self._parts(side, ledger), side.limits, side.patience, side.weight, side.can)
            for side in self.sides
        ]
        kept = Rules(Hours(), self.bounds, Allowance(self.budget, Minutes()), **rules)
        return Fleet(berths, kept, ledger, self.seen, LoopClock())

    def _parts(self, side: Side, ledger: SqlLedger) -> Parts:
        return Parts(
            service=side.service,
            uploader=side.uploader,
            sources=self.sources,
            collector=self.collector,
            recipe=PlainRecipe(),
            ledger=ledger,
            observer=self.seen,
            clock=LoopClock(),
            verifier=SimulatedVerifier(),
        )

    async def run(self, **rules: Any) -> Mapping[State, int]:
        async with self.ledger() as ledger:
            await self.fleet(ledger, **rules).run()
            return dict(await ledger.counts())

    # --- what the ledger says afterwards ---

    def where(self) -> dict[str, str]:
        """The service of each item's last attempt, by key."""
        query = (
            "SELECT i.key, a.service FROM items i"
            " JOIN attempts a ON a.item_id = i.id AND a.number = i.attempts"
        )
        return dict(self._ask(query))

    def shares(self) -> Counter[str]:
        return Counter(self.where().values())

    def notes(self, key: str) -> list[str]:
        query = (
            "SELECT e.note FROM events e JOIN items i ON i.id = e.item_id"
            f" WHERE i.key = '{key}' AND e.note != '' ORDER BY e.id"
        )
        return [note for (note,) in self._ask(query)]

    def all_notes(self) -> set[str]:
        return {note for (note,) in self._ask("SELECT note FROM events")}

    def starts(self) -> Counter[str]:
        """How often each source was started, over all services."""
        return sum((side.service.starts for side in self.sides), Counter())

    def _ask(self, query: str) -> list[Any]:
        with sqlite3.connect(self.folder / "job.db") as connection:
            return connection.execute(query).fetchall()
