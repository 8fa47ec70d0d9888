"""Everybody's turns at one server: rates, CPU on both sides, and proof of what arrived."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.harness import (
    GIB,
    Goal,
    digest,
    in_turns,
    medians,
    random_files,
    ratio,
    table,
)
from benchmarks.uploading.clients import WIDTH, Contender, contenders

#: Bytes on the disk: what is sent, what arrives, and room for what is not yet given back.
NEEDED = 6 * GIB


class Server(Protocol):
    """A tus server in a process of its own. ``uploads`` is the folder of what arrives."""

    uploads: Path

    def cpu(self) -> float:
        """CPU seconds that it has used."""

    def targets(self, count: int) -> list[str]:
        """Where to create so many uploads."""

    def arrived(self) -> list[Path]:
        """The files that are there."""

    def clear(self) -> None:
        """Leave nothing of them behind."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is uploaded. ``unit`` is what its rate counts, ``units`` how many it has.

    ``pause`` (seconds) is before each turn. A virtual machine gives memory that is free
    back to its host within seconds, and to have it again costs more than to write to it:
    who begins at once, as curl can, would have what the turn before has left.
    """

    name: str
    title: str
    files: Sequence[Path]
    rounds: int
    unit: str
    units: int
    pause: float = 0.0


#: Both loads' figures, by contender.
Figures = dict[str, dict[str, Any]]


def compete(folder: Path, server: Server) -> Figures:
    """One file of 1 GiB and 500 of 64 KiB, made in ``folder``, to ``server``."""
    one = random_files(folder / "big", 1, GIB)
    # So many rounds, because the rate of each turn goes up and down by half (README.md).
    big = Load("big", "One file of 1 GiB", one, 9, "MiB/s", 1024, pause=5.0)
    for_big, _ = contenders(server.uploads)
    return {
        big.name: _contest(big, for_big, server),
        "small": compete_small(folder / "small", server),
    }


def compete_small(folder: Path, server: Server) -> dict[str, Any]:
    """The 500 files alone, made in ``folder``, which is new."""
    many = random_files(folder, 500, 64 * 1024)
    small = Load("small", "500 files of 64 KiB", many, 5, "files/s", 500)
    _, for_small = contenders(server.uploads)
    return _contest(small, for_small, server)


def goals(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Goal]:
    """What is asked of the product, as ratios of ``figures``; empty where nothing was measured."""
    one, lot = figures.get("big", {}), figures.get("small", {})
    return {
        "1 GiB, ours / curl": Goal(0.95, ratio(one.get("ours"), one.get("curl"))),
        "64 KiB, ours / aiotus": Goal(2.0, ratio(lot.get("ours"), lot.get("aiotus"))),
    }


def _contest(load: Load, everybody: Sequence[Contender], server: Server) -> dict[str, Any]:
    """Rounds over those that are installed; shows the table; the answer has its figures."""
    print(f"\n{load.title}: {load.rounds} rounds, at most {WIDTH} uploads at once", flush=True)
    for contender in everybody:
        if contender.missing:
            print(f"{contender.name} skipped: {contender.needs} is not installed")
    samples: dict[str, list[dict[str, float]]] = {}
    running = [contender for contender in everybody if not contender.missing]
    for number, contender in in_turns(running, load.rounds):
        prove = number == load.rounds - 1
        sample = _measure(contender, load, server, prove=prove)
        samples.setdefault(contender.name, []).append(sample)
    _show(load, samples)
    return {name: medians(each) for name, each in samples.items()}


def _measure(contender: Contender, load: Load, server: Server, *, prove: bool) -> dict[str, float]:
    """One turn: fresh uploads, nothing left to write from before, nothing left behind."""
    pairs = list(zip(load.files, server.targets(len(load.files)), strict=True))
    os.sync()
    time.sleep(load.pause)
    used = server.cpu()
    wall, cpu = contender.send(pairs)
    used = server.cpu() - used
    _check(contender, load, server.arrived(), prove=prove)
    server.clear()
    rate = load.units / wall
    load_average = os.getloadavg()[0]
    print(
        f"  {contender.name}: {rate:.0f} {load.unit} (load average {load_average:.1f})",
        file=sys.stderr,
        flush=True,
    )
    return {"rate": rate, "client_cpu_s": cpu, "server_cpu_s": used}


def _check(contender: Contender, load: Load, arrived: Sequence[Path], *, prove: bool) -> None:
    """Sizes every time; with ``prove`` the SHA-256 of every file."""
    looks: list[Callable[[Path], object]] = [lambda path: path.stat().st_size]
    if prove:
        looks.append(digest)
    for look in looks:
        if sorted(map(str, map(look, arrived))) != sorted(map(str, map(look, load.files))):
            raise SystemExit(f"{contender.name}: what arrived is not what was sent")


def _show(load: Load, samples: dict[str, list[dict[str, float]]]) -> None:
    rows = []
    for name, each in sorted(samples.items(), key=lambda pair: -medians(pair[1])["rate"]):
        middle, rates = medians(each), [sample["rate"] for sample in each]
        span = f"{min(rates):.0f} to {max(rates):.0f}"
        cpu = [f"{middle[whose]:.2f}" for whose in ("client_cpu_s", "server_cpu_s")]
        rows.append([name, f"{middle['rate']:.0f}", span, *cpu])
    print(table(["median of the rounds", load.unit, "range", "client CPU s", "server CPU s"], rows))
