"""One simulated night: the real engine and a real ledger, killed and begun again and again."""

import asyncio
import hashlib
import random
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine import Engine, Limits, Parts, Patience
from orchestrator.ledger import SqlLedger
from orchestrator.model.errors import LedgerProblem
from orchestrator.model.items import Item, Row
from orchestrator.model.states import SETTLED, State
from tests.engine.simulated import PlainRecipe, Recorder, SimulatedSources
from tests.simulation.clock import LoopClock, run_virtually
from tests.simulation.service import Line, StormyService, Weather

LIMITS = Limits(uploads=32, starts=8, in_flight=1000, collects=16, upload_ahead=64)
PATIENCE = Patience(attempts=12)


@dataclass(frozen=True, slots=True)
class Night:
    """What came of it. ``virtual`` and ``real`` are in seconds."""

    seed: int
    counts: Mapping[State, int]
    lives: int
    virtual: float
    real: float
    requests: int
    starts: int
    refused: int
    digest: str
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.counts.items()))
        return (
            f"seed {self.seed}: {states}; {self.virtual / 3600:.1f} h in {self.real:.1f} s, "
            f"{self.lives - 1} crashes, {self.requests} requests, {self.starts} start calls of "
            f"which {self.refused} refused, events {self.digest}"
        )


class _Heard(Recorder):
    """Puts every step into the digest, and keeps none of them."""

    def __init__(self, digest: "hashlib._Hash") -> None:
        super().__init__()
        self._digest = digest

    def moved(self, item: Item, was: str) -> None:
        self._digest.update(f"{item.id} {was} {item.state}\n".encode())

    def note(self, message: str) -> None: ...


def simulate(seed: int, items: int, folder: Path, *, crash_every: float = 1200.0) -> Night:
    """A night of ``items`` under the weather of ``seed``; crashes every so many seconds."""
    random.seed(seed)  # jitter in the engine draws from it
    world = _World(seed, items, folder, crash_every)
    began = time.perf_counter()
    counts, virtual = run_virtually(world.night)
    calls = world.service.calls
    return Night(
        seed=seed,
        counts=counts,
        lives=world.lives,
        virtual=virtual,
        real=time.perf_counter() - began,
        requests=calls.total(),
        starts=calls["start"],
        refused=world.service.refused,
        digest=world.digest.hexdigest()[:16],
        wrong=tuple(world.wrong(counts)),
    )


class _World:
    def __init__(self, seed: int, items: int, folder: Path, crash_every: float) -> None:
        self._chance = random.Random(f"night {seed}")
        self.digest = hashlib.sha256()
        self._path = folder / f"night-{seed}.db"
        self._crash_every = crash_every
        self._items = items
        weather = Weather()
        self.service = StormyService(
            self._chance, weather, lambda line: self.digest.update(line.encode())
        )
        self._line = Line(self._chance, weather)
        self.lives = 0

    async def night(self) -> tuple[Mapping[State, int], float]:
        while True:
            self.lives += 1
            counts = await self._life()
            if counts is not None:
                return counts, asyncio.get_running_loop().time()

    async def _life(self) -> Mapping[State, int] | None:
        """One process: to the end, or until it is killed (None)."""
        ledger = SqlLedger(f"sqlite:///{self._path}", "night", clock=LoopClock(), inline=True)
        await ledger.__aenter__()
        await ledger.begin_run(self.service.name, "rows", {})
        await ledger.ingest(self._rows(), PlainRecipe(), keep_going=False, retry=lambda _: False)
        after = self._chance.expovariate(1 / self._crash_every)
        # What was posted and is not on disk is lost with the process.
        killer = asyncio.get_running_loop().call_later(after, ledger._task.cancel)
        try:
            await self._engine(ledger).run()
            counts: Mapping[State, int] | None = dict(await ledger.counts())
        except LedgerProblem:
            counts = None
        killer.cancel()
        try:
            await ledger.__aexit__(None, None, None)
        except asyncio.CancelledError:
            return None
        return counts

    def _engine(self, ledger: SqlLedger) -> Engine:
        parts = Parts(
            service=self.service,
            uploader=self._line,
            sources=SimulatedSources(),
            collector=self._line,
            recipe=PlainRecipe(),
            ledger=ledger,
            observer=_Heard(self.digest),
            clock=LoopClock(),
        )
        return Engine(parts, LIMITS, PATIENCE)

    def _rows(self) -> list[Row]:
        sources = [f"/videos/{number}.mp4" for number in range(self._items)]
        return [Row(key=source, source=source, fingerprint="v1") for source in sources]

    def wrong(self, counts: Mapping[State, int]) -> list[str]:
        """What must never be, whatever happens."""
        found = []
        begun = self.service.begun
        if sum(counts.values()) != self._items or not SETTLED.issuperset(counts):
            found.append(f"not every item has settled: {dict(counts)}")
        if twice := [source for source, count in begun.items() if count > 1]:
            found.append(f"started more than once: {twice[:5]}")
        if len(begun) != self._items:
            found.append(f"{self._items - len(begun)} items never reached the service")
        if self.service.running:
            found.append(f"{self.service.running} encodes go on that nobody waits for")
        with sqlite3.connect(self._path) as database:
            if (said := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                found.append(f"the ledger is damaged: {said}")
            rows = dict(database.execute("SELECT state, count(*) FROM items GROUP BY state"))
        database.close()
        if rows != {str(state): count for state, count in counts.items()}:
            found.append(f"the ledger says {rows}, the run {dict(counts)}")
        return found
