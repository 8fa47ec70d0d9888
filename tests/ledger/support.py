"""What the ledger's tests share: a clock, rows, a recipe, steps of an item."""

import asyncio
import atexit
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

from orchestrator.ledger import SqlLedger
from orchestrator.model.items import Attempt, Change, Item, Problem, Row
from orchestrator.model.states import State


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now=1_700_000_000.0):
        self.time = now

    def now(self):
        return self.time

    def monotonic(self):
        return self.time

    async def sleep(self, seconds):
        self.time += seconds


class RealClock(HandClock):
    def now(self):
        return time.time()


class Recipe:
    """Digest and folder as told; rows whose key is in ``bad`` have a problem."""

    def __init__(self, digest="d1", folder="", bad=()):
        self._digest, self._folder, self._bad = digest, folder, bad

    def digest(self, row):
        return self._digest

    def folder(self, row):
        return self._folder.format(**row.fields)

    def check(self, row):
        if row.key in self._bad:
            return Problem("job.toml", "needs {title}", line=row.line, key=row.key)
        return None


@cache
def empty_ledger() -> Path:
    """An empty ledger to copy."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    path = folder / "empty.db"
    with ThreadPoolExecutor(1) as other:  # away from the event loop of a test
        other.submit(asyncio.run, _make(path)).result()
    return path


async def _make(path):
    async with SqlLedger(f"sqlite:///{path}", "demo", clock=HandClock()):
        pass


def row(key, line=0, **changes):
    source = changes.pop("source", f"/media/{key}.mp4")
    made = Row(key, source, fields={"stem": key, "id": key}, fingerprint="f1", size=10, line=line)
    return replace(made, **changes)


def rows(count, **changes):
    return [row(f"item-{number:05d}", line=number + 2, **changes) for number in range(count)]


def never(error_class):
    return False


def always(error_class):
    return True


async def take_in(ledger, manifest, recipe=None, *, keep_going=False, retry=never):
    """A new run, and its manifest taken in."""
    await ledger.begin_run("qencode", "m.csv", {})
    return await ledger.ingest(manifest, recipe or Recipe(), keep_going=keep_going, retry=retry)


def begin(item, state=State.UPLOADING, **noted):
    """The item with its next attempt begun."""
    attempt = Attempt(
        number=item.attempts + 1,
        service="qencode",
        fingerprint=item.fingerprint,
        digest=item.digest,
        task=f"task-{item.id}-{item.attempts + 1}",
        started_at=1_700_000_000.0,
        **noted,
    )
    return item.to(state, attempts=attempt.number, attempt=attempt)


#: The way of an item that meets no trouble, after its first step.
ONWARD = (State.UPLOADED, State.STARTING, State.ENCODING, State.COLLECTING, State.COMPLETED)


async def bring_to(ledger, item: Item, state: State, outputs=None) -> Item:
    """Post every step from pending to ``state``."""
    for step in (State.UPLOADING, *ONWARD):
        if item.state is state:
            break
        now = begin(item) if step is State.UPLOADING else item.to(step)
        reported = outputs if step is State.COLLECTING else None
        await ledger.post(Change(now, item.state, reported))
        item = now
    return item
