"""The queue before a stage."""

import itertools
from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.queue import StageQueue
from orchestrator.engine.work import Work
from orchestrator.model import turns
from orchestrator.model.items import Item
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


_ids = itertools.count(1)


def work(key: str, priority: int = 5, weight: int = 0, came_in: float = 0.0) -> Work:
    return Work(
        Item(
            id=next(_ids),
            key=key,
            state=State.PENDING,
            source=f"/{key}",
            priority=priority,
            rank=turns.rank(came_in, priority),
            weight=weight,
        )
    )


def moved(piece: Work, priority: int, weight: int = 0) -> dict[int, Item]:
    rank = turns.rank(0.0, priority)
    return {piece.item.id: replace(piece.item, priority=priority, rank=rank, weight=weight)}


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


async def test_the_longest_of_a_rank_goes_first_and_who_waited_long_before_a_newcomer() -> None:
    queue = StageQueue(LoopClock())
    queue.put(work("short", weight=1))
    queue.put(work("long", weight=9))
    queue.put(work("a day later, more urgent", 6, came_in=turns.AGEING + 1))
    assert await taken(queue, 3) == ["long", "short", "a day later, more urgent"]


async def test_reordered_work_overtakes_and_equals_keep_their_arrival() -> None:
    queue = StageQueue(LoopClock())
    works = {key: work(key) for key in "abcd"}
    for piece in works.values():
        queue.put(piece)
    queue.reorder(moved(works["d"], 9) | moved(works["c"], 9) | moved(work("elsewhere"), 9))
    assert works["d"].item.priority == 9
    assert queue.best() == (turns.rank(0.0, 9), 0)
    assert len(queue) == 4
    assert await taken(queue, 4) == ["c", "d", "a", "b"]


async def test_reordered_work_that_is_not_due_stays_so() -> None:
    queue = StageQueue(LoopClock())
    late = work("late")
    queue.put(late, delay=60)
    queue.put(work("now"))
    queue.reorder(moved(late, 10))
    assert await taken(queue, 2) == ["now", "late"]
    assert anyio.current_time() == pytest.approx(60)


async def test_removed_work_is_gone_and_may_come_back() -> None:
    queue = StageQueue(LoopClock())
    ready, late = work("ready"), work("late")
    queue.put(ready)
    queue.put(late, delay=5)
    assert queue.remove(ready.item.id)
    assert queue.remove(late.item.id)
    assert not queue.remove(late.item.id)
    assert len(queue) == 0
    assert queue.best() is None
    queue.put(ready)
    assert await taken(queue, 1) == ["ready"]


async def test_entries_that_no_longer_count_do_not_pile_up() -> None:
    queue = StageQueue(LoopClock())
    queue.put(work("stays", 10))
    for number in range(1000):
        piece = work(str(number))
        queue.put(piece, delay=60.0 * (number % 2))
        queue.remove(piece.item.id)
    assert len(queue._ready) + len(queue._delayed) < 100
    assert len(queue) == 1


#: What happens to a queue: (what, which piece, priority, weight, delay).
happenings = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "get", "reorder", "remove", "later"]),
        st.integers(0, 9),
        st.integers(0, 10),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.0, 1.0, 2.0]),
    ),
    max_size=80,
)


@given(happenings)
def test_it_does_what_a_sorted_list_would(happened: list[tuple[str, int, int, int, float]]) -> None:
    now = 0.0

    class Stepped(LoopClock):
        def monotonic(self) -> float:
            return now

    async def scenario() -> None:
        nonlocal now
        queue, numbers = StageQueue(Stepped()), itertools.count()
        model: dict[int, tuple[float, int, Work]] = {}  # due, arrival, work
        for what, which, priority, weight, delay in happened:
            if what == "later":
                now += 1.0
                for key, (due, _, piece) in sorted(model.items(), key=lambda pair: pair[1][:2]):
                    if now - 1.0 < due <= now:
                        model[key] = (due, next(numbers), piece)
            elif what == "put" and which not in model:
                piece = work(str(which), priority, weight)
                piece.item = replace(piece.item, id=which)
                queue.put(piece, delay)
                model[which] = (now + delay, next(numbers), piece)
            elif what == "reorder":
                if which in model:
                    queue.reorder(moved(model[which][2], priority, weight))
            elif what == "remove":
                assert queue.remove(which) is (model.pop(which, None) is not None)
            ready = sorted(
                ((p.item.rank, -p.item.weight, arrival, key) for key, (due, arrival, p) in
                 model.items() if due <= now)
            )  # fmt: skip
            assert len(queue) == len(model)
            assert queue.best() == (ready[0][:2] if ready else None)
            if what == "get" and ready:
                assert await queue.get() is model.pop(ready[0][3])[2]

    anyio.run(scenario)
