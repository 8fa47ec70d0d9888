"""The engine against a service that answers at once, beside the vendor's SDK in threads.

What is left is what the product itself costs: for every item a task, a start, a
status and five steps in a ledger on a real disk, three of which are waited for.
The SDK (``qencode3``) makes the same three calls per item in a thread pool and
records nothing. Both run in a process of their own against the same null API,
which is a third; CPU is the client process's alone.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    Goal,
    Result,
    as_the_product,
    in_turns,
    machine,
    medians,
    ratio,
    table,
)

ITEMS = 40_000
ROUNDS = 3

#: Threads of the SDK: more were slower (they share one interpreter).
THREADS = 8

_FORMAT = [{"output": "mp4", "size": "1280x720", "video_codec": "libx264"}]
_KEY = "benchmark"

# --- the contenders, each in a process of its own ----------------------------------


def ours(url: str, folder: Path) -> dict[str, float]:
    """This product: manifest taken in beforehand; timed is the engine's run."""
    return as_the_product(_run_engine(url, folder))


async def _run_engine(url: str, folder: Path) -> dict[str, float]:
    from orchestrator.engine import Engine, Limits, Parts, Patience
    from orchestrator.ledger import SqlLedger
    from orchestrator.model.states import State
    from orchestrator.query import QencodeRecipe, load_job
    from orchestrator.report import Counting, QuietObserver
    from orchestrator.services import Http, HttpCollector, QencodeService, TusUploader
    from orchestrator.wiring.clock import SystemClock
    from orchestrator.wiring.sources import LocalSources

    job = load_job(_job_file(folder))
    clock, recipe = SystemClock(), QencodeRecipe(job)
    async with SqlLedger(f"sqlite:///{folder}/ledger.db", job.name, clock=clock) as ledger:
        await ledger.begin_run("null", job.manifest, {})
        from orchestrator.manifest import read

        taken = await ledger.ingest(
            read(job.manifest), recipe, keep_going=False, retry=lambda _: False
        )
        assert taken.taken, taken.problems
        async with Http(connections=256) as http:
            parts = Parts(
                service=QencodeService("null", http, url, _KEY, env={}),
                uploader=TusUploader(http, url),
                sources=LocalSources("stat"),
                collector=HttpCollector(http, url, lambda *_: None),
                recipe=recipe,
                ledger=ledger,
                observer=Counting(QuietObserver()),
                clock=clock,
            )
            limits = Limits(uploads=64, starts=256, in_flight=10_000, collects=256, upload_ahead=64)
            engine = Engine(parts, limits, Patience(poll_min=0.5, poll_max=2.0))
            measured = await _timed(engine.run)
        counts = await ledger.counts()
        assert counts == {State.COMPLETED: ITEMS}, counts
    return measured


async def _timed(run: Callable[[], Any]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    await run()
    return _figures(time.perf_counter() - wall, time.process_time() - cpu)


def sdk(url: str, _folder: Path) -> dict[str, float]:
    """The vendor's SDK: every item in a thread, from its task to its end."""
    from qencode3.client import Client

    client = Client(_KEY, api_url=url + "/")
    assert not client.error, client.message

    def one(number: int) -> None:
        task = client.create_task()
        query = {"query": {"source": _source(number), "format": _FORMAT}}
        task.custom_start(json.dumps(query))
        while task.status()["status"] != "completed":
            time.sleep(1)

    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(one, range(ITEMS)))
    return _figures(time.perf_counter() - wall, time.process_time() - cpu)


def _figures(wall: float, cpu: float) -> dict[str, float]:
    return {"rate": ITEMS / wall, "cpu_ms": cpu / ITEMS * 1000}


def _source(number: int) -> str:
    return f"https://media.example/films/{number:06}.mp4"


def _job_file(folder: Path) -> Path:
    (folder / "films.txt").write_text("".join(f"{_source(n)}\n" for n in range(ITEMS)))
    job = folder / "null.toml"
    wanted = "".join(f'{name} = "{value}"\n' for name, value in _FORMAT[0].items())
    job.write_text(f'manifest = "films.txt"\n[[query.format]]\n{wanted}')
    return job


_CONTENDERS = {"orchestrator": ours, "qencode3": sdk}

# --- the comparison -----------------------------------------------------------------


@contextmanager
def _null_api() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.null.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _measure(name: str, url: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        command = [sys.executable, "-m", "benchmarks.engine", name, url, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare() -> Result:
    """Both in turns on one server; medians."""
    figures: dict[str, Any] = {"items": ITEMS, "rounds": ROUNDS, **machine()}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in _CONTENDERS}
    with _null_api() as url:
        for _, name in in_turns(list(_CONTENDERS), ROUNDS):
            samples[name].append(_measure(name, url))
    found = {name: medians(each) for name, each in samples.items()}
    rows = [[name, f"{each['rate']:,.0f}", f"{each['cpu_ms']:.2f}"] for name, each in found.items()]
    print(table(["client", "items/s", "CPU ms an item"], rows))
    figures |= {name: _rounded(each) for name, each in found.items()}
    mine = found["orchestrator"]
    goals = {
        "items/s over 2,000": Goal(1.0, mine["rate"] / 2000),
        "0.5 ms over CPU an item": Goal(1.0, 0.5 / mine["cpu_ms"]),
        "items/s over qencode3": Goal(2.0, ratio(mine, found["qencode3"])),
    }
    return Result("engine", figures, goals)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Compare; or, with a contender's name, be it."""
    if len(sys.argv) > 1:
        _, name, url, folder = sys.argv
        print(json.dumps(_CONTENDERS[name](url, Path(folder))))
        return
    result = compare()
    print(result.verdict())
    print(result.line())


if __name__ == "__main__":
    main()
