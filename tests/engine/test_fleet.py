"""Several services in one run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from orchestrator.engine.breaker import Bounds
from orchestrator.model.errors import AccountProblem, Busy, EncodeFailed, TaskLost, Unreachable
from orchestrator.model.items import Row
from orchestrator.model.money import Budget
from orchestrator.model.states import State
from tests.engine.harbour import Harbour, Side
from tests.engine.house import LIMITS, PATIENCE, row
from tests.engine.simulated import PlainRecipe, SimulatedService

pytestmark = pytest.mark.looptime


@pytest.fixture
def harbour(tmp_path: Path) -> Callable[..., Harbour]:
    def make(count: int = 20, *names: str, remote: bool = True) -> Harbour:
        rows = [row(number, remote=remote) for number in range(count)]
        sides = [Side(SimulatedService(name)) for name in names or ("a", "b")]
        return Harbour(tmp_path, rows, sides)

    return make


def named(number: int, service: str) -> Row:
    return row(number, remote=True, fields={"service": service})


async def test_services_with_room_share_by_weight(harbour: Callable[..., Harbour]) -> None:
    place = harbour(40)
    place.sides[0].weight = 3.0
    for side in place.sides:
        side.limits = replace(LIMITS, in_flight=100, uploads=40, upload_ahead=40)
    assert await place.run() == {State.COMPLETED: 40}
    assert place.shares() == {"a": 30, "b": 10}
    assert set(place.starts().values()) == {1}
    assert "a: its turn" in place.all_notes()


async def test_one_service_without_weight_gets_what_the_others_have_no_room_for(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(30)
    place.sides[1].weight = 0.0
    assert await place.run() == {State.COMPLETED: 30}
    assert place.shares()["b"] > 0
    assert "b: a is full" in place.all_notes()


async def test_one_without_weight_gets_nothing_while_another_has_a_place(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(8)
    place.sides[1].weight = 0.0
    assert await place.run() == {State.COMPLETED: 8}
    assert place.shares() == {"a": 8}


async def test_a_busy_service_sheds_load(harbour: Callable[..., Harbour]) -> None:
    place = harbour(60)
    place.sides[0].service.trouble.plan("start", Busy("later", 3600.0))
    assert await place.run() == {State.COMPLETED: 60}
    assert place.shares()["b"] >= 50
    assert set(place.starts().values()) == {1}
    assert "b: a is busy" in place.all_notes()


async def test_a_busy_service_is_used_again_when_its_pause_is_over(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(100)
    place.sides[0].service.trouble.plan("prepare", Busy("later", 60.0))
    assert await place.run() == {State.COMPLETED: 100}
    assert place.shares()["a"] >= 15
    assert set(place.starts().values()) == {1}


async def test_all_busy_is_waited_for(harbour: Callable[..., Harbour]) -> None:
    place = harbour(10)
    for side in place.sides:
        side.service.trouble.plan("prepare", Busy("later", 60.0), times=2)
    assert await place.run() == {State.COMPLETED: 10}
    assert set(place.starts().values()) == {1}


@pytest.mark.parametrize("remote", [True, False])
async def test_a_suspended_service_ends_alone(
    harbour: Callable[..., Harbour], *, remote: bool
) -> None:
    place = harbour(60, remote=remote)
    service = place.sides[0].service

    async with place.ledger() as ledger, anyio.create_task_group() as tasks:
        fleet = place.fleet(ledger)

        async def suspend() -> None:
            await anyio.sleep(20)
            for call in ("prepare", "start"):
                service.trouble.plan(call, AccountProblem("the account is suspended"), times=99)

        tasks.start_soon(suspend)
        await fleet.run()
        counts = dict(await ledger.counts())
    assert list(fleet.lost) == ["a"]
    left = counts.get(State.ENCODING, 0) + counts.get(State.COLLECTING, 0)
    assert counts[State.COMPLETED] + left == 60
    assert left <= LIMITS.in_flight
    assert max(place.starts().values()) == 1
    assert "b: a is suspended" in place.all_notes()


async def test_if_all_are_suspended_the_run_ends_so(harbour: Callable[..., Harbour]) -> None:
    place = harbour(10)
    for side in place.sides:
        side.service.trouble.plan("prepare", AccountProblem("suspended"), times=99)
    with pytest.raises(AccountProblem):
        await place.run()
    assert not place.starts()


async def test_an_unreachable_service_is_back_later(harbour: Callable[..., Harbour]) -> None:
    place = harbour(200)
    place.sides[0].service.trouble.plan("prepare", Unreachable("no route"), times=5)
    assert await place.run() == {State.COMPLETED: 200}
    assert place.shares()["a"] > 20
    assert "b: a is unreachable" in place.all_notes()
    assert set(place.starts().values()) == {1}


async def test_one_that_stays_away_ends_alone(harbour: Callable[..., Harbour]) -> None:
    place = harbour(30)
    place.sides[0].patience = replace(PATIENCE, unreachable_for=20.0)
    place.sides[0].service.trouble.plan("prepare", Unreachable("no route"), times=9999)
    assert await place.run() == {State.COMPLETED: 30}
    assert place.shares() == {"b": 30}


async def test_a_row_keeps_its_own_service_though_it_is_busy(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour()
    place.rows = [named(n, "a") if n % 2 else row(n, remote=True) for n in range(40)]
    place.sides[0].service.trouble.plan("prepare", Busy("later", 600.0))
    assert await place.run() == {State.COMPLETED: 40}
    where = place.where()
    assert {where[each.key] for each in place.rows if each.fields} == {"a"}
    assert place.notes(place.rows[1].key)[-1] == "a: named by its row"
    assert set(place.starts().values()) == {1}


async def test_rows_of_a_slow_service_keep_nobody_waiting(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour()
    place.rows = [named(n, "a") for n in range(700)] + [named(n, "b") for n in range(700, 720)]
    place.sides[0].limits = replace(LIMITS, in_flight=2)
    began = anyio.current_time()
    ended: list[float] = []
    async with place.ledger() as ledger, anyio.create_task_group() as tasks:
        fleet = place.fleet(ledger)
        tasks.start_soon(fleet.run)
        while len(ended) < 1:
            await anyio.sleep(1)
            if len(place.sides[1].service.order) == 20:
                ended.append(anyio.current_time() - began)
        fleet.drain()
    assert ended[0] < 120


async def test_what_only_one_service_can_do_goes_there(harbour: Callable[..., Harbour]) -> None:
    place = harbour(20)
    place.sides[1].can = lambda item: item.id % 2 == 0
    place.sides[0].can = lambda item: item.id % 2 == 1
    assert await place.run() == {State.COMPLETED: 20}
    assert place.shares() == {"a": 10, "b": 10}
    assert "a: no other service can do it" in place.all_notes()


async def test_what_was_lost_at_one_service_is_tried_at_another(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(4)
    place.sides[0].service.faults = {row.key: TaskLost("gone") for row in place.rows}
    assert await place.run() == {State.COMPLETED: 4}
    assert place.shares() == {"b": 4}
    assert "b: it failed at a" in place.all_notes()


async def test_a_failing_service_sheds_load_and_is_tried_again(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(60)
    place.bounds = Bounds(percent=50, of_last=4, pause=60.0, probes=3)
    place.sides[0].service.faults = {row.key: EncodeFailed("no") for row in place.rows[:12]}
    counts = await place.run()
    assert counts[State.FAILED] <= 12
    assert counts[State.COMPLETED] + counts[State.FAILED] == 60
    assert "b: a is failing" in place.all_notes()
    assert any("a: The item that was tried is done" in note for note in place.seen.notes)


async def test_the_budget_is_one_for_all(harbour: Callable[..., Harbour]) -> None:
    place = harbour(40)
    place.budget = Budget(max_items=11)
    counts = await place.run()
    assert counts == {State.COMPLETED: 11, State.PENDING: 29}


async def test_at_most_bounds_all_together(harbour: Callable[..., Harbour]) -> None:
    place = harbour(40)
    assert await place.run(at_most=7) == {State.COMPLETED: 7, State.PENDING: 33}


async def test_an_idle_service_takes_over_what_waits_at_another(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(12, remote=False)
    place.sides[0].uploader._seconds = 1000.0
    assert await place.run() == {State.COMPLETED: 12}
    assert place.shares()["a"] == 2  # one for each of its uploads
    assert set(place.starts().values()) == {1}


async def test_a_drained_fleet_goes_on_where_it_was(harbour: Callable[..., Harbour]) -> None:
    place = harbour(40, remote=False)
    for stop in (3.0, 17.0, 33.3, 51.7):
        async with place.ledger() as ledger, anyio.create_task_group() as tasks:
            fleet = place.fleet(ledger)
            tasks.start_soon(fleet.run)
            await anyio.sleep(stop)
            fleet.drain()
    assert await place.run() == {State.COMPLETED: 40}
    assert set(place.starts().values()) == {1}


async def test_what_is_in_flight_at_a_service_that_is_not_of_the_run_stays(
    harbour: Callable[..., Harbour],
) -> None:
    place = harbour(10, "a", "b", "c")
    async with place.ledger() as ledger, anyio.create_task_group() as tasks:
        fleet = place.fleet(ledger)
        tasks.start_soon(fleet.run)
        await anyio.sleep(15)
        fleet.drain()
    there = place.shares()["c"]
    gone, place.sides = place.sides[2], place.sides[:2]
    counts = await place.run()
    assert counts == {State.COMPLETED: 10 - there, State.ENCODING: there}
    told = [note for note in place.seen.notes if "in flight at another service" in note]
    assert len(told) == 1
    assert sum(gone.service.starts.values()) == there > 0


async def test_following_goes_on_until_it_is_closed(harbour: Callable[..., Harbour]) -> None:
    place = harbour(6)
    async with place.ledger() as ledger, anyio.create_task_group() as tasks:
        fleet = place.fleet(ledger, follow=True)
        tasks.start_soon(fleet.run)
        await anyio.sleep(500)
        more = [row(number, remote=True) for number in range(100, 104)]
        await ledger.ingest(
            more, PlainRecipe(), keep_going=False, retry=lambda _: False, following=True
        )
        fleet.look_again()
        await anyio.sleep(500)
        assert await ledger.counts() == {State.COMPLETED: 10}
        fleet.close("enough")
