"""One simulated night: the real engine and a real ledger, killed and begun again and again."""

import asyncio
import gc
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine import Engine, Parts, Patience
from orchestrator.model.items import Item, Row
from orchestrator.model.states import State
from tests.engine.simulated import PlainRecipe, Recorder, SimulatedSources
from tests.simulation.clock import LoopClock, run_virtually
from tests.simulation.invariants import broken
from tests.simulation.life import Life, MortalLedger
from tests.simulation.service import NAME, Line, StormyService
from tests.simulation.weather import Weather
from tests.simulation.world import World

#: A lost start may arrive 20 s late; settled is what is certain after 30.
PATIENCE = Patience(attempts=12, settle=30.0, stuck_after=900.0, retry_stuck=True)

#: Where Linux keeps files in memory.
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Night:
    """What came of it. ``virtual``, ``real`` and ``cpu`` are in seconds.

    ``wrong`` tells what must never be. ``restarts`` are encodes begun beyond the
    first of their source, each with a void one before it.
    """

    seed: int
    items: int
    counts: Mapping[State, int]
    lives: int
    virtual: float
    real: float
    cpu: float
    calls: Mapping[str, int]
    looks: int
    refused: int
    restarts: int
    digest: str
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self.counts.items()))
        calls = ", ".join(f"{count:,} {call}" for call, count in sorted(self.calls.items()))
        refused = 100 * self.refused / max(1, self.calls.get("start", 0))
        return (
            f"seed {self.seed}: {states}\n"
            f"  {self.virtual / 3600:.1f} virtual hours in {self.real:.1f} s, "
            f"{1000 * self.cpu / self.items:.2f} ms of CPU an item; "
            f"killed and recovered {self.lives - 1} times\n"
            f"  requests: {calls} ({self.looks / self.items:.1f} looks an item); "
            f"{refused:.1f}% of starts refused, {self.restarts} encodes begun again\n"
            f"  events {self.digest}"
        )


def simulate(seed: int, items: int, weather: Weather, folder: Path) -> Night:
    """A night of ``items`` under the weather of ``seed``; its ledger is kept in ``folder``."""
    real, cpu = time.perf_counter(), time.process_time()
    stage = Stage(seed, items, weather, folder / f"night-{seed}.db")
    virtual = stage.play()
    real, cpu = time.perf_counter() - real, time.process_time() - cpu
    world = stage.world
    begun = [task for task in world.tasks.values() if not task.copy]
    return Night(
        seed=seed,
        items=items,
        counts=stage.counts,
        lives=stage.lives,
        virtual=virtual,
        real=real,
        cpu=cpu,
        calls=world.calls,
        looks=world.looks,
        refused=world.refused,
        restarts=len(begun) - len({task.source for task in begun}),
        digest=stage.digest.hexdigest()[:16],
        wrong=tuple(stage.wrong + broken(world, stage.path, items, stage.counts, stage.lives)),
    )


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder for ledgers, in memory where that can be had: a commit costs no disk then."""
    where = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="night-", dir=where) as folder:
        yield Path(folder)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """A night makes millions of objects, and hardly any rubbish that goes in circles."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Heard(Recorder):
    """Tells of every step that a living process put on record, and keeps none of them."""

    def __init__(self, stage: "Stage", life: Life) -> None:
        super().__init__()
        self._stage = stage
        self._life = life

    def moved(self, item: Item, was: str) -> None:
        if not self._life.is_over:
            now = asyncio.get_running_loop().time()
            self._stage.heard(now, f"{item.id} {was} {item.state}")

    def note(self, message: str) -> None: ...


class Stage:
    """The world, and the processes that live in it one after another."""

    def __init__(self, seed: int, items: int, weather: Weather, path: Path) -> None:
        self.path = path
        self.lives = 0
        self.counts: Mapping[State, int] = {}
        self.wrong: list[str] = []
        self.digest = hashlib.sha256()
        self.world = World(random.Random(f"world {seed}"), weather, self.heard)
        self._seed = seed
        self._weather = weather
        self._chance = random.Random(f"lives {seed}")
        self._rows = [
            Row(key=source, source=source, fingerprint="v1")
            for source in (f"/videos/{number}.mp4" for number in range(items))
        ]

    def heard(self, now: float, what: str) -> None:
        """Everything that happens is part of the night's digest."""
        self.digest.update(f"{now:.6f} {what}\n".encode())

    def play(self) -> float:
        """The whole night; how long it took, in virtual seconds."""
        with _seldom_collecting():
            virtual = run_virtually(self._night, tick=self._weather.tick)
        self.world.until(virtual)
        return virtual

    async def _night(self) -> float:
        """Live until one process comes to its own end."""
        is_over = False
        while not is_over:
            self.lives += 1
            is_over = await self._live()
        return asyncio.get_running_loop().time()

    async def _live(self) -> bool:
        """One process; whether it came to its own end."""
        random.seed(f"jitter {self._seed} {self.lives}")  # the engine draws from it
        life = Life(self._steps())
        ledger = MortalLedger(f"sqlite:///{self.path}", life)
        await ledger.__aenter__()
        process = asyncio.create_task(self._run(ledger, life))
        life.begin(process, ledger)
        await asyncio.wait([process])
        if life.is_over:
            await asyncio.gather(ledger.__aexit__(None, None, None), return_exceptions=True)
            return False
        if (error := process.exception()) is not None:
            self.wrong.append(f"the run ended with {error!r}")
        self.counts = dict(await ledger.counts())
        await ledger.__aexit__(None, None, None)
        return True

    def _steps(self) -> int | None:
        if self.lives > self._weather.crashes:
            return None
        return 1 + round(self._chance.expovariate(1 / self._weather.crash_after))

    async def _run(self, ledger: MortalLedger, life: Life) -> None:
        await ledger.begin_run(NAME, "rows", {})
        await ledger.ingest(self._rows, PlainRecipe(), keep_going=False, retry=lambda _: False)
        line = Line(self.world, life)
        parts = Parts(
            service=StormyService(self.world, life),
            uploader=line,
            sources=SimulatedSources(),
            collector=line,
            recipe=PlainRecipe(),
            ledger=ledger,
            observer=_Heard(self, life),
            clock=LoopClock(),
        )
        await Engine(parts, self._weather.limits, PATIENCE).run()
