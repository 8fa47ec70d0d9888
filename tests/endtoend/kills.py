"""kill -9 again and again: manifests, the moments, and what must be true after each."""

import asyncio
import json
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.endtoend.books import START, Entries, digest_of, output_of
from tests.endtoend.programs import KEY, ROOT, House, Program
from tests.endtoend.recording import Pace

CONFIG = """
default_service = "remote"
[services.remote]
kind = "qencode"
url = "{url}"
api_key = "${{env:REMOTE_KEY}}"
settle = 0.3
poll_min = 0.05
poll_max = 0.2
[limits]
uploads = 3
starts = 3
in_flight = 5
collects = 2
upload_ahead = 3
[upload]
chunk = "64KiB"
small = "64KiB"
[collect]
verify = "size"
[retry]
attempts = 30
first = 0.05
cap = 0.3
"""

QUERY = """
payload = "{name}"
[[query.format]]
output = "mp4"
height = 120
tag = "small"
"""

#: Items of a manifest, by what their sources are.
LOCAL, REMOTE = 30, 6


@asynccontextmanager
async def recording(books: Path, pace: Pace) -> AsyncIterator[str]:
    """The recording service in another process; its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.endtoend.recording"),
        *(str(books), KEY, json.dumps(vars(pace))),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()


class Campaign:
    """Kills engines that work on one fresh manifest after another, by ``seed``."""

    def __init__(self, folder: Path, url: str, books: Path, seed: int) -> None:
        self._folder, self._url, self._books = folder, url, books
        self._random = random.Random(seed)
        self._boot = 0.0
        self._house: House
        self._rounds = 0
        self.kills = 0
        #: How many kills found an item in each state.
        self.found: Counter[str] = Counter()

    async def kill(self, times: int) -> None:
        """Kill so many times, then let the last manifest be finished undisturbed."""
        self._fresh()
        await self._measure()
        while self.kills < times:
            program = await self._house.start("run", "job.toml")
            if await self._ended(program, self._moment()):
                assert program.process.returncode == 0, program.output
                self._audit()
                self._fresh()
            else:
                self._killed()
        program = await self._house.start("run", "job.toml")
        async with asyncio.timeout(60):
            assert await program.end() == 0, program.output
        self._audit()

    async def _measure(self) -> None:
        """How long an engine takes from its start to its first call: moments follow from that."""
        began = time.monotonic()
        program = await self._house.start("run", "job.toml")
        async with asyncio.timeout(30):
            while not self._books.stat().st_size:
                await asyncio.sleep(0.01)
                assert program.process.returncode is None, await program.end() and program.output
        self._boot = time.monotonic() - began
        await program.kill()
        self._killed()

    def _moment(self) -> float:
        """A third of the kills hit the start of an engine, the others its work."""
        if self._random.random() < 0.3:
            return self._random.uniform(0.0, 1.1 * self._boot)
        return self._boot * 0.6 + self._random.expovariate(1.5)

    async def _ended(self, program: Program, moment: float) -> bool:
        """Whether the program ended by itself; killed at ``moment`` otherwise."""
        end = asyncio.create_task(program.end())
        ended, _ = await asyncio.wait([end], timeout=moment)
        if not ended and program.process.returncode is None:
            program.process.kill()
        return await end != -signal.SIGKILL

    def _killed(self) -> None:
        """Count it; the ledger is whole: a copy of it, so that the next run finds what was left."""
        self.kills += 1
        ledger = self._house.ledger
        if not ledger.exists():
            self.found["none"] += 1
            return
        with sqlite3.connect(_copy(ledger)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            try:
                states = {state for (state,) in db.execute("SELECT DISTINCT state FROM items")}
            except sqlite3.OperationalError:
                states = set()
        db.close()
        self.found.update(states or {"none"})

    # --- the manifests -----------------------------------------------------------

    def _fresh(self) -> None:
        """Another folder, ledger and manifest: nothing of it was seen before."""
        self._rounds += 1
        self._house = House(self._folder / str(self._rounds))
        files = self._house.folder / "files"
        files.mkdir(parents=True)
        lines = [f"http://127.0.0.1:9/{self._rounds}-{n}.mp4" for n in range(REMOTE)]
        for number in range(LOCAL):
            name = f"{self._rounds}-file-{number}.mp4"
            size = int(2 ** self._random.uniform(8, 19))
            (files / name).write_bytes(self._random.randbytes(size))
            lines.append(f"files/{name}")
        self._random.shuffle(lines)
        (self._house.folder / "list.txt").write_text("\n".join(lines) + "\n")
        (self._house.folder / "config.toml").write_text(CONFIG.format(url=self._url))
        self._house.write_job(QUERY, "list.txt")

    def _audit(self) -> None:
        """Nothing lost, nothing started twice, nothing uploaded wrongly."""
        house, entries = self._house, Entries.read(self._books)
        with sqlite3.connect(house.ledger) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = db.execute("SELECT key, state FROM items").fetchall()
        db.close()
        assert len(rows) == LOCAL + REMOTE
        for key, state in rows:
            name = key.rpartition("/")[2]
            assert state == "completed", f"{key} is {state}"
            (start,) = entries.of(name)
            local = not key.startswith("http")
            content = Path(key).read_bytes() if local else key.encode()
            assert start.whole
            assert start.digest == digest_of(content), f"{key}: not what was uploaded"
            collected = house.folder / "outputs" / name.removesuffix(".mp4") / "small.mp4"
            assert collected.read_bytes() == output_of(start.digest), key
        assert not list(house.folder.rglob("*.part"))
        assert entries.kinds[START] >= len(rows)


def _copy(ledger: Path) -> Path:
    folder = ledger.parent / "copy"
    folder.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        beside = ledger.with_name(ledger.name + suffix)
        if beside.exists():
            shutil.copy(beside, folder / beside.name)
        else:
            (folder / beside.name).unlink(missing_ok=True)
    return folder / ledger.name
