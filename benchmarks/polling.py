"""Following 10,000 encodes: how many status requests, and how late each end is seen.

Simulated, on a virtual clock: the product's own poller, with all that is around it
in a run, beside one request per task every 10 s, one every 10 s for 100 tasks, and
the usual rule of thumb (100 tasks a request; pauses that grow while nothing is
known, and are 0.6 of the time that the last percents leave). The same encodes for
everybody: lognormal, 10 minutes in the median, and a new one for each that was
seen to end. A tenth of an encode is fetching and storing, without a percent. Counted
is what comes after a warm-up, in which the poller also learns.
"""

import asyncio
import heapq
import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist, fmean
from typing import Any, cast

from benchmarks.harness import Goal, Result, machine, table
from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.limits import Patience
from orchestrator.engine.watch import Poller
from orchestrator.engine.work import Work
from orchestrator.model.items import Attempt, Change, Item
from orchestrator.model.ports import Ledger, Observer, Phase, Service, TaskReport
from orchestrator.model.states import State
from tests.simulation.clock import LoopClock, run_virtually

IN_FLIGHT = 10_000
#: Ends that are seen before anything is counted, and those that are counted.
WARM_UP = 5_000
ENCODES = 10_000

#: Of the durations and lengths.
SEED = 7

MEDIAN = 600.0
EVERY = 10.0
BATCH = 100

#: What a Qencode account is set to.
PATIENCE = Patience(poll_min=2.0, poll_max=120.0, poll_batch=BATCH)

#: Seconds that an answer takes, and encodes that are started a second.
LATENCY = 0.2
STARTS = 100.0

_FETCHED, _STORED = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Case:
    """A service. ``step`` is what its percents are multiples of, ``noise`` how far they err.

    Without a step it says 0 until the end. ``by_length``: the lengths of the
    sources are known, and encodes take half of them, give or take ``spread``.
    """

    name: str
    sigma: float = 0.75
    step: float | None = None
    noise: float = 0.0
    by_length: bool = False
    masters: int = 1
    spread: float = 0.25


PERCENT = Case("percent, to 1, errs by 2", step=1.0, noise=2.0)
NO_PERCENT = Case("0, then done; sigma 0.5", sigma=0.5)
CASES = (
    PERCENT,
    Case("percent, steps of 10", step=10.0),
    Case("percent, 20 masters", step=1.0, noise=2.0, masters=20),
    NO_PERCENT,
    Case("0, then done; sigma 0.75"),
    Case("0, then done; sigma 1", sigma=1.0),
    Case("0, then done; lengths known", by_length=True),
)

#: What the product is held to.
JUDGED = (PERCENT, NO_PERCENT)


@dataclass(slots=True)
class Encode:
    """One encode: how long it takes and, once started, from when; seconds."""

    number: int
    seconds: float
    length: float | None
    since: float = 0.0

    @property
    def end(self) -> float:
        return self.since + self.seconds

    def part(self, now: float) -> float:
        """How much of it is done; 1 and more when it has ended."""
        return 1.0 if now >= self.end else (now - self.since) / self.seconds


@dataclass
class Count:
    """What a contender did once the warm-up was over."""

    ends: int = 0
    requests: int = 0
    looks: int = 0
    delays: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def asked(self, requests: int, looks: int) -> None:
        if self.ends >= WARM_UP:
            self.requests += requests
            self.looks += looks

    def ended(self, delay: float) -> None:
        self.ends += 1
        if self.ends > WARM_UP:
            self.delays.append(delay)

    @property
    def is_over(self) -> bool:
        return len(self.delays) >= ENCODES

    def figures(self) -> dict[str, float]:
        delays = sorted(self.delays)
        return {
            "requests": self.requests,
            "looks_per_encode": round(self.looks / len(delays), 2),
            "tasks_per_request": round(self.looks / self.requests, 1),
            "delay_mean": round(fmean(delays), 2),
            "delay_p95": round(delays[int(0.95 * len(delays))], 2),
            "cpu_us_per_encode": round(self.cpu / self.ends * 1e6, 1),
        }


def encodes(case: Case) -> Iterator[Encode]:
    """The same ones for every contender, without an end."""
    chance, lengths = random.Random(SEED), random.Random(SEED + 1)
    for number in itertools.count():
        seconds = MEDIAN * math.exp(chance.gauss(0.0, case.sigma))
        length = None
        if case.by_length:
            length = 2 * seconds * math.exp(lengths.gauss(0.0, case.spread))
        yield Encode(number, seconds, length)


def said(case: Case, number: int, part: float, now: float) -> tuple[Phase, float]:
    """What the service says of an encode of which it has done ``part``."""
    if part >= 1.0:
        return Phase.DONE, 100.0
    if case.step is None:
        return Phase.RUNNING, 0.0
    true = 100.0 * min(1.0, max(0.0, (part - _FETCHED) / (_STORED - _FETCHED)))
    if 0.0 < true < 100.0 and case.noise:
        wobble = math.sin(number + now / 37.0) + math.sin(number * 3 + now / 11.0)
        true = min(99.0, max(0.0, true + wobble * case.noise))
    phase = Phase.SAVING if part > _STORED else Phase.RUNNING
    return phase, true // case.step * case.step


# --- the product's own -------------------------------------------------------------


class Bystander:
    """A service's name, a ledger and an observer, as far as a poller needs them."""

    name = "simulated"

    def post(self, change: Change) -> None: ...

    def moved(self, item: Item, was: State) -> None: ...

    def percent(self, item: Item, phase: Phase, percent: float) -> None: ...

    def note(self, message: str) -> None: ...


def poller(site: Bystander, gate: AdmissionGate, done: Callable[[Work], None]) -> Poller:
    """The product's own, of a ``site`` that reports as a service does."""
    observer = cast("Observer", site)
    journal = Journal(cast("Ledger", site), observer)
    service = cast("Service", site)
    return Poller(service, gate, journal, observer, LoopClock(), PATIENCE, done=done, fault=_never)


def _never(work: Work, error: Exception) -> None:
    raise RuntimeError(work.item.key) from error


class _Site(Bystander):
    """The service."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.running: dict[str, Encode] = {}
        self.count = Count()

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        self.count.asked(1, len(tasks))
        await asyncio.sleep(LATENCY / 2)
        now = asyncio.get_running_loop().time()
        reports = {task: self._report(task, now, status_url) for task in tasks}
        await asyncio.sleep(LATENCY / 2)
        return reports

    def _report(self, task: str, now: float, url: str | None) -> TaskReport:
        encode = self.running[task]
        return TaskReport(task, *said(self.case, encode.number, encode.part(now), now), url)


async def _follow(case: Case) -> Count:
    site, clock = _Site(case), LoopClock()
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    waiting = encodes(case)

    def start() -> None:
        encode = next(waiting)
        encode.since = clock.monotonic()
        item = _item(case, encode)
        site.running[item.key] = encode
        polls.watch(Work(item))

    def done(work: Work) -> None:
        encode = site.running.pop(work.item.key)
        site.count.ended(clock.monotonic() - encode.end)
        start()
        if site.count.is_over:
            over.set()

    polls = poller(site, AdmissionGate(clock, PATIENCE, IN_FLIGHT, site.note), done)
    for number in range(IN_FLIGHT):
        loop.call_at(number / STARTS, start)
    running = asyncio.ensure_future(polls.run())
    await over.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return site.count


def _item(case: Case, encode: Encode) -> Item:
    task = f"{encode.number:032x}"
    url = f"https://master-{encode.number % case.masters}.example/v1/status"
    attempt = Attempt(1, "simulated", "", "", task=task, status_url=url)
    return Item(
        encode.number, task, State.ENCODING, "/a.mp4", attempt=attempt, duration=encode.length
    )


def ours(case: Case) -> Count:
    """The poller of a run."""
    began = time.process_time()
    count = run_virtually(lambda: _follow(case))
    count.cpu = time.process_time() - began
    return count


# --- the others ----------------------------------------------------------------------


def plain(case: Case, batch: int, gap: Callable[["_Look", float, float], float]) -> Count:
    """Looks at each task after ``gap(look, percent, now)``; what is due together goes together."""
    count, waiting = Count(), encodes(case)
    heap: list[tuple[float, int, _Look]] = []
    order = itertools.count()

    def start(now: float) -> None:
        encode = next(waiting)
        encode.since = now
        first = EVERY if batch == 1 else PATIENCE.poll_min
        heapq.heappush(heap, (now + first, next(order), _Look(encode, first)))

    for number in range(IN_FLIGHT):
        start(number / STARTS)
    while not count.is_over:
        now, sent = heap[0][0], 0
        horizon = now if batch == 1 else now + PATIENCE.poll_min / 2
        while heap[0][0] <= horizon:
            look = heapq.heappop(heap)[2]
            sent += 1
            encode = look.encode
            if now >= encode.end:
                count.ended(now - encode.end + LATENCY / 2)
                start(now)
            else:
                percent = said(case, encode.number, encode.part(now), now)[1]
                due = now + gap(look, percent, now)
                heapq.heappush(heap, (due, next(order), look))
        count.asked(math.ceil(sent / batch), sent)
    return count


@cache
def every_ten_seconds(sigma: float, batch: int) -> Count:
    """What the service says, and what is known of the sources, is all the same to it."""
    return plain(Case("", sigma), batch, lambda *_: EVERY)


def limit(sigma: float) -> float:
    """The fewest requests of one for every 10 s and task, as seen as soon, with no percent.

    A gap of g at age t comes to S/g looks and f·g/2 of delay, over all t, where S is
    the part that still runs and f the density of ends. By Cauchy and Schwarz their
    product is never less than half the square of the integral of sqrt(f·S), however
    well f is known; with one look every 10 s it is E/10 · 5, E being the mean duration.
    """
    normal, step = NormalDist(), 1e-3
    total = 0.0
    for number in range(-8000, 8000):
        z = number * step
        seconds = MEDIAN * math.exp(sigma * z)
        # f·dt is the normal density times dz, so sqrt(f·S)·dt is this times dz.
        total += step * math.sqrt(normal.pdf(z) * normal.cdf(-z) * sigma * seconds)
    return BATCH * MEDIAN * math.exp(sigma**2 / 2) / total**2


@dataclass(slots=True)
class _Look:
    encode: Encode
    interval: float
    percent: float = 0.0
    at: float | None = None


def by_thumb(look: _Look, percent: float, now: float) -> float:
    """0.6 of what is left, by the last two percents; half as long again where none was added."""
    rate = 0.0
    if look.at is not None and now > look.at and percent > 0:
        rate = max(0.0, percent - look.percent) / (now - look.at)
    wanted = (100.0 - percent) / rate * 0.6 if rate > 0 else look.interval * 1.5
    look.interval = min(PATIENCE.poll_max, max(PATIENCE.poll_min, wanted))
    look.percent, look.at = percent, now
    return look.interval


# --- side by side ----------------------------------------------------------------------


def bench() -> Result:
    """Every case, every contender."""
    figures: dict[str, Any] = {"in_flight": IN_FLIGHT, "warm_up": WARM_UP, "encodes": ENCODES}
    figures["machine"] = machine()
    goals: dict[str, Goal] = {}
    for case in CASES:
        counts = {
            "one by one, every 10 s": every_ten_seconds(case.sigma, 1),
            "100 a request, every 10 s": every_ten_seconds(case.sigma, BATCH),
            "rule of thumb": plain(case, BATCH, by_thumb),
            "ours": ours(case),
        }
        each = {name: count.figures() for name, count in counts.items()}
        naive, own = each["one by one, every 10 s"], each["ours"]
        figures[case.name] = each
        if case in JUDGED:
            goals[f"{case.name}: requests"] = Goal(100.0, naive["requests"] / own["requests"])
            goals[f"{case.name}: delay"] = Goal(1.0, naive["delay_mean"] / own["delay_mean"])
        show(case, each)
    figures["limits"] = {
        f"sigma {sigma:g}": round(limit(sigma), 1)
        for sigma in sorted({case.sigma for case in CASES})
    }
    print(f"\nNo schedule without percents can do with less than 1 of: {figures['limits']}")
    return Result("polling", figures, goals)


def show(case: Case, each: Mapping[str, Mapping[str, float]]) -> None:
    """A table for people."""
    naive = each["one by one, every 10 s"]["requests"]
    heads = (case.name, "requests", "1 of", "looks", "a request", "delay s", "95%")
    rows = [
        (
            name,
            f"{found['requests']:,.0f}",
            f"{naive / found['requests']:.0f}",
            f"{found['looks_per_encode']:.1f}",
            f"{found['tasks_per_request']:.0f}",
            f"{found['delay_mean']:.2f}",
            f"{found['delay_p95']:.1f}",
        )
        for name, found in each.items()
    ]
    print(f"\n{table(heads, rows)}", flush=True)


def main() -> None:
    """Run the benchmark."""
    result = bench()
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
