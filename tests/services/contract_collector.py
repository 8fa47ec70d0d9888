"""What every ``Collector`` keeps to. Subclass, and say where outputs come from and go to."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Attempt, Item, Output
from orchestrator.model.ports import Collector
from orchestrator.model.states import State


def item_of(started_at: float = 0.0) -> Item:
    """An item whose attempt began then."""
    attempt = Attempt(1, "test", "", "", started_at=started_at)
    return Item(1, "key", State.COLLECTING, "/source.mp4", attempt=attempt)


def contents(outputs: Iterable[Output]) -> list[bytes]:
    """The bytes of collected outputs."""
    return [Path(output.path or "").read_bytes() for output in outputs]


class CollectorContract:
    """Fixtures to give: ``collector``, and ``offer``, which puts bytes where they can be got."""

    async def test_outputs_come_whole(
        self, collector: Collector, offer: Callable[[str, bytes], Output]
    ) -> None:
        counts: list[tuple[int, int | None]] = []
        outputs = [offer("a.mp4", b"a" * 3_000_000), offer("b.mp4", b"")]
        done = await collector.collect(item_of(), outputs, lambda *count: counts.append(count))
        assert contents(done) == [b"a" * 3_000_000, b""]
        assert [each.size for each in done] == [3_000_000, 0]
        assert counts[-1] == (3_000_000, 3_000_000)
        assert [done for done, _ in counts] == sorted(done for done, _ in counts)
        assert [replace(each, path=None) for each in done] == outputs

    async def test_again_it_fetches_nothing(
        self,
        collector: Collector,
        offer: Callable[[str, bytes], Output],
        fetched: Callable[[], int],
    ) -> None:
        outputs = [offer("a.mp4", b"a" * 100)]
        first = await collector.collect(item_of(), outputs, lambda *_: None)
        before = fetched()
        assert await collector.collect(item_of(), outputs, lambda *_: None) == first
        assert fetched() == before

    async def test_an_output_that_is_gone(
        self, collector: Collector, offer: Callable[[str, bytes], Output]
    ) -> None:
        gone = replace(offer("a.mp4", b"a"), url=offer("a.mp4", b"a").url + ".gone")
        with pytest.raises(OutputMissing):
            await collector.collect(item_of(), [gone], lambda *_: None)
