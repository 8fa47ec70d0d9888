"""A job between here and a recording service, with a proxy on the way that breaks things."""

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from orchestrator.config import load_config
from orchestrator.model.items import Item
from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from orchestrator.report.logs import configure_logging
from orchestrator.wiring import RunOptions, run_job
from tests.endtoend.books import Books, Entries, digest_of, output_of
from tests.endtoend.proxy import Proxy
from tests.endtoend.recording import Pace, RecordingService, serving
from tests.ledger.support import empty_ledger

KEY = "key-that-nobody-may-see"

CONFIG = """
default_service = "remote"
[services.remote]
kind = "qencode"
url = "{url}"
api_key = "${{env:FAULTS_KEY}}"
timeout = 0.4
connect = 0.4
settle = 0.1
poll_min = 0.02
poll_max = 0.05
[upload]
chunk = "128KiB"
small = "64KiB"
stall = 0.4
[collect]
verify = "size"
[retry]
attempts = 8
first = 0.02
cap = 0.1
"""

JOB = """
manifest = "list.txt"
payload = "{name}"
[[query.format]]
output = "mp4"
tag = "small"
[collect]
into = "outputs/{stem}"
"""

REMOTE = "http://127.0.0.1:9/far.mp4"

#: Called with an item that has just moved.
Seen = Callable[[Item], None]


class Watcher(QuietObserver):
    """Keeps what a person would be told, and calls ``seen`` at each step."""

    def __init__(self, seen: Seen | None) -> None:
        self.notes: list[str] = []
        self._seen = seen

    def moved(self, item: Item, was: State) -> None:
        if self._seen is not None:
            self._seen(item)

    def note(self, message: str) -> None:
        self.notes.append(message)


@dataclass
class Place:
    """A folder with two files and a URL to encode: one request's worth, several, and none."""

    folder: Path
    service: RecordingService
    proxy: Proxy
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        small, large = self.folder / "small.mp4", self.folder / "large.mp4"
        small.write_bytes(bytes(range(256)) * 40)
        large.write_bytes(bytes(range(251)) * 1200)
        self.files = {small.name: small, large.name: large}
        lines = [small.name, large.name, REMOTE]
        (self.folder / "list.txt").write_text("\n".join(lines) + "\n")
        (self.folder / "job.toml").write_text(JOB)
        (self.folder / "config.toml").write_text(CONFIG.format(url=self.proxy.url))
        self.ledger.parent.mkdir()
        shutil.copy(empty_ledger(), self.ledger)

    @property
    def ledger(self) -> Path:
        return self.folder / ".orchestrator" / "job.db"

    @property
    def books(self) -> Path:
        return self.folder / "books"

    async def run(self, seen: Seen | None = None, within: float = 20.0) -> RunOutcome:
        """``orchestrator run`` in this process; nothing may hang, and no secret may show."""
        config = load_config(self.folder / "config.toml")
        job = load_job(self.folder / "job.toml")
        watcher = Watcher(seen)
        with _logged(config.log_file(job.name)):
            async with asyncio.timeout(within):
                outcome = await run_job(config, job, RunOptions(), watcher)
        self._no_secret_in(json.dumps([asdict(outcome), watcher.notes], default=str))
        return outcome

    async def finishes(self, seen: Seen | None = None, within: float = 20.0) -> RunOutcome:
        """A run completes everything."""
        outcome = await self.run(seen, within)
        assert outcome.ending is Ending.FINISHED, outcome
        assert outcome.counts == {State.COMPLETED: 3}, outcome
        assert self.proxy.broken, "a fault that never happened proves nothing"
        self.audit()
        return outcome

    def audit(self, *, without: str = "") -> None:
        """Everything but ``without`` was started once, on what it is, and collected whole."""
        entries = Entries.read(self.books)
        sources = {name: path.read_bytes() for name, path in self.files.items() if path.is_file()}
        sources["far.mp4"] = REMOTE.encode()
        for name, content in sources.items():
            if name == without:
                continue
            (start,) = entries.of(name)
            assert start.whole
            assert start.digest == digest_of(content)
            collected = self.folder / "outputs" / name.removesuffix(".mp4") / "small.mp4"
            assert collected.read_bytes() == output_of(start.digest)
        assert not list(self.folder.rglob("*.part"))

    def _no_secret_in(self, told: str) -> None:
        secrets = [KEY, *self.service.tokens]
        files = [path for path in self.ledger.parent.rglob("*") if path.is_file()]
        for where in [told.encode(), *(path.read_bytes() for path in files)]:
            for secret in secrets:
                assert secret.encode() not in where


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Everything is logged to ``file``, as a run does, and then as before."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    configure_logging(file, level="debug", format="text")
    try:
        yield
    finally:
        for handler in root.handlers[:]:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    """The service, the proxy in front of it, and the folder."""
    books = Books(folder / "books")
    service = RecordingService(books, KEY, Pace(encode=0.02))
    try:
        async with serving(service) as url, Proxy(url) as proxy:
            yield Place(folder, service, proxy)
    finally:
        books.close()
