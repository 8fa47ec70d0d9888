"""What every benchmark needs: fair turns, medians, a table for people, a line for machines.

A benchmark is a module of this package. ``python -m benchmarks.<name>`` runs it
alone; it prints what people read and ends with ``Result.line()``. A figure is
compared only with another one of the same run, as a ratio.
"""

import asyncio
import gc
import hashlib
import json
import os
import platform
import random
import resource
import shutil
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from orchestrator.cli.loop import BETWEEN_SEARCHES

T = TypeVar("T")

GIB = 2**30
_BUSY = 1.0
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Goal:
    """``ratio`` is to be ``least`` or more; None where a side of it could not be measured."""

    least: float
    ratio: float | None

    @property
    def met(self) -> bool | None:
        """None where nobody can say."""
        return None if self.ratio is None else self.ratio >= self.least


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark found. ``figures`` is anything that JSON can hold."""

    name: str
    figures: Mapping[str, Any]
    goals: Mapping[str, Goal]

    @property
    def met(self) -> bool | None:
        """Whether every goal is; None where none is missed but some could not be measured."""
        each = [goal.met for goal in self.goals.values()]
        if False in each:
            return False
        return None if None in each else True

    def line(self) -> str:
        """The one line of JSON that a benchmark ends with. Ratios are cut, never rounded up."""
        return json.dumps(
            {
                "name": self.name,
                "figures": self.figures,
                "ratio": {name: _cut(goal.ratio) for name, goal in self.goals.items()},
                "goal": {name: goal.least for name, goal in self.goals.items()},
                "met": self.met,
            }
        )

    def verdict(self) -> str:
        """The goals, for people."""
        return "\n".join(
            f"{name}: {_said(goal)} (goal: at least {goal.least:g})"
            for name, goal in self.goals.items()
        )


def last_result(lines: Iterable[str]) -> str | None:
    """The last line that is a result, as it was printed; None where there is none."""
    found = None
    for line in lines:
        if line.startswith("{") and _is_result(line):
            found = line.strip()
    return found


def in_turns(contenders: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Every contender once a round, mixed anew each time, so that nobody always follows the same.

    Two runs have the same order.
    """
    for number in range(rounds):
        for contender in random.Random(number).sample(contenders, len(contenders)):
            yield number, contender


def medians(samples: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: median(sample[name] for sample in samples) for name in samples[0]}


def ratio(over: Mapping[str, float] | None, under: Mapping[str, float] | None) -> float | None:
    """How the rate of one contender compares with another's; None where one was skipped."""
    return None if over is None or under is None else over["rate"] / under["rate"]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need; the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on; says so too, and warns where it is busy."""
    load = os.getloadavg()[0]
    found = {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "loop": round(loop_seconds(), 3),
        "load_before": round(load, 2),
    }
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    if load > _BUSY:
        print("The machine is busy, so rates will be low; ratios suffer less.")
    return found


def loop_seconds() -> float:
    """CPU seconds of a fixed piece of Python: how fast the interpreter is at the moment."""
    began, total = time.process_time(), 0
    for number in range(2_000_000):
        total += number & 1023
    return time.process_time() - began


def check_room(folder: Path, needed: int) -> None:
    """End with a message unless ``needed`` bytes are free on the disk of ``folder``."""
    free = shutil.disk_usage(folder).free
    print(f"{free / GIB:.0f} GiB free in the temporary folder, {needed / GIB:.0f} needed")
    if free < needed:
        raise SystemExit("Not enough room. Set TMPDIR to a folder on a disk that has it.")


def cpu_seconds() -> float:
    """What this process and its children that ended have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def random_files(folder: Path, count: int, size: int) -> list[Path]:
    """New files of ``size`` bytes each, which nothing on the way can compress."""
    folder.mkdir()
    paths = [folder / f"{number:03}.bin" for number in range(count)]
    for path in paths:
        with path.open("wb") as file:
            for at in range(0, size, _BLOCK):
                file.write(os.urandom(min(size - at, _BLOCK)))
    return paths


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_the_product(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end as the product's commands do."""
    gc.set_threshold(BETWEEN_SEARCHES)
    return on_loop(main)


def on_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on the event loop that the product runs on: uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _cut(value: float | None) -> float | None:
    return None if value is None else int(value * 1000) / 1000


def _said(goal: Goal) -> str:
    if goal.ratio is None:
        return "not measured"
    return f"{_cut(goal.ratio):.3f}, {'met' if goal.met else 'MISSED'}"


def _is_result(line: str) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and {"name", "figures", "ratio", "goal", "met"} <= found.keys()
