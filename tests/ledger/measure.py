"""What the ledger costs: ``python -m tests.ledger.measure [rows] [folder]``.

CPU microseconds per manifest row and per item with three durable steps, the
event loop's and the test's own work taken off; and how long questions take.
"""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.ledger import LedgerReader, SqlLedger, export
from orchestrator.model.items import Attempt, Change, Row
from orchestrator.model.states import State
from tests.ledger.support import RealClock, Recipe, never

STEPS = 30_000
AT_ONCE = 128


def manifest(count):
    for number in range(count):
        stem, parent = f"episode-{number:07d}", f"season-{number // 1000:04d}"
        path = f"/media/library/{parent}/{stem}.mp4"
        fields = {"source": path, "stem": stem, "name": f"{stem}.mp4", "parent": parent, "id": path}
        yield Row(path, path, fields=fields, fingerprint=f"{number}-17", size=number, line=number)


class Stopwatch:
    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def per(self, count, less=0.0):
        cpu, wall = time.process_time() - self.cpu - less, time.perf_counter() - self.wall - less
        return f"{cpu / count * 1e6:6.1f} µs cpu, {wall / count * 1e6:6.1f} µs wall"

    def once(self):
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        return f"{cpu * 1e3:6.1f} ms cpu, {wall * 1e3:6.1f} ms wall"


async def ingests(ledger, count, names, recipe):
    watch = Stopwatch()
    for row in manifest(count):
        recipe.digest(row), recipe.folder(row), recipe.check(row)
    own = time.process_time() - watch.cpu
    for name in names:
        await ledger.begin_run("s", "m.csv", {})
        watch = Stopwatch()
        taken = await ledger.ingest(manifest(count), recipe, keep_going=False, retry=never)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{name:<28}{watch.per(count, own)} a row, peak {peak} MB, {dict(taken.counts)}")


async def walk(items, post):
    while items:
        item = items.pop()
        attempt = Attempt(1, "s", item.fingerprint, item.digest, task="t" * 32, started_at=1.0)
        begun = item.to(State.UPLOADED, attempts=1, attempt=attempt)
        await post(Change(begun, item.state))
        starting = begun.to(State.STARTING)
        await post(Change(starting, begun.state))
        encoding = starting.noting(State.ENCODING, status_url="/v1/status")
        await post(Change(encoding, starting.state))


async def steps(ledger, count):
    loop = asyncio.get_running_loop()

    def at_once(change):
        done = loop.create_future()
        loop.call_soon(done.set_result, None)
        return done

    own = 0.0
    for name, post in (("(without a ledger)", at_once), ("three durable steps", ledger.post)):
        items = await ledger.pending(count, ())
        watch = Stopwatch()
        await asyncio.gather(*(walk(items, post) for _ in range(AT_ONCE)))
        print(f"{name:<28}{watch.per(count, own)} an item")
        own = time.process_time() - watch.cpu


async def questions(ledger, url, folder):
    for name, question in {
        "pending(200)": lambda: ledger.pending(200, ()),
        "in_flight(500)": lambda: ledger.in_flight([State.ENCODING], 0, 500),
        "next_due()": lambda: ledger.next_due(time.time()),
        "counts()": ledger.counts,
    }.items():
        watch = Stopwatch()
        await question()
        print(f"{name:<28}{watch.once()}")
    watch = Stopwatch()
    count = export(LedgerReader(url, "demo"), Path(folder) / "export.csv")
    print(f"{'export':<28}{watch.per(count)} a row")


async def main(count, folder):
    url = f"sqlite:///{folder}/demo.db"
    for name in ("opening, new", "opening again"):
        watch = Stopwatch()
        async with SqlLedger(url, "demo", clock=RealClock()):
            print(f"{name:<28}{watch.once()}")
    async with SqlLedger(url, "demo", clock=RealClock()) as ledger:
        await ingests(ledger, count, ["new rows", "pending rows again"], Recipe())
        await steps(ledger, min(count, STEPS))
        await questions(ledger, url, folder)
        ledger._writer.exec_driver_sql("UPDATE items SET state = 'completed'")
        ledger._writer.commit()
        await ingests(ledger, count, ["completed rows"], Recipe())
        await ingests(ledger, count, ["the same, into folders"], Recipe(folder="/out/{stem}"))


if __name__ == "__main__":
    rows_wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as where:
        asyncio.run(main(rows_wanted, where))
        print(f"{Path(where, 'demo.db').stat().st_size / rows_wanted:.0f} bytes a row")
