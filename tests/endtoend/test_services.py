"""One manifest, one job: at each service alone, at both at once, and with the one inside."""

import asyncio
import csv
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from orchestrator.config import load_config
from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from orchestrator.services.edge import EdgeClient
from orchestrator.services.http import Http
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from orchestrator.wiring import RunOptions, run_job
from tests.endtoend.conftest import clip
from tests.endtoend.programs import KEY, House
from tests.endtoend.proxy import ANSWER, REQUEST, Proxy
from tests.media import stream, toolchain
from tests.storage.servers import KEY as USER
from tests.storage.servers import SECRET as PASSWORD
from tests.storage.servers import ftp_server

CONFIG = """
default_service = "tasks"
[services.tasks]
kind = "qencode"
url = "{url}"
api_key = "${{env:REMOTE_KEY}}"
settle = 0.5
poll_min = 0.1
poll_max = 0.5
max_in_flight = 3
[services.orders]
kind = "transparent_edge"
url = "{url}"
company = "1"
client_id = "orchestrator"
client_secret = "${{env:REMOTE_KEY}}"
settle = 0.5
poll_min = 0.1
poll_max = 0.5
max_in_flight = 3
[services.local]
kind = "transcoder"
workers = 1
min_free = "1MiB"
poll_min = 0.1
[serve]
workers = 2
min_free = "1MiB"
private_sources = true
private_destinations = true
[collect]
min_free = "1MiB"
"""

#: It says the same to both: a film of 48 x 32 called ``small``.
JOB = """
manifest = "manifest.csv"
payload = "{{name}}"
[query]
[[query.format]]
output = "mp4"
size = "48x32"
tag = "small"
[order]
destinations = ["ftp://{login}@127.0.0.1:{port}/out/{{stem}}"]
[[order.jobs]]
label = "small"
filename = "film.mp4"
profile = "small"
[origin_map]
clips = "ftp://{login}@127.0.0.1:{port}/clips"
[collect]
into = "outputs/{{stem}}"
"""

PROFILE = {
    "name": "small",
    "video_format": "mp4",
    "video_codec": "h264",
    "video_width": 48,
    "video_height": 32,
}


@dataclass
class Town(House):
    """A folder with clips that a file server shows, and a job that every service can do."""

    port: int

    def point_at(self, url: str) -> None:
        """Both services of the config are at ``url``."""
        (self.folder / "config.toml").write_text(CONFIG.format(url=url))

    def write(self, rows: Sequence[Mapping[str, str]]) -> None:
        """The job, and a manifest of as many clips as there are rows."""
        login = "${env:FTP_USER}:${env:FTP_PASSWORD}"
        (self.folder / "job.toml").write_text(JOB.format(login=login, port=self.port))
        first = clip(self.folder / "clips" / "0.mp4", seconds=0.5, sound=False, size="64x48")
        with (self.folder / "manifest.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, ["source", "service"])
            table.writeheader()
            for number, row in enumerate(rows):
                if number:
                    shutil.copy(first, first.with_name(f"{number}.mp4"))
                table.writerow({"source": f"clips/{number}.mp4", **row})

    def forget(self) -> None:
        """No ledger and no output of an earlier run."""
        for left in self.ledger.parent.glob("job.db*"):
            left.unlink()
        for folder in ("outputs", "out"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def encoded(self, since: int = 0, service: str = "serve") -> Counter[str]:
        """How often the service started each clip, by its name: by a task, or by an order."""
        database = self.ledger.parent / service / "tasks.sqlite"
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            rows = db.execute(
                "SELECT payload, source FROM starts WHERE id > ?", (since,)
            ).fetchall()
        db.close()
        return Counter(payload or Path(urlsplit(source).path).name for payload, source in rows)

    def ask(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.ledger) as db:
            rows = db.execute(query).fetchall()
        db.close()
        return rows

    def where(self) -> Counter[str]:
        """How many attempts the ledger has at each service."""
        return Counter(name for (name,) in self.ask("SELECT service FROM attempts"))

    def check(self, count: int, *services: str) -> None:
        """All are completed, in one attempt each, and there; the ledger says where, and why."""
        states = Counter(state for (state,) in self.ask("SELECT state FROM items"))
        assert states == {"completed": count}
        assert self.where().total() == count
        assert set(self.where()) == set(services)
        for number in range(count):
            (made,) = (self.folder / "outputs" / str(number)).iterdir()
            assert made.name == "small.mp4"
            assert made.stat().st_size > 500
        assert (stream(made, "video") or {})["width"] == 48
        ordered = {folder.name for folder in (self.folder / "out").glob("*")}
        assert len(ordered) == self.where()["orders"]
        reasons = self.ask(
            "SELECT e.note FROM attempts a JOIN events e ON e.item_id = a.item_id"
            " AND e.note LIKE a.service || ': %'"
        )
        assert len(reasons) == (count if len(services) > 1 else 0)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setenv("REMOTE_KEY", KEY)
    monkeypatch.setenv("FTP_USER", USER)
    monkeypatch.setenv("FTP_PASSWORD", PASSWORD.replace("=", "%3D"))
    with ftp_server(tmp_path) as port:
        yield Town(tmp_path, port)


async def make_profile(url: str) -> None:
    async with Http() as http:
        await EdgeClient(http, url, "1", "orchestrator", KEY).create_profile(PROFILE)


def every_clip(count: int) -> dict[str, int]:
    """Each once."""
    return {f"{number}.mp4": 1 for number in range(count)}


@asynccontextmanager
async def served(town: Town) -> AsyncIterator[str]:
    """The service in this process, with the profile that the job's order names; its URL."""
    settings = TranscoderSettings(
        data=town.ledger.parent / "serve",
        api_keys=(SecretStr(KEY),),
        workers=2,
        min_free_bytes=0,
        allow_private_sources=True,
    )
    async with Transcoder(settings, FfmpegEncoder(toolchain(), threads=1)) as transcoder:
        await make_profile(transcoder.url)
        town.point_at(transcoder.url)
        yield transcoder.url


async def run_at(town: Town, *services: str) -> RunOutcome:
    config = load_config(town.folder / "config.toml")
    job = load_job(town.folder / "job.toml")
    return await run_job(config, job, RunOptions(services=services), QuietObserver())


async def test_a_few_clips_at_a_service_of_tasks_and_one_of_orders(town: Town) -> None:
    town.write([{}] * 4)
    async with served(town):
        outcome = await run_at(town, "tasks", "orders")
    assert (outcome.ending, outcome.counts) == (Ending.FINISHED, {State.COMPLETED: 4})
    assert town.encoded() == every_clip(4)
    town.check(4, "tasks", "orders")
    where = town.where()
    assert outcome.message == f"{where['tasks']} at tasks, {where['orders']} at orders"


async def test_with_the_service_inside_the_run_and_a_row_that_names_it(town: Town) -> None:
    town.write([{"service": "local"}, {"service": "orders"}, {}, {}, {}, {}])
    async with served(town):
        outcome = await run_at(town, "tasks", "orders", "local")
    assert (outcome.ending, outcome.counts) == (Ending.FINISHED, {State.COMPLETED: 6})
    assert town.encoded() + town.encoded(service="local") == every_clip(6)
    town.check(6, "tasks", "orders", "local")
    named = town.ask(
        "SELECT a.service, e.note FROM attempts a JOIN items i ON i.id = a.item_id"
        " JOIN events e ON e.item_id = i.id AND e.note LIKE '%row' ORDER BY i.line"
    )
    assert named == [(each, f"{each}: named by its row") for each in ("local", "orders")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "at"),
    [
        ("transcode/", REQUEST),
        ("transcode/", ANSWER),
        ("transcode?", ANSWER),
        ("access_token", ANSWER),
    ],
)
async def test_killed_around_a_call_of_the_service_of_orders(
    town: Town, word: str, at: str
) -> None:
    town.write([{}] * 4)
    async with served(town) as url, Proxy(url) as proxy:
        town.point_at(proxy.url)
        proxy.hold(word, at)
        program = await town.start("run", "job.toml", "--service", "orders")
        async with asyncio.timeout(60):
            await proxy.reached[word, at].wait()
        await program.kill()
        proxy.release(word, at)
        await run_by_hand(town, "orders")
    assert town.encoded() == every_clip(4)
    town.check(4, "orders")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_twenty_clips_at_each_service_alone_and_at_both_at_once(town: Town) -> None:
    town.write([{}] * 20)
    town.point_at("http://127.0.0.1:9")
    service, url = await town.serve()
    town.point_at(url)
    files = [town.folder / "job.toml", town.folder / "manifest.csv"]
    before = [file.read_bytes() for file in files]
    try:
        await make_profile(url)
        for services in (("tasks",), ("orders",), ("tasks", "orders")):
            town.forget()
            since = town.encoded().total()
            await run_by_hand(town, *services)
            assert town.encoded(since) == every_clip(20)
            town.check(20, *services)
        assert min(town.where().values()) >= 5
        assert [file.read_bytes() for file in files] == before
        said = await run_by_hand(town, "tasks")  # what is done is done, whoever did it
        assert "all 20 items are done already" in said
    finally:
        await service.kill()


async def run_by_hand(town: Town, *services: str) -> str:
    """``orchestrator run`` at one service or at several; what it says."""
    option = "--services" if len(services) > 1 else "--service"
    program = await town.start("run", "job.toml", option, ",".join(services))
    async with asyncio.timeout(90):
        assert await program.end() == 0, program.output
    return program.output
