"""A folder with a job in it, and wiring that only notes what it was asked for."""

import logging
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

import orchestrator
from orchestrator.cli.app import app
from orchestrator.ledger.wishes import Answer
from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import State
from orchestrator.report.findings import Finding

JOB = """\
manifest = "m.csv"

[query]
encoder_version = 2

[[query.format]]
output = "mp4"
size = "320x240"
video_codec = "libx264"
"""


@dataclass(frozen=True, slots=True)
class Options:
    manifest: str | None = None
    service: str | None = None
    keep_going: bool = False
    limit: int | None = None
    follow: bool = False
    until: str | None = None
    services: tuple[str, ...] = ()


@dataclass
class Wired:
    """What the commands asked for, and what they are answered."""

    outcome: RunOutcome
    calls: list[Any] = field(default_factory=list)
    problems: tuple[list[Any], int, int] = ([], 0, 3)
    planned: list[Any] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reader: Any = None
    said: Answer = field(default_factory=lambda: Answer(True, "so be it", 2, {"pending": 2}))
    error: BaseException | None = None
    during: Callable[[Any], None] = lambda observer: None

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        structlog.get_logger("orchestrator.wiring").info("a line for the log")
        if self.error is not None:
            raise self.error

    async def run_job(self, config, job, options, observer):
        self._note("run", job.name, options)
        observer.began({State.PENDING: 1})
        self.during(observer)
        return self.outcome

    def plan_job(self, config, job, options):
        self._note("plan", job.name, options)
        return iter(self.planned)

    def validate_job(self, config, job, options):
        self._note("validate", job.name, options)
        return self.problems

    def open_reader(self, config, job):
        self._note("reader", job.name)
        return self.reader

    async def ask(self, config, job, wish):
        self._note("ask", job.name, wish)
        return self.said

    def export_job(self, config, job, to):
        self._note("export", job.name, to)
        return 3

    async def serve(self, config, listen, ready):
        self._note("serve", listen)
        ready("http://127.0.0.1:8080")

    async def diagnose(self, config, services):
        self._note("diagnose", services)
        return self.findings

    async def make_samples(self, folder):
        self._note("samples", folder)
        return [folder / "a.mp4", folder / "b.mp4"]


@pytest.fixture
def wired(monkeypatch) -> Wired:
    ledger = "sqlite:////x/night.db"
    wired = Wired(RunOutcome("night", Ending.FINISHED, ledger, counts={State.COMPLETED: 1}))
    fake: Any = types.ModuleType("orchestrator.wiring")
    fake.RunOptions = Options
    fake.__path__ = [str(Path(orchestrator.__file__).parent / "wiring")]  # for wiring.clock
    for name in (name for name in dir(Wired) if not name.startswith("_")):
        setattr(fake, name, getattr(wired, name, None))
    monkeypatch.setitem(sys.modules, "orchestrator.wiring", fake)
    monkeypatch.setattr(orchestrator, "wiring", fake, raising=False)
    return wired


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """The current folder: a config, and jobs/night.toml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/night.toml").write_text(JOB)
    (tmp_path / "config.toml").write_text("")
    return tmp_path


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def typed() -> Callable[..., Result]:
    """Runs the command line in this process."""

    def run(*args: str) -> Result:
        return CliRunner().invoke(app, list(args), prog_name="orchestrator", catch_exceptions=False)

    return run
