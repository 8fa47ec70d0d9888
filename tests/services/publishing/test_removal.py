"""When published sources go, and what happens where one can't."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator.model.errors import Transient
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.states import State
from orchestrator.services.publishing import Remover, RemovingCollector


class Place:
    """Notes what was removed; ``broken`` can't, ``slow`` waits for a word."""

    def __init__(self, *, broken: bool = False) -> None:
        self.removed: list[str] = []
        self._broken = broken
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def remove(self, record: str) -> None:
        await self.may_go.wait()
        if self._broken:
            raise Transient("the connection failed")
        self.removed.append(record)


class Inner:
    """Collects nothing."""

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        return tuple(outputs)


def item_in(state: State, record: str | None = "film-0.mov") -> Item:
    attempt = Attempt(1, "edge", "", "", upload_url=record)
    return Item(1, "film", state, "/film.mov", attempt=attempt)


async def test_a_source_goes_with_the_collecting() -> None:
    place, notes = Place(), []
    collector = RemovingCollector(Inner(), place, notes.append)
    output = Output("video-0-0", "video", "ftp://h/a.mp4")
    item = item_in(State.COLLECTING)
    assert await collector.collect(item, [output], lambda *_: None) == (output,)
    assert place.removed == ["film-0.mov"]
    await collector.collect(item_in(State.COLLECTING, None), [output], lambda *_: None)
    assert place.removed == ["film-0.mov"]


async def test_one_that_can_not_be_removed_fails_nothing() -> None:
    notes: list[str] = []
    collector = RemovingCollector(Inner(), Place(broken=True), notes.append)
    await collector.collect(item_in(State.COLLECTING), [], lambda *_: None)
    assert notes == ["film: its published source is still there: the connection failed"]


async def test_failed_items_and_attempts_that_are_given_up() -> None:
    place = Place()
    remover = Remover(place, lambda _: None, whole=True)
    remover.moved(item_in(State.FAILED, "a"), State.STARTING)
    remover.moved(item_in(State.PENDING, "b"), State.ENCODING)
    remover.moved(item_in(State.PENDING, "c"), State.UPLOADED)  # to another service
    remover.moved(item_in(State.FAILED, None), State.PENDING)
    for state, was in (
        (State.COMPLETED, State.COLLECTING),  # the collector's affair
        (State.CANCELLED, State.ENCODING),  # the service may read it still
        (State.PENDING, State.FAILED),
        (State.UPLOADED, State.UPLOADING),
    ):
        remover.moved(item_in(state, "kept"), was)
    await remover.aclose()
    assert sorted(place.removed) == ["a", "b", "c"]


async def test_half_an_upload_goes_whoever_wants_to_keep_whole_ones() -> None:
    place = Place()
    remover = Remover(place, lambda _: None, whole=False)
    for state in (State.FAILED, State.PENDING, State.CANCELLED, State.UPLOADED, State.UPLOADING):
        remover.moved(item_in(state, state.value), State.UPLOADING)
    remover.moved(item_in(State.FAILED, "whole"), State.ENCODING)
    await remover.aclose()
    assert sorted(place.removed) == ["cancelled", "failed", "pending"]


async def test_the_end_of_the_run_waits_for_a_while_only(monkeypatch) -> None:
    from orchestrator.services.publishing import removal

    monkeypatch.setattr(removal, "_GOODBYE", 0.01)
    place = Place()
    place.may_go.clear()
    remover = Remover(place, lambda _: None, whole=True)
    remover.moved(item_in(State.FAILED), State.STARTING)
    await remover.aclose()
    assert place.removed == []
