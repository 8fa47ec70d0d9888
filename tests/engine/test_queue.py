"""The queue before a stage."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.queue import StageQueue
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


def work(key: str, priority: int = 5) -> Work:
    return Work(Item(id=0, key=key, state=State.PENDING, source=f"/{key}", priority=priority))


async def taken(queue: StageQueue, count: int) -> list[str]:
    return [(await queue.get()).item.key for _ in range(count)]


async def test_gives_the_most_urgent_first_and_equals_in_order_of_arrival() -> None:
    queue = StageQueue(LoopClock())
    for key, priority in [("a", 5), ("b", 9), ("c", 5), ("d", 0), ("e", 9)]:
        queue.put(work(key, priority))
    assert await taken(queue, 5) == ["b", "e", "a", "c", "d"]


async def test_waits_for_work() -> None:
    queue = StageQueue(LoopClock())
    async with anyio.create_task_group() as tasks:

        async def late() -> None:
            await anyio.sleep(3)
            queue.put(work("late"))

        tasks.start_soon(late)
        assert (await queue.get()).item.key == "late"
    assert anyio.current_time() == pytest.approx(3)


async def test_delayed_work_does_not_block_what_is_ready() -> None:
    queue = StageQueue(LoopClock())
    queue.put(work("urgent", 10), delay=60)
    queue.put(work("plain", 1))
    assert await taken(queue, 2) == ["plain", "urgent"]
    assert anyio.current_time() == pytest.approx(60)


async def test_a_waiting_worker_notices_that_something_is_due_earlier() -> None:
    queue = StageQueue(LoopClock())
    queue.put(work("later"), delay=60)
    async with anyio.create_task_group() as tasks:

        async def sooner() -> None:
            await anyio.sleep(1)
            queue.put(work("sooner"), delay=5)

        tasks.start_soon(sooner)
        assert await taken(queue, 1) == ["sooner"]
    assert anyio.current_time() == pytest.approx(6)


async def test_every_piece_goes_to_one_of_many_workers() -> None:
    queue = StageQueue(LoopClock())
    got: list[str] = []

    async def worker() -> None:
        while True:
            piece = await queue.get()
            await anyio.sleep(1)
            got.append(piece.item.key)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(worker)
        await anyio.sleep(1)
        for number in range(8):
            queue.put(work(str(number)), delay=0.5 * (number % 2))
        await anyio.sleep(4)
        tasks.cancel_scope.cancel()
    assert sorted(got) == [str(number) for number in range(8)]


async def test_a_cancelled_worker_hands_its_call_on() -> None:
    queue = StageQueue(LoopClock())
    got: list[str] = []

    async def worker(scope: anyio.CancelScope) -> None:
        with scope:
            got.append((await queue.get()).item.key)

    first, second = anyio.CancelScope(), anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker, first)
        tasks.start_soon(worker, second)
        await anyio.sleep(1)
        queue.put(work("only"))  # wakes the first worker, which is cancelled at once
        first.cancel()
        await anyio.sleep(1)
        second.cancel()
    assert got == ["only"]


async def test_tells_when_it_has_become_short() -> None:
    queue = StageQueue(LoopClock())
    for number in range(3):
        queue.put(work(str(number)))
    async with anyio.create_task_group() as tasks:

        async def drain() -> None:
            for _ in range(2):
                await anyio.sleep(1)
                await queue.get()

        tasks.start_soon(drain)
        await queue.shorter_than(2)
        assert anyio.current_time() == pytest.approx(2)


@given(st.lists(st.tuples(st.integers(0, 10), st.sampled_from([0.0, 1.0, 2.0])), max_size=30))
def test_nothing_is_lost_and_ready_work_is_sorted(puts: list[tuple[int, float]]) -> None:
    now = 0.0

    class Stepped(LoopClock):
        def monotonic(self) -> float:
            return now

    async def scenario() -> None:
        nonlocal now
        queue = StageQueue(Stepped())
        for number, (priority, delay) in enumerate(puts):
            queue.put(work(str(number), priority), delay)
        seen: list[str] = []
        for now_ in (0.0, 1.0, 2.0):
            now = now_
            priorities = []
            while (queue._release_due() is None and queue._ready) or queue._ready:
                piece = await queue.get()
                priorities.append(piece.item.priority)
                seen.append(piece.item.key)
            assert priorities == sorted(priorities, reverse=True)
        assert sorted(seen, key=int) == [str(number) for number in range(len(puts))]

    anyio.run(scenario)
