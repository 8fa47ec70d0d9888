"""The collect stage: from a finished encode to outputs that are where the job wants them."""

from dataclasses import dataclass, replace

from orchestrator.engine.journal import Journal
from orchestrator.engine.work import Work
from orchestrator.model.ports import Clock, Collector, Ledger, Observer
from orchestrator.model.states import State


@dataclass(frozen=True, slots=True)
class CollectStage:
    """Takes work whose outputs are on record; leaves it completed."""

    collector: Collector
    ledger: Ledger
    journal: Journal
    observer: Observer
    clock: Clock

    async def __call__(self, work: Work) -> None:
        """Fetch what is not there yet, then call the item completed."""
        item = work.item
        if item.attempt is None:
            raise ValueError(f"{item.key} has no attempt to collect")
        if work.outputs is None:
            work.outputs = await self.ledger.outputs(item)
        outputs = await self.collector.collect(
            item, work.outputs, lambda done, total: self.observer.got(item, done, total)
        )
        now = item.to(
            State.COMPLETED,
            attempt=replace(item.attempt, ended_at=self.clock.now()),
            error_class=None,
            error=None,
        )
        work.item = await self.journal.move(item, now, outputs=outputs)
