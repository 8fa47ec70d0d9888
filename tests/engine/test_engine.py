"""Whole runs: from pending rows to completed items, whatever happens on the way."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from orchestrator.engine import Limits
from orchestrator.model.errors import (
    AccountProblem,
    Busy,
    EncodeFailed,
    SourceChanged,
    Transient,
    Unreachable,
    UploadGone,
)
from orchestrator.model.states import State
from tests.engine.house import House, row
from tests.engine.simulated import AFTER, SimulatedService, lost_answer

pytestmark = pytest.mark.looptime

Make = Callable[..., House]


def once_each(house: House) -> bool:
    """Every source was started exactly once at the service."""
    return set(house.service.starts.values()) == {1} and len(house.service.starts) == len(
        house.rows
    )


async def test_everything_is_uploaded_started_watched_and_collected(house: Make) -> None:
    home = house(10)
    assert await home.run() == {State.COMPLETED: 10}
    assert once_each(home)
    assert home.uploader.uploaded == Counter({entry.source: 1 for entry in home.rows})
    assert set(home.collector.collected) == {entry.key for entry in home.rows}


async def test_a_second_run_does_nothing(house: Make) -> None:
    home = house(10)
    await home.run()
    calls = home.service.calls.copy()
    assert await home.run() == {State.COMPLETED: 10}
    assert home.service.calls == calls


async def test_remote_sources_are_not_uploaded(house: Make) -> None:
    home = house(5, remote=True)
    assert await home.run() == {State.COMPLETED: 5}
    assert not home.uploader.uploaded
    assert set(home.service.starts) == {entry.source for entry in home.rows}


async def test_an_empty_manifest_ends_at_once(house: Make) -> None:
    home = house(0)
    assert await home.run() == {}
    assert anyio.current_time() == 0


async def test_more_urgent_items_start_first(house: Make) -> None:
    home = house(0, limits=Limits(uploads=1, starts=1, in_flight=1, upload_ahead=1))
    home.rows = [row(number, priority=number % 3) for number in range(9)]
    assert await home.run() == {State.COMPLETED: 9}
    priorities = [int(source[4:-4]) % 3 for source in home.service.order]
    assert priorities == sorted(priorities, reverse=True)


async def test_limits_hold(house: Make) -> None:
    limits = Limits(uploads=3, starts=5, in_flight=4, collects=2, upload_ahead=2)
    home = house(30, limits=limits)
    assert await home.run() == {State.COMPLETED: 30}
    assert home.uploader.most_at_once == 3
    assert home.service.most_running <= 4


async def test_uploads_keep_a_bounded_lead(house: Make) -> None:
    limits = Limits(uploads=2, starts=1, in_flight=1, upload_ahead=3)
    home = house(30, limits=limits)
    async with home.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(home.engine(ledger).run)
        await anyio.sleep(25)  # one encode of 30 s runs; uploads of 1 s could all be over
        assert home.uploader.uploaded.total() <= 1 + 1 + 3 + 2
        tasks.cancel_scope.cancel()


async def test_nothing_is_taken_up_twice_while_its_first_step_is_on_its_way_to_disk(
    house: Make,
) -> None:
    limits = Limits(uploads=20, starts=1, in_flight=500, upload_ahead=500)
    home = house(400, remote=True, limits=limits)
    async with home.ledger() as ledger:
        # A slow disk: for a while nothing is written, and all can be read.
        async with anyio.create_task_group() as tasks, ledger._gate:
            tasks.start_soon(home.engine(ledger).run)
            await anyio.sleep(5)
        assert await ledger.counts() == {State.COMPLETED: 400}
    assert home.service.calls["prepare"] == 400


async def test_at_most_n_items_are_taken_up(house: Make) -> None:
    home = house(10)
    assert await home.run(at_most=3) == {State.COMPLETED: 3, State.PENDING: 7}
    assert await home.run() == {State.COMPLETED: 10}
    assert once_each(home)


async def test_many_tasks_are_asked_about_in_one_request(house: Make) -> None:
    limits = Limits(uploads=20, starts=20, in_flight=500, upload_ahead=500)
    home = house(300, remote=True, limits=limits)
    await home.run()
    assert max(count for _, count in home.service.asked) == 100
    assert len(home.service.asked) < 60


# --- errors, by family -----------------------------------------------------------


@pytest.mark.parametrize("call", ["prepare", "start", "report", "upload", "collect"])
async def test_passing_trouble_is_retried(house: Make, call: str) -> None:
    home = house(4)
    trouble = {"upload": home.uploader.trouble, "collect": home.collector.trouble}
    trouble.get(call, home.service.trouble).plan(call, Transient("a hiccup"), times=2)
    assert await home.run() == {State.COMPLETED: 4}
    assert once_each(home)


@pytest.mark.parametrize("call", ["prepare", "start", "upload", "collect"])
async def test_trouble_that_does_not_pass_fails_one_item(house: Make, call: str) -> None:
    home = house(1)
    trouble = {"upload": home.uploader.trouble, "collect": home.collector.trouble}
    trouble.get(call, home.service.trouble).plan(call, Transient("still broken"), times=3)
    assert await home.run() == {State.FAILED: 1}
    assert await home.run() == {State.COMPLETED: 1}  # a rerun tries again, by class


async def test_a_permanent_error_fails_its_item_alone_and_stays(house: Make) -> None:
    home = house(5)
    home.service.faults["tus:2.mp4"] = EncodeFailed("can't decode")
    assert await home.run() == {State.COMPLETED: 4, State.FAILED: 1}
    assert await home.run() == {State.COMPLETED: 4, State.FAILED: 1}
    assert once_each(home)


async def test_a_missing_source_fails_its_item_alone(house: Make) -> None:
    home = house(3)
    home.sources.missing.add("/videos/1.mp4")
    assert await home.run() == {State.COMPLETED: 2, State.FAILED: 1}


async def test_a_fault_of_our_own_fails_one_item_without_its_text(house: Make) -> None:
    home = house(3)
    home.uploader.trouble.plan("upload", ZeroDivisionError("key=secret"))
    assert await home.run() == {State.COMPLETED: 2, State.FAILED: 1}
    assert not any("secret" in note for note in home.seen.notes)


async def test_an_account_problem_stops_the_run_and_nothing_fails(house: Make) -> None:
    home = house(20)
    home.service.trouble.plan("start", AccountProblem("suspended"))
    with pytest.raises(AccountProblem):
        await home.run()
    async with home.ledger() as ledger:
        counts = await ledger.counts()
        assert State.FAILED not in counts
    assert await home.run() == {State.COMPLETED: 20}
    assert once_each(home)


async def test_an_account_problem_seen_by_the_poller_stops_the_run(house: Make) -> None:
    home = house(4)
    home.service.trouble.plan("report", AccountProblem("bad key"))
    with pytest.raises(AccountProblem):
        await home.run()
    assert await home.run() == {State.COMPLETED: 4}
    assert once_each(home)


async def test_busy_is_waited_out_and_uses_no_attempt(house: Make) -> None:
    home = house(3)
    home.service.trouble.plan("start", Busy("no room", 120), times=10)
    assert await home.run() == {State.COMPLETED: 3}
    assert once_each(home)
    assert anyio.current_time() >= 9 * 120  # two starts were under way at the first answer
    assert home.service.calls["start"] == 13  # one probe for each time, no storm


async def test_a_service_that_is_away_is_waited_for(house: Make) -> None:
    home = house(6)
    for call in ("prepare", "start", "report"):
        home.service.trouble.plan(call, Unreachable("refused"), times=8)
    assert await home.run() == {State.COMPLETED: 6}
    assert once_each(home)


async def test_a_service_that_stays_away_ends_the_run_with_everything_resumable(
    house: Make,
) -> None:
    home = house(6)
    home.service.trouble.plan("prepare", Unreachable("refused"), times=10_000)
    with pytest.raises(Unreachable):
        await home.run()
    assert 3600 <= anyio.current_time() < 3800
    home.service.trouble.plans.clear()
    assert await home.run() == {State.COMPLETED: 6}


# --- exactly one encode -------------------------------------------------------------


async def test_a_lost_answer_to_a_start_that_happened_starts_nothing_twice(house: Make) -> None:
    home = house(5)
    home.service.trouble.plan("start", lost_answer(), AFTER, times=2)
    assert await home.run() == {State.COMPLETED: 5}
    assert once_each(home)
    assert home.service.calls["find"] == 2


async def test_a_lost_answer_to_a_start_that_never_happened_is_started(house: Make) -> None:
    home = house(5)
    home.service.trouble.plan("start", lost_answer(), times=2)
    assert await home.run() == {State.COMPLETED: 5}
    assert once_each(home)


async def test_a_server_error_on_start_is_looked_up_too(house: Make) -> None:
    home = house(1)
    home.service.trouble.plan("start", Transient("500"), AFTER)
    assert await home.run() == {State.COMPLETED: 1}
    assert once_each(home)


async def test_an_upload_that_is_gone_begins_again_under_the_same_task(house: Make) -> None:
    home = house(1)
    home.uploader.trouble.plan("upload", UploadGone("expired"))
    assert await home.run() == {State.COMPLETED: 1}
    assert home.service.calls["prepare"] == 1
    assert home.uploader.resumed == []


async def test_a_source_that_changed_gets_a_new_attempt(house: Make) -> None:
    home = house(1)
    home.uploader.trouble.plan("upload", SourceChanged("grew"))
    assert await home.run() == {State.COMPLETED: 1}
    assert home.service.calls["prepare"] == 2
    assert once_each(home)


async def test_a_file_touched_since_it_was_listed_is_known_by_its_new_version(
    house: Make,
) -> None:
    home = house(1)
    home.sources.versions["/videos/0.mp4"] = "v2"
    await home.run()
    home.rows = [replace(home.rows[0], fingerprint="v2")]
    assert await home.run() == {State.COMPLETED: 1}
    assert once_each(home)


async def test_a_lost_task_gets_a_new_attempt_and_is_given_up_in_the_end(house: Make) -> None:
    home = house(1)
    forgetting = home.service

    async def report(tasks: object, url: object) -> dict[str, object]:
        return {}

    forgetting.report = report  # type: ignore[method-assign,assignment]
    assert await home.run() == {State.FAILED: 1}
    assert home.service.calls["start"] == 3


async def test_a_task_that_the_service_restarted_is_followed(house: Make) -> None:
    home = house(1)
    async with home.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(home.engine(ledger).run)
        await anyio.sleep(10)
        home.service.restart_as("task-1", "task-1b")
    assert ("/videos/0.mp4", "collecting", "completed") in home.seen.moves
    assert once_each(home)


async def test_the_last_status_url_is_followed_and_a_dead_one_left(house: Make) -> None:
    home = house(3)
    home.service.status_url = "http://master-1/status"
    async with home.ledger() as ledger, anyio.create_task_group() as tasks:
        tasks.start_soon(home.engine(ledger).run)
        await anyio.sleep(10)
        home.service.dead_urls.add("http://master-1/status")
    urls = {url for url, _ in home.service.asked}
    assert urls == {"http://master-1/status", None}
    assert once_each(home)
    assert home.seen.count("completed") == 3


# --- stopping and going on --------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0, 0.3, 1.1, 2.5, 10.0, 31.0, 32.2, 33.0])
async def test_drained_at_any_time_a_rerun_finishes_and_starts_nothing_twice(
    house: Make, after: float
) -> None:
    home = house(12)
    async with home.ledger() as ledger:
        engine = home.engine(ledger)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.sleep(after)
            engine.drain()
    assert anyio.current_time() < after + 1
    assert await home.run() == {State.COMPLETED: 12}
    assert once_each(home)


@pytest.mark.parametrize("after", [0.02, 0.7, 1.03, 2.04, 5.0, 31.5, 33.0])
async def test_cancelled_at_any_time_a_rerun_finishes_and_starts_nothing_twice(
    house: Make, after: float
) -> None:
    home = house(12, service=SimulatedService(latency=0.05))
    async with home.ledger() as ledger:
        with anyio.move_on_after(after):
            await home.engine(ledger).run()
    assert await home.run() == {State.COMPLETED: 12}
    assert once_each(home)


async def test_a_broken_off_upload_goes_on_from_its_offset(house: Make) -> None:
    home = house(1)
    async with home.ledger() as ledger:
        with anyio.move_on_after(0.7):
            await home.engine(ledger).run()
    assert await home.run() == {State.COMPLETED: 1}
    assert home.uploader.resumed == [2]
    assert home.service.calls["prepare"] == 1


async def test_an_upload_resumed_on_a_changed_file_is_begun_anew(house: Make) -> None:
    home = house(1)
    async with home.ledger() as ledger:
        with anyio.move_on_after(0.7):
            await home.engine(ledger).run()
        home.sources.versions["/videos/0.mp4"] = "v2"
        await home.engine(ledger).run()
    assert home.uploader.resumed == []
    assert home.service.calls["prepare"] == 2
    assert once_each(home)


async def test_recovery_says_what_it_found(house: Make) -> None:
    home = house(12)
    async with home.ledger() as ledger:
        with anyio.move_on_after(4):
            await home.engine(ledger).run()
    home.seen.notes.clear()
    await home.run()
    assert any(note.startswith("Picking up: ") for note in home.seen.notes)


async def test_items_in_flight_at_another_service_are_left_alone(house: Make) -> None:
    home = house(3)
    async with home.ledger() as ledger:
        with anyio.move_on_after(8):
            await home.engine(ledger).run()
    first, home.service = home.service, SimulatedService("other")
    counts = await home.run()
    assert counts == {State.ENCODING: 3}
    assert not home.service.starts
    home.service = first
    assert await home.run() == {State.COMPLETED: 3}
    assert once_each(home)


async def test_nothing_waits_for_an_item_that_backs_off(house: Make) -> None:
    home = house(5, limits=Limits(uploads=1, starts=1, in_flight=8, upload_ahead=4))
    home.patience = replace(home.patience, first=500.0, cap=500.0)
    home.uploader.trouble.plan("upload", Transient("a hiccup"))
    await home.run()
    done = [key for key, _, now in home.seen.moves if now == "completed"]
    assert done[-1] == home.rows[0].key
    assert sorted(done) == sorted(entry.key for entry in home.rows)
