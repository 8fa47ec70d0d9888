"""What commands run on."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from orchestrator.cli.loop import run_async


@pytest.fixture(autouse=True)
def _collector_as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


def test_it_gives_the_answer_from_the_faster_loop() -> None:
    async def loop() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run_async(loop) == "uvloop"


def test_a_crowd_of_items_is_not_searched_for_cycles_over_and_over() -> None:
    searches = 0

    def counted(phase: str, _info: dict[str, int]) -> None:
        nonlocal searches
        searches += phase == "start"

    async def crowd() -> int:
        before = searches
        items = [[number] for number in range(30_000)]
        assert len(items) == 30_000
        return searches - before

    gc.callbacks.append(counted)
    try:
        assert run_async(crowd) <= 1
    finally:
        gc.callbacks.remove(counted)
