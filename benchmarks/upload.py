"""Uploads over tus: this product's client beside curl, tuspy and aiotus.

One file of 1 GiB and 500 of 64 KiB go to this product's own transcoder, which
runs in a process of its own, over HTTP on the loopback and to a real disk.
Everybody gets the same tasks, made before the clock starts, and the same
number of uploads at once. Python clients run in a new process each time, and
are timed from the first request on; curl with its start.
"""

import asyncio
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr

from benchmarks.harness import (
    GIB,
    Goal,
    Result,
    check_room,
    cpu_seconds,
    digest,
    in_turns,
    machine,
    medians,
    on_loop,
    random_files,
    ratio,
    table,
)
from orchestrator.model.items import Attempt
from orchestrator.services import Http, QencodeService, TusUploader
from orchestrator.services.urls import absolute
from orchestrator.settings import LimitsConfig, UploadConfig
from orchestrator.transcoder import Transcoder, TranscoderSettings

_MIB = 2**20
_KEY = "benchmark"
_NEEDED = 6 * GIB
_TUS = "Tus-Resumable: 1.0.0"
_BYTES = "Content-Type: application/offset+octet-stream"

#: aiotus and tuspy hold a chunk in memory. Both were fastest with this one:
#: 4 MiB and 64 MiB were slower by 16 to 31% (medians of 3, on a busy machine).
_CHUNK = 16 * _MIB

#: How many uploads a run has under way, as the product ships.
_WIDTH = LimitsConfig().uploads

#: A file and the URL at which its upload is to be created.
Pair = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class Load:
    """What is uploaded. ``unit`` is what its rate counts, ``units`` how many it has."""

    name: str
    title: str
    files: Sequence[Path]
    rounds: int
    unit: str
    units: int


@dataclass(frozen=True, slots=True)
class Contender:
    """``send`` uploads every pair; the answer is its wall and CPU seconds.

    ``needs`` is a program or a module that may not be there.
    """

    name: str
    send: Callable[[Sequence[Pair]], tuple[float, float]]
    needs: str = ""

    @property
    def missing(self) -> bool:
        """Whether it can't run on this machine."""
        return bool(self.needs) and not (shutil.which(self.needs) or find_spec(self.needs))


# --- the clients, each in a process of its own -------------------------------------


class _Watcher:
    """Records nothing, at once."""

    async def created(self, upload_url: str) -> None:
        """Nothing to write down."""

    def sent(self, offset: int, total: int) -> None:
        """Nobody looks."""


async def _each(pairs: Sequence[Pair], send: Callable[[Path, str], Awaitable[object]]) -> None:
    waiting = iter(pairs)

    async def work() -> None:
        for path, target in waiting:
            await send(path, target)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_WIDTH, len(pairs))):
            group.create_task(work())


async def _ours(pairs: Sequence[Pair]) -> None:
    base, _, _ = pairs[0][1].partition("/v1/")
    settings = UploadConfig()
    async with Http() as http:
        uploader = TusUploader(http, base, **settings.model_dump())

        async def send(path: Path, target: str) -> None:
            attempt = Attempt(1, "benchmark", "", "", upload_to=target)
            await uploader.upload(path, attempt, _Watcher())

        await _each(pairs, send)


async def _aiotus(pairs: Sequence[Pair]) -> None:
    aiotus = importlib.import_module("aiotus")
    async with aiohttp.ClientSession() as session:

        async def send(path: Path, target: str) -> None:
            with path.open("rb") as file:
                if not await aiotus.upload(target, file, client_session=session, chunksize=_CHUNK):
                    raise RuntimeError("aiotus gave up")

        await _each(pairs, send)


def _tuspy(pairs: Sequence[Pair], width: int) -> None:
    client = importlib.import_module("tusclient.client")

    def send(pair: Pair) -> None:
        client.TusClient(pair[1]).uploader(str(pair[0]), chunk_size=_CHUNK).upload()

    with ThreadPoolExecutor(width) as threads:
        list(threads.map(send, pairs))


_CLIENTS: dict[str, Callable[[Sequence[Pair]], None]] = {
    "ours": lambda pairs: on_loop(_ours(pairs)),
    "aiotus": lambda pairs: on_loop(_aiotus(pairs)),
    "tuspy": lambda pairs: _tuspy(pairs, 1),
    "tuspy, threads": lambda pairs: _tuspy(pairs, _WIDTH),
}


def client(name: str) -> None:
    """Upload the pairs on standard input; print wall and CPU seconds."""
    pairs = [(Path(path), target) for path, target in json.load(sys.stdin)]
    for module in ("aiotus", "tusclient.client"):
        if find_spec(module.partition(".")[0]):
            importlib.import_module(module)
    began, used = time.perf_counter(), time.process_time()
    _CLIENTS[name](pairs)
    print(json.dumps([time.perf_counter() - began, time.process_time() - used]))


def _in_python(name: str) -> Callable[[Sequence[Pair]], tuple[float, float]]:
    def send(pairs: Sequence[Pair]) -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.upload", "client", name],
            input=json.dumps([[str(path), target] for path, target in pairs]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        wall, cpu = json.loads(done.stdout)
        return wall, cpu

    return send


# --- curl, and the disk alone -------------------------------------------------------


def _timed(work: Callable[[Sequence[Pair]], None]) -> Callable[..., tuple[float, float]]:
    def send(pairs: Sequence[Pair]) -> tuple[float, float]:
        began, used = time.perf_counter(), cpu_seconds()
        work(pairs)
        return time.perf_counter() - began, cpu_seconds() - used

    return send


def _curl_big(pairs: Sequence[Pair]) -> None:
    """A POST for the URL, then the whole file in one PATCH; ``-T`` streams it."""
    ((path, target),) = pairs
    length = f"Upload-Length: {path.stat().st_size}"
    created = _curl("-X", "POST", "-H", length, "-w", "%header{location}", target)
    _curl("-X", "PATCH", "-H", "Upload-Offset: 0", "-H", _BYTES, "-H", "Expect:",
          "-T", str(path), created)  # fmt: skip


def _curl_small(pairs: Sequence[Pair]) -> None:
    """One curl for all of them: each file in the POST that creates its upload."""
    requests = [
        f'url = "{target}"\ndata-binary = "@{path}"\noutput = "{os.devnull}"\n'
        f'header = "{_TUS}"\nheader = "{_BYTES}"\nheader = "Upload-Length: {path.stat().st_size}"\n'
        "silent\nshow-error\nfail\n"
        for path, target in pairs
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".curl") as config:
        config.write("next\n".join(requests))
        config.flush()
        _curl("--parallel", "--parallel-max", str(_WIDTH), "-K", config.name)


def _curl(*arguments: str) -> str:
    command = ["curl", "-sS", "--no-progress-meter", "--fail", "-H", _TUS, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _disk(folder: Path) -> Callable[[Sequence[Pair]], None]:
    """Copy to ``folder`` in writes of 1 MiB, each file on the disk before the next begins."""

    def copy(pair: Pair) -> None:
        with pair[0].open("rb") as source, (folder / pair[0].name).open("wb") as target:
            shutil.copyfileobj(source, target, _MIB)
            target.flush()
            os.fsync(target.fileno())

    def work(pairs: Sequence[Pair]) -> None:
        with ThreadPoolExecutor(_WIDTH) as threads:
            list(threads.map(copy, pairs))

    return work


# --- the service, in a process of its own --------------------------------------------


async def _serve(data: str) -> None:
    settings = TranscoderSettings(data=Path(data), api_keys=(SecretStr(_KEY),), min_free_bytes=0)
    async with Transcoder(settings) as transcoder:
        print(transcoder.url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(time.process_time(), flush=True)


def serve(data: str) -> None:
    """Serve until standard input ends; each line there is answered with the CPU seconds used."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    on_loop(_serve(data))


class Service:
    """The transcoder in its own process, as this one sees it."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks, self._answers = process.stdin, process.stdout
        self.url = self._answers.readline().strip()
        self.uploads = folder / "uploads"
        if not self.url:
            raise SystemExit("The transcoder did not start.")

    def cpu(self) -> float:
        """CPU seconds that it has used."""
        self._asks.write("\n")
        self._asks.flush()
        return float(self._answers.readline())

    def targets(self, count: int) -> list[str]:
        """Where to create uploads: each belongs to a new task."""
        return on_loop(self._tasks(count))

    async def _tasks(self, count: int) -> list[str]:
        async with Http() as http:
            service = QencodeService("benchmark", http, self.url, _KEY, env={})
            blank = Attempt(1, "benchmark", "", "")
            made = await asyncio.gather(*(service.prepare(blank) for _ in range(count)))
        return [absolute(attempt.upload_to or "", self.url) for attempt in made]


@contextmanager
def _service(folder: Path) -> Iterator[Service]:
    command = [sys.executable, "-m", "benchmarks.upload", "serve", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Service(process, folder)
        finally:
            process.communicate()


# --- rounds ------------------------------------------------------------------------------


def _measure(
    contender: Contender, load: Load, service: Service, *, prove: bool
) -> dict[str, float]:
    """One turn: fresh uploads, nothing left to write from before, nothing left behind."""
    pairs = list(zip(load.files, service.targets(len(load.files)), strict=True))
    os.sync()
    used = service.cpu()
    wall, cpu = contender.send(pairs)
    used = service.cpu() - used
    arrived = list(service.uploads.iterdir())
    _check(contender, load, arrived, prove=prove)
    for path in arrived:
        path.unlink()
    rate = load.units / wall
    print(f"  {contender.name}: {rate:.0f} {load.unit}", file=sys.stderr, flush=True)
    return {"rate": rate, "client_cpu_s": cpu, "server_cpu_s": used}


def _check(contender: Contender, load: Load, arrived: Sequence[Path], *, prove: bool) -> None:
    sizes = [sorted(path.stat().st_size for path in paths) for paths in (arrived, load.files)]
    digests = [sorted(map(digest, paths)) for paths in (arrived, load.files)] if prove else [0, 0]
    if sizes[0] != sizes[1] or digests[0] != digests[1]:
        raise SystemExit(f"{contender.name}: what arrived is not what was sent")


def _compete(load: Load, contenders: Sequence[Contender], service: Service) -> dict[str, Any]:
    """Rounds over those that are installed; shows the table; the answer has its figures."""
    print(f"\n{load.title}: {load.rounds} rounds, at most {_WIDTH} uploads at once", flush=True)
    for contender in contenders:
        if contender.missing:
            print(f"{contender.name} skipped: {contender.needs} is not installed")
    samples: dict[str, list[dict[str, float]]] = {}
    running = [contender for contender in contenders if not contender.missing]
    for number, contender in in_turns(running, load.rounds):
        prove = number == load.rounds - 1
        sample = _measure(contender, load, service, prove=prove)
        samples.setdefault(contender.name, []).append(sample)
    _show(load, samples)
    return {name: medians(each) for name, each in samples.items()}


def _show(load: Load, samples: dict[str, list[dict[str, float]]]) -> None:
    rows = []
    for name, each in sorted(samples.items(), key=lambda pair: -medians(pair[1])["rate"]):
        middle, rates = medians(each), [sample["rate"] for sample in each]
        span = f"{min(rates):.0f} to {max(rates):.0f}"
        cpu = [f"{middle[whose]:.2f}" for whose in ("client_cpu_s", "server_cpu_s")]
        rows.append([name, f"{middle['rate']:.0f}", span, *cpu])
    print(table(["median of the rounds", load.unit, "range", "client CPU s", "server CPU s"], rows))


def bench(folder: Path) -> Result:
    """All of it, in ``folder``."""
    found = machine()
    check_room(folder, _NEEDED)
    big = Load("big", "One file of 1 GiB", random_files(folder / "big", 1, GIB), 3, "MiB/s", 1024)
    many = random_files(folder / "small", 500, 64 * 1024)
    small = Load("small", "500 files of 64 KiB", many, 5, "files/s", 500)
    data = folder / "data"
    with _service(data) as service:
        disk = Contender("plain write and fsync", _timed(_disk(service.uploads)))
        ours = Contender("ours", _in_python("ours"))
        aiotus = Contender("aiotus", _in_python("aiotus"), "aiotus")
        tuspy = Contender("tuspy", _in_python("tuspy"), "tusclient")
        threads = Contender("tuspy, threads", _in_python("tuspy, threads"), "tusclient")
        curl = Contender("curl", _timed(_curl_big), "curl")
        curls = Contender("curl, parallel", _timed(_curl_small), "curl")
        one = _compete(big, [ours, curl, aiotus, tuspy, disk], service)
        lot = _compete(small, [ours, curls, aiotus, tuspy, threads, disk], service)
    goals = {
        "1 GiB, ours / curl": Goal(0.95, ratio(one["ours"], one.get("curl"))),
        "64 KiB, ours / aiotus": Goal(2.0, ratio(lot["ours"], lot.get("aiotus"))),
    }
    return Result("upload", {"machine": found, "big": one, "small": lot}, goals)


def main() -> None:
    """Run the benchmark, or one of the processes that it consists of."""
    if sys.argv[1:]:
        {"serve": serve, "client": client}[sys.argv[1]](sys.argv[2])
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = bench(Path(folder))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
