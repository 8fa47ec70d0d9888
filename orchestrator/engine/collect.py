"""The collect stage: from a finished encode to outputs that are where the job wants them."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine.disk import DiskGuard
from orchestrator.engine.journal import Journal
from orchestrator.engine.work import Work
from orchestrator.model.errors import VerificationFailed
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import Clock, Collector, Ledger, Observer, Verifier
from orchestrator.model.states import State


@dataclass(frozen=True, slots=True)
class CollectStage:
    """Takes work whose outputs are on record; leaves it completed.

    Without a ``verifier`` what was collected is taken as it is, without a ``disk``
    guard there is always room, and without ``cost`` nobody knows what it cost.
    """

    collector: Collector
    ledger: Ledger
    journal: Journal
    observer: Observer
    clock: Clock
    verifier: Verifier | None = None
    disk: DiskGuard | None = None
    cost: Callable[[Item], float | None] | None = None

    async def __call__(self, work: Work) -> None:
        """Fetch what is not there yet, verify it, then call the item completed."""
        attempt = work.item.attempt
        if attempt is None:
            raise ValueError(f"{work.item.key} has no attempt to collect")
        if work.outputs is None:
            work.outputs = await self.ledger.outputs(work.item)
        outputs = await self._fetch(work.item, work.outputs)
        notes = await self._verify(work, outputs)
        # Those that stay where the service put them are on record as they are.
        news = None if outputs == work.outputs else outputs
        work.item = await self.journal.move(
            work.item, self._completed(work.item, attempt), outputs=news, note="; ".join(notes)
        )

    async def _fetch(self, item: Item, reported: tuple[Output, ...]) -> tuple[Output, ...]:
        async def collect() -> tuple[Output, ...]:
            return await self.collector.collect(
                item, reported, lambda done, total: self.observer.got(item, done, total)
            )

        return await (self.disk.fetch(item, reported, collect) if self.disk else collect())

    async def _verify(self, work: Work, outputs: tuple[Output, ...]) -> tuple[str, ...]:
        if self.verifier is None:
            return ()
        try:
            return await self.verifier.verify(work.item, outputs)
        except VerificationFailed:
            # On record, so that a person can look at the files: failing writes no outputs.
            now = work.item.to(State.COLLECTING)
            work.item = self.journal.jot(work.item, now, outputs=outputs)
            raise

    def _completed(self, item: Item, attempt: Attempt) -> Item:
        return item.to(
            State.COMPLETED,
            attempt=attempt.but(
                ended_at=self.clock.now(),
                cost=self.cost(item) if self.cost else None,
            ),
            error_class=None,
            error=None,
        )
