"""Takes published sources away once nobody needs them any more.

For an item that is completed that is a part of collecting, before the item
counts as completed: a crash in between repeats it. For one that failed it is
done beside the run, as well as can be.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from orchestrator.model.errors import OrchestratorError
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Collector, Observer, Phase
from orchestrator.model.states import IN_FLIGHT, State

#: Seconds that removals under way may take at the end of a run.
_GOODBYE = 10.0


class Removes(Protocol):
    """Can take away what it published."""

    async def remove(self, record: str) -> None:
        """``record`` is what the ledger has as the upload's URL."""


class RemovingCollector:
    """Collects with ``inner``; then the source goes."""

    def __init__(self, inner: Collector, place: Removes, note: Callable[[str], None]) -> None:
        self._inner, self._place, self._note = inner, place, note

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """See ``model.ports.Collector``. A source that can't be removed fails no item."""
        collected = await self._inner.collect(item, outputs, got)
        if item.attempt is not None and item.attempt.upload_url is not None:
            await _removed(self._place, item.key, item.attempt.upload_url, self._note)
        return collected


class Remover:
    """Hears of attempts that are over, and removes what was left of their uploads.

    Half an upload goes whenever its attempt is given up. A source that is ``whole``
    goes, where that is wanted, once its item has failed or begins anew.
    ``aclose`` is to be called when the run has ended.
    """

    def __init__(self, place: Removes, note: Callable[[str], None], *, whole: bool) -> None:
        self._place, self._note, self._whole = place, note, whole
        self._under_way: set[asyncio.Task[None]] = set()

    def moved(self, item: Item, was: State) -> None:
        """A step of an item is on disk. Returns at once."""
        record = item.attempt.upload_url if item.attempt else None
        if record is None or not self._over(item, was):
            return
        task = asyncio.create_task(_removed(self._place, item.key, record, self._note))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _over(self, item: Item, was: State) -> bool:
        if was is State.UPLOADING:
            return item.state in (State.FAILED, State.PENDING, State.CANCELLED)
        given_up = item.state is State.FAILED or (item.state is State.PENDING and was in IN_FLIGHT)
        return self._whole and given_up

    async def aclose(self) -> None:
        """Wait for what is under way, for a while."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=_GOODBYE)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


class RemovingObserver:
    """Passes everything on to ``inner``; ``remover`` hears of the steps too."""

    def __init__(self, inner: Observer, remover: Remover) -> None:
        self._inner, self._remover = inner, remover

    def moved(self, item: Item, was: State) -> None:
        """See ``model.ports.Observer``."""
        self._remover.moved(item, was)
        self._inner.moved(item, was)

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``model.ports.Observer``."""
        self._inner.sent(item, done, total)

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``model.ports.Observer``."""
        self._inner.percent(item, phase, percent)

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``model.ports.Observer``."""
        self._inner.got(item, done, total)

    def note(self, message: str) -> None:
        """See ``model.ports.Observer``."""
        self._inner.note(message)


async def _removed(place: Removes, key: str, record: str, note: Callable[[str], None]) -> None:
    try:
        await place.remove(record)
    except OrchestratorError as error:
        note(f"{key}: its published source is still there: {error}")
