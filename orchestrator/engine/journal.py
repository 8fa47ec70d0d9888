"""Writes the steps of items down, and tells who watches."""

from orchestrator.model.items import Change, Item, Output
from orchestrator.model.ports import Ledger, Observer


class Journal:
    """The stages' one way to the ledger: durable first, then told.

    A change is the ledger's from the moment it is posted: cancelling who waits for
    it does not take it back, so what has happened at a service is written down even
    while the run is being cancelled.
    """

    def __init__(self, ledger: Ledger, observer: Observer) -> None:
        self._ledger = ledger
        self._observer = observer

    async def move(
        self,
        item: Item,
        now: Item,
        outputs: tuple[Output, ...] | None = None,
        note: str = "",
    ) -> Item:
        """Record that ``item`` is now ``now``; returns when that is on disk."""
        await self._ledger.post(Change(now, item.state, outputs, note, item))
        self._observer.moved(now, item.state)
        return now

    def jot(
        self,
        item: Item,
        now: Item,
        outputs: tuple[Output, ...] | None = None,
        note: str = "",
    ) -> Item:
        """Record without waiting: for a step that a later ``move`` covers.

        Changes reach the disk in order, so once the later one is durable this
        one is too, and if this one fails so does the later one.
        """
        self._ledger.post(Change(now, item.state, outputs, note, item))
        self._observer.moved(now, item.state)
        return now
