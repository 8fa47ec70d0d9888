"""Who uploads: this product's client, curl, aiotus and tuspy, each in a process of its own.

Python clients are timed from the first request on; curl with its start.
"""

import asyncio
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import aiohttp

from benchmarks.harness import as_the_product, cpu_seconds, on_loop
from orchestrator.model.items import Attempt
from orchestrator.services import Http, TusUploader
from orchestrator.settings import LimitsConfig, UploadConfig

_MIB = 2**20
_TUS = "Tus-Resumable: 1.0.0"
_BYTES = "Content-Type: application/offset+octet-stream"

#: aiotus and tuspy hold a chunk in memory. Both were fastest with this one:
#: 4 MiB and 64 MiB were slower by 16 to 31% (medians of 3, on a busy machine).
_CHUNK = 16 * _MIB

#: How many uploads a run has under way, as the product ships.
WIDTH = LimitsConfig().uploads

#: A file and the URL at which its upload is to be created.
Pair = tuple[Path, str]


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


def contenders(uploads: Path) -> tuple[list[Contender], list[Contender]]:
    """Those for one big file, those for many small ones. ``uploads``: the server's own folder."""
    disk = Contender("plain write and fsync", _timed(_disk(uploads)))
    ours, aiotus, tuspy, threads = (
        Contender(name, _in_python(name), needs)
        for name, needs in (
            ("ours", ""),
            ("aiotus", "aiotus"),
            ("tuspy", "tusclient"),
            ("tuspy, threads", "tusclient"),
        )
    )
    curl = Contender("curl", _timed(_curl_big), "curl")
    curls = Contender("curl, parallel", _timed(_curl_small), "curl")
    return [ours, curl, aiotus, tuspy, disk], [ours, curls, aiotus, tuspy, threads, disk]


# --- clients in Python ---------------------------------------------------------------


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
        for _ in range(min(WIDTH, len(pairs))):
            group.create_task(work())


async def _ours(pairs: Sequence[Pair]) -> None:
    settings = UploadConfig()
    async with Http() as http:
        uploader = TusUploader(http, pairs[0][1], **settings.model_dump())

        async def send(path: Path, target: str) -> None:
            attempt = Attempt(1, "benchmark", "", "", upload_to=target)
            await uploader.upload(path, attempt, _Watcher())

        await _each(pairs, send)


async def _aiotus(pairs: Sequence[Pair]) -> None:
    aiotus = importlib.import_module("aiotus")
    async with aiohttp.ClientSession() as session:

        async def send(path: Path, target: str) -> None:
            with path.open("rb") as file:
                about = {"filename": path.name.encode()}
                if not await aiotus.upload(target, file, about, session, chunksize=_CHUNK):
                    raise RuntimeError("aiotus gave up")

        await _each(pairs, send)


def _tuspy(pairs: Sequence[Pair], width: int) -> None:
    client = importlib.import_module("tusclient.client")

    def send(pair: Pair) -> None:
        path, target = pair
        # Without metadata it sends an empty header, which @tus/server refuses.
        about = {"filename": path.name}
        client.TusClient(target).uploader(str(path), metadata=about, chunk_size=_CHUNK).upload()

    with ThreadPoolExecutor(width) as threads:
        list(threads.map(send, pairs))


_CLIENTS: dict[str, Callable[[Sequence[Pair]], None]] = {
    "ours": lambda pairs: as_the_product(_ours(pairs)),
    "aiotus": lambda pairs: on_loop(_aiotus(pairs)),
    "tuspy": lambda pairs: _tuspy(pairs, 1),
    "tuspy, threads": lambda pairs: _tuspy(pairs, WIDTH),
}


def main() -> None:
    """Upload the pairs on standard input as the client named; print wall and CPU seconds."""
    pairs = [(Path(path), target) for path, target in json.load(sys.stdin)]
    for module in ("aiotus", "tusclient.client"):
        if find_spec(module.partition(".")[0]):
            importlib.import_module(module)
    began, used = time.perf_counter(), time.process_time()
    _CLIENTS[sys.argv[1]](pairs)
    print(json.dumps([time.perf_counter() - began, time.process_time() - used]))


def _in_python(name: str) -> Callable[[Sequence[Pair]], tuple[float, float]]:
    def send(pairs: Sequence[Pair]) -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.uploading.clients", name],
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
    created = _curl("-X", "POST", "-H", _TUS, "-H", length, "-w", "%header{location}", target)
    _curl("-X", "PATCH", "-H", _TUS, "-H", "Upload-Offset: 0", "-H", _BYTES, "-H", "Expect:",
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
        _curl("--parallel", "--parallel-max", str(WIDTH), "-K", config.name)


def _curl(*arguments: str) -> str:
    command = ["curl", "-sS", "--no-progress-meter", "--fail", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _disk(folder: Path) -> Callable[[Sequence[Pair]], None]:
    """Copy to ``folder`` in writes of 1 MiB, each file on the disk before the next begins."""

    def copy(pair: Pair) -> None:
        with pair[0].open("rb") as source, (folder / pair[0].name).open("wb") as target:
            shutil.copyfileobj(source, target, _MIB)
            target.flush()
            os.fsync(target.fileno())

    def work(pairs: Sequence[Pair]) -> None:
        with ThreadPoolExecutor(WIDTH) as threads:
            list(threads.map(copy, pairs))

    return work


if __name__ == "__main__":
    main()
