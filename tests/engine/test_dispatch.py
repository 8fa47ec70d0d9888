"""Who takes which pending item: what the ledger is asked, and what waits in memory."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from orchestrator.engine.dispatch import PAGE, Dispatcher, Member
from orchestrator.engine.vacancy import Vacancy
from orchestrator.model.items import Item
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock

pytestmark = pytest.mark.looptime


def item(number: int, service: str = "") -> Item:
    fields = {"service": service} if service else {}
    return Item(number, f"k{number}", State.PENDING, "http://host/a.mp4", fields=fields)


@dataclass
class Books:
    """A ledger of pending items that counts what it is asked."""

    items: list[Item]
    asked: list[Collection[str]] = field(default_factory=list)
    due: float | None = None

    async def pending(
        self, limit: int, skip: Collection[int], without: Collection[str] = ()
    ) -> list[Item]:
        self.asked.append(without)
        left = (each for each in self.items if each.id not in skip)
        return [each for each in left if each.fields.get("service") not in without][:limit]

    async def next_due(self, after: float) -> float | None:
        return self.due if self.due is not None and self.due > after else None


@dataclass
class Worker:
    """An engine that says what it has room for, and keeps what it is given."""

    space: Vacancy
    fresh: set[int] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        return not self.fresh

    def vacancy(self) -> Vacancy:
        return self.space

    def look_again(self) -> None: ...

    def full(self, reason: str) -> None:
        self.ended.append(reason)

    async def give_back(
        self, reason: str, *, most: int | None = None, prepared: bool = False
    ) -> list[int]:
        gone, self.fresh = sorted(self.fresh), set()
        return gone


def dispatch(books: Books, *workers: Worker, at_most: int | None = None) -> Dispatcher:
    made = Dispatcher(books, LoopClock(), at_most=at_most, follow=False)  # type: ignore[arg-type]
    for name, worker in zip("abc", workers, strict=False):
        made.members[name] = Member(name, 1.0, lambda _: True, worker)
    return made


async def taken(dispatcher: Dispatcher, name: str) -> list[int]:
    got = [each.id for each in await dispatcher.pending(name)]
    dispatcher.members[name].engine.fresh.update(got)  # type: ignore[attr-defined]
    return got


async def test_no_more_is_handed_out_than_there_is_room_for() -> None:
    books = Books([item(number) for number in range(100)])
    both = dispatch(books, Worker(Vacancy(3, 9)), Worker(Vacancy(2, 9)))
    assert len(await taken(both, "a")) == 3
    assert len(await taken(both, "b")) == 2
    assert len(books.asked) == 1


async def test_rows_of_a_full_service_are_read_past() -> None:
    books = Books([*(item(n, "a") for n in range(5 * PAGE)), item(9999, "b"), item(10000)])
    both = dispatch(books, Worker(Vacancy(0, 0)), Worker(Vacancy(4, 4)))
    assert await taken(both, "b") == [9999, 10000]
    assert books.asked[-1] == {"a"}
    reads = len(books.asked)
    assert await taken(both, "b") == []
    assert len(books.asked) == reads  # there is nothing more for it, and nobody said otherwise


async def test_what_comes_back_goes_to_another() -> None:
    books = Books([item(number) for number in range(4)])
    busy, other = Worker(Vacancy(4, 4)), Worker(Vacancy(0, 0))
    both = dispatch(books, busy, other)
    assert len(await taken(both, "a")) == 4
    busy.space, other.space = Vacancy(0, 4, trouble="busy", again=60.0), Vacancy(4, 4)
    await both.relocate(both.members["a"], "busy")
    assert await taken(both, "a") == []
    assert await taken(both, "b") == [0, 1, 2, 3]
    assert both.reason(item(2)) == "b: a is busy"


async def test_one_item_is_tried_when_a_pause_is_over() -> None:
    books = Books([item(number) for number in range(4)])
    one = dispatch(books, Worker(Vacancy(4, 4, trouble="busy", again=0.0)))
    assert await taken(one, "a") == [0]


async def test_who_has_to_wait_is_told_for_how_long() -> None:
    books = Books([item(1)])
    one = dispatch(books, Worker(Vacancy(4, 4, trouble="busy", again=60.0)))
    assert await taken(one, "a") == []
    due = await one.next_due("a", 0.0)
    assert due == pytest.approx(LoopClock().now() + 60.0)


async def test_the_run_ends_when_all_have_nothing_left() -> None:
    books = Books([item(1), item(2, "gone")])
    workers = Worker(Vacancy(1, 1)), Worker(Vacancy(1, 1))
    both = dispatch(books, *workers)
    (got,) = (await taken(both, "a")) or (await taken(both, "b"))
    for name in "ab":
        await taken(both, name)
        await both.next_due(name, 0.0)
    assert not any(worker.ended for worker in workers)
    books.items.pop(0)
    for worker in workers:
        worker.fresh.discard(got)
    await both.next_due("a", 0.0)
    assert [worker.ended for worker in workers] == [[""], [""]]


async def test_what_became_due_while_all_were_busy_keeps_the_run_going() -> None:
    clock = LoopClock()
    books = Books([], due=clock.now() + 5)
    worker = Worker(Vacancy(4, 4))
    one = dispatch(books, worker)
    assert await taken(one, "a") == []  # the whole ledger is read, and something is due soon
    worker.space = Vacancy(4, 4, trouble="busy", again=60.0)
    await asyncio.sleep(10)
    books.items.append(item(1))
    assert await taken(one, "a") == []
    assert await one.next_due("a", clock.now()) == pytest.approx(clock.now() + 60)
    assert worker.ended == []
    worker.space = Vacancy(4, 4)
    assert await taken(one, "a") == [1]


async def test_at_most_so_many_are_begun_and_what_comes_back_is_not_one_of_them() -> None:
    books = Books([item(number) for number in range(9)])
    worker = Worker(Vacancy(5, 5))
    one = dispatch(books, worker, at_most=3)
    assert await taken(one, "a") == [0, 1, 2]
    assert await taken(one, "a") == []
    await one.relocate(one.members["a"], "full")
    assert len(await taken(one, "a")) == 3
