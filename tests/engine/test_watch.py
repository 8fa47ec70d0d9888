"""The poller against a simulated service on a virtual clock."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.limits import Patience
from orchestrator.engine.pace import FORECAST
from orchestrator.engine.watch import Poller
from orchestrator.engine.watched import Watched
from orchestrator.engine.work import Work
from orchestrator.model.errors import BadRequest, Stuck, TooLarge, Transient
from orchestrator.model.items import Attempt, Change, Item
from orchestrator.model.ports import Ledger, Phase, Service, TaskReport
from orchestrator.model.states import State
from tests.engine.simulated import LoopClock, Recorder

pytestmark = pytest.mark.looptime

MASTER = "http://master/status"


def encoding(number: int, url: str | None = MASTER) -> Work:
    attempt = Attempt(1, "simulated", "", "", task=f"t{number}", status_url=url)
    item = Item(number, f"k{number}", State.ENCODING, f"/{number}", attempt=attempt)
    return Work(item)


@dataclass
class Site:
    """Answers with ``says(task, now)``; ``refuse(tasks, url)`` may raise instead."""

    says: Callable[[str, float], TaskReport | None]
    refuse: Callable[[Sequence[str], str | None], None] = lambda tasks, url: None
    asked: list[tuple[float, str | None, int]] = field(default_factory=list)
    name = "simulated"

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        now = asyncio.get_running_loop().time()
        self.asked.append((now, status_url, len(tasks)))
        await asyncio.sleep(0.1)
        self.refuse(tasks, status_url)
        reports = [self.says(task, now) for task in tasks]
        return {report.task: report for report in reports if report is not None}


class NoLedger:
    def post(self, change: Change) -> None: ...


@dataclass
class Watch:
    poller: Poller
    seen: Recorder
    done: dict[str, float] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)


@asynccontextmanager
async def watching(site: Site, patience: Patience) -> AsyncIterator[Watch]:
    clock, seen = LoopClock(), Recorder()

    def done(work: Work) -> None:
        watch.done[work.item.key] = clock.monotonic()
        watch.works.append(work)

    gate = AdmissionGate(clock, patience, 100, seen.note)
    journal = Journal(cast("Ledger", NoLedger()), seen)
    poller = Poller(
        cast("Service", site),
        gate,
        journal,
        seen,
        clock,
        patience,
        done=done,
        fault=lambda work, error: watch.faults.append(error),
    )
    watch = Watch(poller, seen)
    running = asyncio.ensure_future(poller.run())
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def lasting(
    seconds: float, *, percents: bool = True, url: str | None = MASTER
) -> Callable[[str, float], TaskReport]:
    def says(task: str, now: float) -> TaskReport:
        if now >= seconds:
            return TaskReport(task, Phase.DONE, 100.0, duration=12.5)
        return TaskReport(task, Phase.RUNNING, 100 * now / seconds if percents else 0.0, url)

    return says


PATIENCE = Patience(poll_min=5.0, poll_max=120.0)


async def test_by_percent_few_looks_are_enough_and_the_end_is_seen_soon() -> None:
    site = Site(lasting(1000.0))
    async with watching(site, PATIENCE) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(1100)
    assert 1000.0 <= watch.done["k1"] <= 1006.0
    assert len(site.asked) < 20
    assert watch.works[0].item.attempt is not None
    assert watch.works[0].item.attempt.duration == 12.5


async def test_what_was_learnt_from_some_places_the_looks_at_the_others() -> None:
    begun: dict[str, float] = {}

    def says(task: str, now: float) -> TaskReport:
        over = now - begun[task] >= 600.0
        return TaskReport(task, Phase.DONE if over else Phase.RUNNING, 0.0)

    site = Site(says)
    async with watching(site, PATIENCE) as watch:
        for number in range(200):
            begun[f"t{number}"] = number * 1.0
            watch.poller.watch(encoding(number))
            await asyncio.sleep(1.0)
        await asyncio.sleep(1000.0)
        first, site.asked = len(site.asked), []
        assert len(watch.done) == 200
        for number in range(200, 300):
            begun[f"t{number}"] = now = asyncio.get_running_loop().time()
            watch.poller.watch(encoding(number))
        await asyncio.sleep(800.0)
        assert len(watch.done) == 300
        late = [seen - now - 600.0 for key, seen in watch.done.items() if int(key[1:]) >= 200]
    assert max(late) < 12.0
    assert len(site.asked) < first / 3


async def test_ten_thousand_go_out_in_full_requests() -> None:
    site = Site(lasting(100.0))
    async with watching(site, PATIENCE) as watch:
        for number in range(10_000):
            watch.poller.watch(encoding(number))
        await asyncio.sleep(5.0 + 100 * 0.1)
        first = [asked for asked in site.asked if asked[0] < 15.0]
        assert all(size == 100 for _, _, size in first)
        await asyncio.sleep(150.0)
    assert len(watch.done) == 10_000


@pytest.mark.parametrize("error", [TooLarge("413"), BadRequest("400")])
async def test_a_size_that_is_refused_is_halved_and_remembered(error: Exception) -> None:
    def refuse(tasks: Sequence[str], url: str | None) -> None:
        if len(tasks) > 30:
            raise error

    site = Site(lasting(60.0), refuse)
    async with watching(site, PATIENCE) as watch:
        for number in range(200):
            watch.poller.watch(encoding(number))
        await asyncio.sleep(200.0)
    assert len(watch.done) == 200
    sizes = [size for _, _, size in site.asked]
    assert sum(size > 30 for size in sizes) <= 8, "the requests that had left by then, no more"
    assert any("refused, asking for 25" in note for note in watch.seen.notes)


async def test_a_dead_master_costs_few_requests_however_many_tasks_it_had() -> None:
    def refuse(tasks: Sequence[str], url: str | None) -> None:
        if url == MASTER:
            raise Transient("dead")

    site = Site(lasting(300.0), refuse)
    async with watching(site, PATIENCE) as watch:
        for number in range(1000):
            watch.poller.watch(encoding(number))
        await asyncio.sleep(400.0)
    assert len(watch.done) == 1000
    assert sum(url == MASTER for _, url, _ in site.asked) <= 6


async def test_a_task_that_its_master_does_not_know_is_asked_for_at_home() -> None:
    site = Site(lasting(100.0))
    told = site.report

    async def report(tasks: Sequence[str], url: str | None) -> Mapping[str, TaskReport]:
        answer = await told(tasks, url)
        return {} if url == MASTER else answer

    site.report = report  # type: ignore[method-assign]
    async with watching(site, PATIENCE) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(200.0)
    assert "k1" in watch.done
    assert [url for _, url, _ in site.asked].count(MASTER) == 1


async def test_stored_after_100_percent_is_seen_soon_but_not_asked_for_all_the_time() -> None:
    def says(task: str, now: float) -> TaskReport:
        phase = Phase.DONE if now >= 400 else Phase.SAVING if now >= 100 else Phase.RUNNING
        return TaskReport(task, phase, min(100.0, now))

    site = Site(says)
    async with watching(site, PATIENCE) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(600.0)
    saving = [now for now, _, _ in site.asked if now > 105]
    gaps = [round(later - now, 6) for now, later in itertools.pairwise(saving)]
    assert gaps[0] <= 6.0
    assert gaps == sorted(gaps)
    assert len(gaps) < 30
    assert watch.done["k1"] < 440


async def test_a_silent_task_is_told_about_once() -> None:
    site = Site(lambda task, now: TaskReport(task, Phase.RUNNING, 40.0))
    async with watching(site, Patience(poll_min=5, poll_max=60, stuck_after=3600)) as watch:
        for number in range(3):
            watch.poller.watch(encoding(number))
        await asyncio.sleep(20_000)
    told = [note for note in watch.seen.notes if "Nothing new" in note]
    assert len(told) == 1
    assert "for 1 h of k0 (and 2 more): running, 40%" in told[0]
    assert watch.faults == []


async def test_a_silent_task_is_given_up_where_that_is_wanted() -> None:
    site = Site(lambda task, now: TaskReport(task, Phase.RUNNING, 40.0))
    patience = Patience(poll_min=5, poll_max=60, stuck_after=3600, retry_stuck=True)
    async with watching(site, patience) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(5000)
        asked = len(site.asked)
        await asyncio.sleep(5000)
    assert [type(error) for error in watch.faults] == [Stuck]
    assert len(site.asked) == asked, "nobody looks at it any more"


async def test_a_task_in_the_queue_is_never_given_up() -> None:
    site = Site(lambda task, now: TaskReport(task, Phase.QUEUED, 0.0))
    patience = Patience(poll_min=5, poll_max=60, stuck_after=3600, retry_stuck=True)
    async with watching(site, patience) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(20_000)
    assert watch.faults == []
    assert sum("still queued" in note for note in watch.seen.notes) == 1


async def test_an_outage_is_not_the_tasks_silence() -> None:
    def refuse(tasks: Sequence[str], url: str | None) -> None:
        if 100 < asyncio.get_running_loop().time() < 9000:
            raise Transient("502")

    site = Site(lambda task, now: TaskReport(task, Phase.RUNNING, 40.0), refuse)
    async with watching(site, Patience(poll_min=5, poll_max=60, stuck_after=3600)) as watch:
        watch.poller.watch(encoding(1, None))
        await asyncio.sleep(9500)
    assert not [note for note in watch.seen.notes if "Nothing new" in note]


async def test_a_hint_makes_one_look_at_once() -> None:
    site = Site(lasting(50.0, percents=False))
    async with watching(site, Patience(poll_min=100.0, poll_max=100.0)) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(50.5)
        for _ in range(1000):
            watch.poller.hint("t1")
        watch.poller.hint("a stranger")
        await asyncio.sleep(1.0)
    assert watch.done["k1"] == pytest.approx(50.6)
    assert len(site.asked) == 1


async def test_a_flood_of_hints_for_a_task_that_runs_makes_no_storm() -> None:
    site = Site(lambda task, now: TaskReport(task, Phase.RUNNING, 0.0))
    async with watching(site, PATIENCE) as watch:
        watch.poller.watch(encoding(1))
        for _ in range(1000):
            watch.poller.hint("t1")
            await asyncio.sleep(0.05)
    gaps = [b - a for (a, _, _), (b, _, _) in itertools.pairwise(site.asked)]
    assert len(site.asked) <= 12
    assert min(gaps) >= 4.8


async def test_a_hint_during_a_look_is_not_lost() -> None:
    site = Site(lasting(50.05, percents=False))
    async with watching(site, Patience(poll_min=50.0, poll_max=500.0)) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(50.06)  # the look left at 50.0, and ends at 50.1
        watch.poller.hint("t1")
        await asyncio.sleep(1.0)
    assert watch.done["k1"] < 50.5


async def test_a_task_found_running_teaches_nothing_of_how_long_they_take() -> None:
    found = Watched(encoding(1), "t1", None, since=100.0, fresh=False)
    assert found.outlook.kind == ""
    found.hear(TaskReport("t1", Phase.RUNNING, 40.0), 160.0, at_most=240.0)
    assert found.outlook.kind == "", "nobody knows when the 40% began"
    found.hear(TaskReport("t1", Phase.RUNNING, 50.0), 170.0, at_most=240.0)
    assert found.outlook == (f"{FORECAST} 5", 50.0, 0.0)


async def test_a_task_that_is_watched_anew_while_a_look_is_under_way_ends_once() -> None:
    site = Site(lasting(5.0))
    async with watching(site, PATIENCE) as watch:
        watch.poller.watch(encoding(1))
        await asyncio.sleep(5.05)  # the look left at 5.0, and ends at 5.1
        watch.poller.watch(again := encoding(1))
        await asyncio.sleep(100.0)
    assert watch.works == [again]
