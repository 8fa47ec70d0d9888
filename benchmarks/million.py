"""A manifest of a million rows: taken in, and read again when all of it is completed.

Every row is a file of its own that is there (of one byte: an empty one is
refused), in folders of a thousand. The first run takes the manifest in through
the ledger as a run does; then every item is called completed by a few SQL
statements; the second run is ``wiring.run_job``, which finds nothing to do. Each
is a fresh process. The same with ten thousand rows shows what grows, and a
manifest of as many URLs what looking at files costs. ``bare`` takes the same files
in as a person's own loop would: how far ours is from that holds for any machine.

The files are made once and kept in ``million-rows`` below the system's temporary
folder (``TMPDIR``); remove it when you need them no longer. Memory is the
proportional share (PSS) of the process and those it started, added up.

``python -m benchmarks.million [rows]``: with fewer rows, a quicker look.
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from benchmarks.harness import (
    GIB,
    Goal,
    Result,
    as_the_product,
    check_room,
    loop_seconds,
    machine,
    table,
)
from benchmarks.ingesting import bare
from orchestrator.model.plain import PlainColumns, PlainRow

_T = TypeVar("_T")
_Asked = ParamSpec("_Asked")
_Read = Generator[Sequence[Any], None, None]

_FINGERPRINT = PlainRow._fields.index("fingerprint")
_FEW, _MANY = 10_000, 1_000_000
_IN_FOLDER = 1000
_CALLED = {
    "first": "first run",
    "again": "all completed",
    "bare": "a bare loop",
    "remote": "first run, URLs",
}
#: Between two looks at memory, in seconds: of few rows, which are soon over, and of many.
_BETWEEN_FEW, _BETWEEN = 0.02, 0.2
#: Files of a byte take a block, rows of the ledger up to a kilobyte, twice while they are written.
_ROOM = 8 * GIB

_JOB = """\
name = "{name}"
manifest = "{manifest}"

[query]
[[query.format]]
output = "mp4"
height = 480
destination = {{ url = "s3://films.example/{{parent}}/{{stem}}.mp4", key = "k", secret = "s" }}

[collect]
into = "outputs/{{parent}}/{{stem}}"
"""

_COMPLETED = """
INSERT INTO attempts (item_id, number, service, fingerprint, digest, task, started_at, ended_at)
SELECT id, 1, 'local', fingerprint, digest, 'task-' || id, updated_at, updated_at FROM items;
INSERT INTO events (item_id, attempt, run_id, at, was, now, note)
SELECT id, 1, first_run, updated_at, 'collecting', 'completed', '' FROM items;
UPDATE items SET state = 'completed', attempts = 1, attempt = 1;
PRAGMA wal_checkpoint(TRUNCATE);
"""


# --- in a process of its own ----------------------------------------------------------


class _Looks:
    """What the work itself took, with all modules imported; and the looks at files.

    Counts the rows that come with a fingerprint, and notes when the first ones did.

    A fingerprint is made in one place alone: by looking at the file.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self.count = 0
        self.first = 0.0
        self.work_seconds = self.cpu_seconds = self._cpu_before = 0.0

    async def time(self, work: Awaitable[_T]) -> _T:
        """Await the work, clocked."""
        began, self._cpu_before = time.perf_counter(), _cpu()
        done = await work
        self.work_seconds = time.perf_counter() - began
        self.end()
        return done

    def end(self) -> None:
        """Count the CPU time of what came after the work, too."""
        self.cpu_seconds = _cpu() - self._cpu_before

    def watching(self, read: Callable[_Asked, _Read]) -> Callable[_Asked, _Read]:
        """``read_ready``, counted."""

        def counted(*args: _Asked.args, **options: _Asked.kwargs) -> _Read:
            for rows in read(*args, **options):
                self.first = self.first or time.time() - self._began
                self.count += sum(map(_looked_at, rows))
                yield rows

        return counted


def _looked_at(entry: PlainColumns | PlainRow) -> int:
    """Rows with a fingerprint."""
    if isinstance(entry, PlainColumns):
        return entry.count - entry.column("fingerprint").count("")
    return bool(entry[_FINGERPRINT])


def _cpu() -> float:
    """CPU seconds so far of this process, and of those that it has waited for."""
    own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _measured(phase: str, job_file: Path, began: float) -> None:
    """Run one phase and print its figures. ``began``: when the process was started."""
    from orchestrator import manifest

    looks = _Looks(began)
    manifest.read_ready = looks.watching(manifest.read_ready)
    work = {"again": _run_again, "bare": _take_in_bare}.get(phase, _take_in)
    as_the_product(work(job_file, looks))
    figures = {
        "seconds": time.time() - began,
        "work_seconds": looks.work_seconds,
        "cpu_seconds": looks.cpu_seconds,
        "first_look_seconds": looks.first,
        "looks": looks.count,
    }
    print(json.dumps(figures))


async def _take_in(job_file: Path, looks: _Looks) -> None:
    from orchestrator.config import load_config
    from orchestrator.ledger import SqlLedger
    from orchestrator.manifest import read_ready
    from orchestrator.model.errors import may_pass
    from orchestrator.query import QencodeRecipe, load_job
    from orchestrator.wiring.clock import SystemClock

    config, job = load_config(job_file.with_name("config.toml")), load_job(job_file)
    async with SqlLedger(config.ledger_url(job.name), job.name, clock=SystemClock()) as ledger:
        await ledger.begin_run("local", job.manifest, {})
        recipe = QencodeRecipe(job)
        rows = chain.from_iterable(read_ready(job.manifest, recipe.plain()))
        ingest = ledger.ingest(rows, recipe, keep_going=False, retry=may_pass)
        taken = await looks.time(ingest)
        assert taken.taken, taken.problems[:3]
        await ledger.end_run("finished")
    looks.end()  # the log was moved into the file


async def _run_again(job_file: Path, looks: _Looks) -> None:
    from orchestrator.config import load_config
    from orchestrator.query import load_job
    from orchestrator.report.observers import QuietObserver
    from orchestrator.wiring.options import RunOptions
    from orchestrator.wiring.runs import run_job

    config, job = load_config(job_file.with_name("config.toml")), load_job(job_file)
    outcome = await looks.time(run_job(config, job, RunOptions(), QuietObserver()))
    assert set(outcome.counts) == {"completed"}, outcome
    assert outcome.skipped == sum(outcome.counts.values()), outcome


async def _take_in_bare(job_file: Path, looks: _Looks) -> None:
    database = job_file.parent / f".orchestrator/{job_file.stem}-bare.db"

    async def work() -> None:
        looks.count = bare.take_in(job_file.with_suffix(".csv"), database)

    await looks.time(work())


# --- the benchmark ----------------------------------------------------------------------


def _library(folder: Path, rows: int) -> None:
    """Make the files that are not there yet."""
    note = folder / "files"
    there = int(note.read_text()) if note.exists() else 0
    if there >= rows:
        print(f"{there:,} files are there from before, in {folder}")
        return
    check_room(folder, _ROOM * rows // _MANY)
    free = os.statvfs(folder).f_favail
    if free < rows * 1.1:
        raise SystemExit(f"{free:,} inodes free, {rows:,} needed. Set TMPDIR to another disk.")
    began = time.perf_counter()
    for start in range(0, rows, _IN_FOLDER):
        season = folder / f"library/season-{start // _IN_FOLDER:04d}"
        season.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + _IN_FOLDER, rows)):
            file = os.open(f"{season}/episode-{number:07d}.mp4", os.O_CREAT | os.O_WRONLY, 0o644)
            os.ftruncate(file, 1)
            os.close(file)
    note.write_text(str(rows))
    print(f"made {rows:,} files in {time.perf_counter() - began:.1f} s, in {folder}")


def _job(folder: Path, name: str, library: str, rows: int) -> Path:
    """A job over that many sources, with no ledger yet."""
    with (folder / f"{name}.csv").open("w") as manifest:
        manifest.write("source,title\n")
        for number in range(rows):
            season = f"{library}/season-{number // _IN_FOLDER:04d}"
            manifest.write(f"{season}/episode-{number:07d}.mp4,Episode {number}\n")
    job = folder / f"{name}.toml"
    job.write_text(_JOB.format(name=name, manifest=f"{name}.csv"))
    for file in (folder / ".orchestrator").glob(f"{name}.db*"):
        file.unlink()
    return job


def _phase(phase: str, job: Path, rows: int, *, looks: bool = True) -> dict[str, float]:
    print(f"{job.stem}: {phase} ...", flush=True)
    loop = loop_seconds()
    command = [sys.executable, "-m", "benchmarks.million", phase, str(job), repr(time.time())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _share(process.pid))
            time.sleep(_BETWEEN if rows > _FEW else _BETWEEN_FEW)
        assert process.stdout
        printed = process.stdout.read()
    assert process.returncode == 0, process.returncode
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    assert figures["looks"] == (rows if looks else 0), figures
    figures["peak_mb"] = peak
    figures["loop_seconds"] = (loop + loop_seconds()) / 2
    figures["rate"] = rows / figures["work_seconds"]
    figures["cpu_us_per_row"] = figures["cpu_seconds"] / rows * 1e6
    return figures


def _share(process: int) -> float:
    """The memory of a process and those below it, in MB: what is shared is counted once.

    One that is just being started still shows its parent's memory, and is left out.
    """
    total = 0.0
    with suppress(OSError):  # it may end meanwhile
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        total = int(rollup.partition("\nPss:")[2].split()[0]) / 1024
        for thread in Path(f"/proc/{process}/task").iterdir():
            below = map(int, (thread / "children").read_text().split())
            total += sum(_share(child) for child in below if _called(child) != _called(process))
    return total


def _called(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _complete(ledger: Path) -> None:
    database = sqlite3.connect(ledger)
    database.executescript(_COMPLETED)
    database.close()


def _goals(few: dict[str, Any], many: dict[str, Any]) -> dict[str, Goal]:
    peak = {
        name: max(of[phase]["peak_mb"] for phase in ("first", "again"))
        for name, of in (("few", few), ("many", many))
    }
    first, again = many["first"], many["again"]
    return {
        "ingest: rows a second / 100,000": Goal(1.0, first["rate"] / 100_000),
        "memory: 250 MB / peak": Goal(1.0, 250 / peak["many"]),
        "memory: 1.3 times the peak of 10,000 rows / peak": Goal(
            1.0, 1.3 * peak["few"] / peak["many"]
        ),
        "rerun: 2 s / first fingerprint": Goal(1.0, 2 / again["first_look_seconds"]),
        "rerun: 20 s / end": Goal(1.0, 20 / again["seconds"]),
    }


def _shown(found: dict[int, dict[str, dict[str, float]]]) -> str:
    heads = ["", "rows/s", "of bare", "CPU µs a row", "loop s", "peak MB", "first look s", "end s"]
    rows = [
        [
            f"{count:,} rows, {_CALLED[phase]}",
            f"{each['rate']:,.0f}",
            f"{each['of_bare']:.2f}",
            f"{each['cpu_us_per_row']:.1f}",
            f"{each['loop_seconds']:.2f}",
            f"{each['peak_mb']:.0f}",
            f"{each['first_look_seconds']:.2f}",
            f"{each['seconds']:.2f}",
        ]
        for count, phases in found.items()
        for phase, each in phases.items()
    ]
    return table(heads, rows)


def main(rows: int) -> None:
    """Measure, and print the table and the result."""
    figures: dict[str, Any] = {"machine": machine(), "rows": rows}
    found: dict[int, dict[str, dict[str, float]]] = {}
    folder = Path(tempfile.gettempdir()) / "million-rows"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text("")
    _library(folder, rows)
    for count in (min(_FEW, rows), rows):
        job = _job(folder, f"files-{count}", "library", count)
        first = _phase("first", job, count)
        ledger = folder / ".orchestrator" / f"{job.stem}.db"
        _complete(ledger)
        found[count] = {"first": first, "again": _phase("again", job, count)}
        ledger.unlink()
        # Last, when all files have been looked at: whoever is first may find them cold.
        found[count]["bare"] = _phase("bare", job, count)
        ledger.with_stem(f"{job.stem}-bare").unlink()
    job = _job(folder, f"urls-{rows}", "https://films.example/library", rows)
    found[rows]["remote"] = _phase("remote", job, rows, looks=False)
    (folder / ".orchestrator" / f"{job.stem}.db").unlink()
    for phases in found.values():
        for each in phases.values():
            each["of_bare"] = each["rate"] / phases["bare"]["rate"]
    figures["load_after"] = round(os.getloadavg()[0], 2)
    figures["found"] = found
    print(_shown(found))
    result = Result("million", figures, _goals(found[min(_FEW, rows)], found[rows]))
    print(result.verdict())
    print(result.line())


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _measured(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else _MANY)
