"""The job files of ``jobs/`` in a folder of their own, run through the real engine and service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator import wiring
from orchestrator.config import load_config
from orchestrator.model.outcome import RunOutcome
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from tests.media import ffmpeg

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "jobs"

#: Where the job files expect what is fetched over the web.
EXAMPLE = "https://example.com"

_CONFIG = """
[services.local]
kind = "transcoder"
min_free = "1MiB"
poll_min = 0.05
poll_max = 0.2
workers = 1
{settings}
[collect]
min_free = "1MiB"
[retry]
attempts = 2
encodes = 1
first = 0.05
cap = 0.1
"""


@dataclass
class Library:
    """A folder with films, a config, and job files as they come.

    ``web`` is the address that stands in the place of ``https://example.com``.
    """

    folder: Path
    web: str = EXAMPLE
    settings: str = ""

    def job(self, name: str, changed: Callable[[str], str] = lambda text: text) -> Path:
        """A job file of the product, with local addresses; what it names beside it too."""
        folder = self.folder / "jobs"
        folder.mkdir(exist_ok=True)
        for path in JOBS.glob(f"{name}.*"):
            text = path.read_text(encoding="utf-8").replace(EXAMPLE, self.web)
            (folder / path.name).write_text(changed(text), encoding="utf-8")
        return folder / f"{name}.toml"

    async def run(self, job: Path, manifest: Path | None = None) -> RunOutcome:
        """``orchestrator run JOB``, in this process."""
        config = self.folder / "config.toml"
        config.write_text(_CONFIG.format(settings=self.settings))
        options = wiring.RunOptions(manifest=str(manifest) if manifest else None)
        return await wiring.run_job(load_config(config), load_job(job), options, QuietObserver())

    async def made(self, name: str, manifest: Path | None = None) -> Path:
        """Run a job of the product to its end; the folder of its outputs."""
        outcome = await self.run(self.job(name), manifest)
        assert outcome.counts == {"completed": 1}, self.reasons(outcome)
        return self.folder / "outputs" / name

    def reasons(self, outcome: RunOutcome) -> list[str]:
        """Why an outcome is not what it should be."""
        found = [str(problem) for problem in outcome.problems]
        failed = [f"{each.key}: {each.error}" for each in outcome.failures]
        return [str(outcome.ending), outcome.message, *found, *failed]


def files_in(folder: Path) -> list[str]:
    """The paths of all files below a folder, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one film: two seconds of 640x360 at 25 frames, with a tone in stereo."""
    folder = tmp_path_factory.mktemp("films")
    picture = "testsrc2=s=640x360:r=25:d=2"
    tone = "aevalsrc=0.2*sin(440*2*PI*t)|0.2*sin(550*2*PI*t):s=48000:d=2"
    ffmpeg(
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", folder / "film.mp4"),
    )
    return folder


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The address of a web server on loopback that has the folder's files."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def site(tmp_path: Path, library: Library) -> AsyncIterator[Path]:
    """A folder that stands in the place of ``https://example.com`` in the library's jobs."""
    folder = tmp_path / "site"
    folder.mkdir()
    async with served(folder) as library.web:
        yield folder
