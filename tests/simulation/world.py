"""What happens at a simulated service, whoever asks: its encodes, its books, its weather.

Everything is drawn from one generator and happens at its own time, in order, as soon
as somebody calls: a seed replays it. The books say what really happened, whatever
the engine believes.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum, auto

from orchestrator.model.errors import EncodeFailed, Transient
from orchestrator.model.items import Output
from orchestrator.model.ports import Phase, TaskReport
from tests.simulation.weather import Weather

MASTERS = 8

#: How long a silent encode holds its place, in seconds.
SILENCE = 7200.0


class Fate(Enum):
    """What an encode comes to."""

    DONE = auto()
    FAILS = auto()
    PASSES = auto()
    SILENT = auto()
    REPLACED = auto()


@dataclass(slots=True, eq=False)
class Task:
    """An encode. ``copy`` is one that the service itself began in another's place."""

    token: str
    source: str
    began: float
    duration: float
    master: int
    fate: Fate
    copy: bool = False
    ended: bool = False
    forgotten: bool = False
    replaced_by: str | None = None

    @property
    def is_void(self) -> bool:
        """Nothing comes of it, and another attempt is right."""
        return self.forgotten or self.fate in (Fate.PASSES, Fate.SILENT)


class World:
    """``until`` brings it up to date. ``heard`` is told of everything that happens."""

    def __init__(
        self, chance: random.Random, weather: Weather, heard: Callable[[float, str], None]
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.refused = 0
        self.running = 0
        self.looks = 0
        #: Every encode that was ever begun, by token.
        self.tasks: dict[str, Task] = {}
        #: Uploads that exist, and how far they are.
        self.uploads: dict[str, int] = {}
        self.chance, self.weather = chance, weather
        self.away_until = 0.0
        self._heard = heard
        self._reserved: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._capacity = (weather.lowest + weather.highest) // 2
        self._dead = [0.0] * MASTERS
        self._alive: dict[str, Task] = {}
        self._plan: list[tuple[float, int, Callable[[float], None]]] = []
        self._at(0.0, self._breathe)
        self._at(self._some(weather.master_dies_every), self._lose_master)
        self._at(self._some(weather.outage_every), self._go_away)

    # --- what callers want --------------------------------------------------------

    def until(self, now: float) -> None:
        """Let everything happen that is due."""
        plan = self._plan
        while plan and plan[0][0] <= now:
            at, _, what = heapq.heappop(plan)
            what(at)

    def reserve(self, now: float) -> str:
        """A new task token."""
        token = f"task-{next(self._numbers)}"
        self._reserved[token] = now + self.weather.token_life
        return token

    def knows(self, token: str, now: float) -> bool:
        """Whether the token is good: given here, not expired and not forgotten."""
        task = self.tasks.get(token)
        return now < self._reserved.get(token, 0.0) and not (task and task.forgotten)

    @property
    def alive(self) -> Collection[Task]:
        """The encodes that go on."""
        return self._alive.values()

    @property
    def is_full(self) -> bool:
        """Whether it takes no more encodes now."""
        return self.running >= self._capacity

    def begin(self, token: str, source: str, now: float) -> Task:
        """Start an encode."""
        chance = self.chance
        duration = 120.0 * chance.lognormvariate(0, 0.6)
        fate = self._fate()
        if fate is Fate.SILENT:
            duration = SILENCE
        task = Task(token, source, now, duration, chance.randrange(MASTERS), fate)
        self._put(task, now)
        self._heard(now, f"begun {source}")
        return task

    def arrive_late(self, token: str, source: str, now: float) -> None:
        """A request that somebody believes lost is on its way."""

        def arrives(at: float) -> None:
            if self.knows(token, at) and token not in self.tasks and not self.is_full:
                self.begin(token, source, at)

        self._at(now + self.chance.uniform(0, self.weather.lateness), arrives)

    def is_dead(self, master: int, now: float) -> bool:
        """Whether a status master does not answer."""
        return now < self._dead[master]

    def report(self, token: str, now: float) -> TaskReport | None:
        """What the service says of a task; None: it knows of none."""
        task = self.tasks.get(token)
        if task is None or task.forgotten:
            return None
        self.looks += 1
        if not task.ended:
            gone = 0.1 if task.fate is Fate.SILENT else (now - task.began) / task.duration
            return TaskReport(token, Phase.RUNNING, min(99.0, 100 * gone), master_url(task.master))
        return self._ended(task)

    # --- what happens by itself ---------------------------------------------------

    def _fate(self) -> Fate:
        weather, drawn = self.weather, self.chance.random()
        for fate, odds in (
            (Fate.FAILS, weather.fails),
            (Fate.PASSES, weather.passes),
            (Fate.SILENT, weather.silent),
            (Fate.REPLACED, weather.replaced),
        ):
            if drawn < odds:
                return fate
            drawn -= odds
        return Fate.DONE

    def _put(self, task: Task, now: float) -> None:
        self.tasks[task.token] = self._alive[task.token] = task
        self.running += 1
        self._at(now + task.duration, lambda at: self._end(task, at))

    def _end(self, task: Task, now: float) -> None:
        if task.forgotten:
            return
        task.ended = True
        self.running -= 1
        del self._alive[task.token]
        if task.fate is Fate.REPLACED:
            task.replaced_by = f"{task.token}-again"
            copy = replace(task, token=task.replaced_by, began=now, fate=Fate.DONE, copy=True)
            copy.ended, copy.replaced_by = False, None
            self._put(copy, now)
        self._heard(now, f"ended {task.token}")

    def _ended(self, task: Task) -> TaskReport:
        token, url = task.token, master_url(task.master)
        if task.fate is Fate.DONE:
            outputs = (Output("video-0-0", "video", f"/out/{token}.mp4", size=1000),)
            return TaskReport(token, Phase.DONE, 100.0, url, task.duration, outputs)
        fault = Transient("try again") if task.fate is Fate.PASSES else EncodeFailed("unreadable")
        return TaskReport(
            token, Phase.FAULTED, 50.0, url, fault=fault, replaced_by=task.replaced_by
        )

    def _breathe(self, now: float) -> None:
        weather = self.weather
        moved = self._capacity * self.chance.lognormvariate(0, 0.25)
        self._capacity = round(min(weather.highest, max(weather.lowest, moved)))
        self._at(now + self.chance.uniform(60, 180), self._breathe)

    def _lose_master(self, now: float) -> None:
        self._dead[self.chance.randrange(MASTERS)] = now + self.chance.uniform(30, 900)
        self._at(now + self._some(self.weather.master_dies_every), self._lose_master)

    def _go_away(self, now: float) -> None:
        self.away_until = now + self.chance.uniform(10, 300)
        for task in list(self._alive.values()):
            if self.chance.random() < self.weather.forgets:
                self._forget(task, now)
        self._at(self.away_until + self._some(self.weather.outage_every), self._go_away)

    def _forget(self, task: Task, now: float) -> None:
        task.forgotten = True
        self.running -= 1
        del self._alive[task.token]
        self._heard(now, f"forgot {task.token}")

    def _some(self, mean: float) -> float:
        return self.chance.uniform(0.5, 1.5) * mean

    def _at(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self._plan, (when, next(self._numbers), what))


def master_url(master: int) -> str:
    """Absolute: a master is a machine of its own, not the service's own address."""
    return f"https://master-{master}.example/v1/status"


def master_of(url: str) -> int:
    """The master of a status URL that ``master_url`` made."""
    return int(url.removeprefix("https://master-").partition(".")[0])
