"""The failure-rate breaker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from orchestrator.engine.breaker import Bounds, Breaker, counts
from orchestrator.engine.valve import Valve
from orchestrator.model.errors import TooManyFailures
from orchestrator.model.items import Item
from orchestrator.model.states import State

pytestmark = pytest.mark.looptime


class Ward:
    """A breaker and items that pass its valve, one after the other."""

    def __init__(self, **bounds: float) -> None:
        self.valve = Valve()
        self.notes: list[str] = []
        self.breaker = Breaker(Bounds(**bounds), self.valve, self.notes.append)
        self.stopped: TooManyFailures | None = None
        self._next = 0

    def begin(self) -> int:
        self._next += 1
        item = Item(self._next, f"key {self._next}", State.STARTING, None)
        self.breaker.moved(item, State.UPLOADED)
        return self._next

    def end(self, number: int, error_class: str = "", state: State | None = None) -> None:
        state = state or (State.FAILED if error_class else State.COMPLETED)
        item = Item(number, f"key {number}", state, None, error_class=error_class or None)
        self.breaker.moved(item, State.ENCODING)

    def items(self, *error_classes: str) -> None:
        for error_class in error_classes:
            self.end(self.begin(), error_class)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        async def run() -> None:
            try:
                await self.breaker.run()
            except TooManyFailures as error:
                self.stopped = error

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await anyio.sleep(0.001)
            yield
            tasks.cancel_scope.cancel()


@pytest.fixture
def ward() -> Ward:
    return Ward(percent=50, of_last=10, pause=60, probes=3)


BAD = "encode_failed"


async def passes(valve: Valve, within: float = 1.0) -> bool:
    with anyio.move_on_after(within) as scope:
        await valve.passed()
    return not scope.cancelled_caught


async def test_half_of_the_last_is_not_too_many(ward: Ward) -> None:
    async with ward.watched():
        ward.items(*([BAD, ""] * 20))
        await anyio.sleep(100)
        assert ward.valve.reasons == ()
        assert ward.notes == []


async def test_more_than_the_percentage_shuts_the_valve_at_once(ward: Ward) -> None:
    ward.items("", "", *[BAD] * 5)
    assert ward.valve.reasons == ()
    ward.items("unreachable")
    assert ward.valve.reasons == ("too many failures: 6 of the last 8 items",)


async def test_old_failures_are_forgotten(ward: Ward) -> None:
    ward.items(*[BAD] * 5, *[""] * 10, *[BAD] * 5)
    assert ward.valve.reasons == ()


@pytest.mark.parametrize("error_class", ["bad_input", "source_missing", "source_changed"])
async def test_failures_of_single_sources_do_not_count(ward: Ward, error_class: str) -> None:
    assert not counts(error_class)
    ward.items(*[error_class] * 50)
    assert ward.valve.reasons == ()


@pytest.mark.parametrize(
    "error_class", [BAD, "bad_request", "unreachable", "disk_full", "internal"]
)
def test_other_failures_count(error_class: str) -> None:
    assert counts(error_class)


async def test_what_was_cancelled_or_put_back_does_not_count(ward: Ward) -> None:
    for state in (State.CANCELLED, State.PENDING):
        for _ in range(20):
            ward.end(ward.begin(), state=state)
    assert ward.valve.reasons == ()


async def test_a_good_probe_opens_it_again_with_a_clean_slate(ward: Ward) -> None:
    async with ward.watched():
        ward.items(*[BAD] * 6)
        assert not await passes(ward.valve, 59)
        assert await passes(ward.valve, 2)
        assert not await passes(ward.valve, 1000)  # one alone
        ward.items("")
        await anyio.sleep(1)
        assert ward.valve.reasons == ()
        ward.items(*[BAD] * 5)
        assert ward.valve.reasons == ()
        assert "6 of the last 6" in ward.notes[0]
        assert "6 encode_failed" in ward.notes[0]


async def test_bad_probes_wait_longer_each_time_and_end_the_run(ward: Ward) -> None:
    async with ward.watched():
        ward.items(*[BAD] * 6)
        for pause in (60, 120, 240):
            assert not await passes(ward.valve, pause - 5)
            assert await passes(ward.valve, 10)
            ward.items(BAD)
        await anyio.sleep(1)
        assert ward.stopped is not None
        assert "6 of the last 6 items failed" in str(ward.stopped)
        assert ward.valve.reasons  # nothing begins while the run ends


async def test_what_was_begun_before_is_no_probe(ward: Ward) -> None:
    before = [ward.begin() for _ in range(4)]
    async with ward.watched():
        ward.items(*[BAD] * 6)
        await anyio.sleep(61)
        for number, error_class in zip(before, ["", BAD, "", BAD], strict=True):
            ward.end(number, error_class)
        await anyio.sleep(1)
        assert ward.valve.reasons
        assert len(ward.notes) == 1
        ward.items("")
        await anyio.sleep(1)
        assert ward.valve.reasons == ()


async def test_a_probe_that_tells_nothing_is_followed_by_another(ward: Ward) -> None:
    async with ward.watched():
        ward.items(*[BAD] * 6)
        await anyio.sleep(61)
        for _ in range(5):
            assert await passes(ward.valve)
            ward.items("source_missing")
            await anyio.sleep(0.1)
        assert await passes(ward.valve)
        ward.items("")
        await anyio.sleep(0.1)
        assert ward.valve.reasons == ()


async def test_another_reason_keeps_the_valve_shut(ward: Ward) -> None:
    async with ward.watched():
        ward.valve.shut("paused")
        ward.items(*[BAD] * 6)
        await anyio.sleep(61)
        ward.items("")
        await anyio.sleep(1)
        assert ward.valve.reasons == ("paused",)


async def test_at_a_hundred_percent_it_never_acts() -> None:
    ward = Ward(percent=100, of_last=5)
    ward.items(*[BAD] * 1000)
    assert ward.valve.reasons == ()
