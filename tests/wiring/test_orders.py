"""Jobs with an order, from their file to finished items: real files, a real FTP server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest

from orchestrator.config import Config, load_config
from orchestrator.ledger import LedgerReader
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Item
from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import State
from orchestrator.query import load_job
from orchestrator.report import QuietObserver
from orchestrator.wiring.checks import diagnose
from orchestrator.wiring.estimate import Estimate
from orchestrator.wiring.inspection import plan_job, validate_job
from orchestrator.wiring.options import RunOptions
from orchestrator.wiring.runs import run_job
from tests.services.edge_server import CLIENT, EdgeServer
from tests.storage.servers import KEY, SECRET, ftp_server

CONFIG = """
default_service = "edge"
[services.edge]
url = "{url}"
company = "1237"
client_id = "client-id"
client_secret = "${{env:EDGE_SECRET}}"
settle = 0.2
poll_min = 0.05
poll_max = 0.1
{more}
[retry]
first = 0.05
cap = 0.2
[collect]
verify = "size"
min_free = "1MiB"
"""

ORDER = """
manifest = "clips"
{more}
[order]
destinations = ["ftp://${{env:FTP_USER}}:${{env:FTP_PASSWORD}}@127.0.0.1:{port}/out/{{stem}}"]
[[order.jobs]]
label = "iphone"
filename = "{{stem}}.mp4"
profile = "480p"
"""

COLLECT = """
[collect]
into = "outputs/{stem}"
"""

FOLDER = "ftp://${{env:FTP_USER}}:${{env:FTP_PASSWORD}}@127.0.0.1:{port}/in"


@dataclass
class House:
    """A folder with a config, a job and clips; a file server; a service of orders."""

    folder: Path
    port: int
    server: EdgeServer
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.folder / "ftp"

    def config(self, more: str = "") -> Config:
        file = self.folder / "config.toml"
        file.write_text(CONFIG.format(url=self.server.url, more=more))
        return load_config(file)

    def job(self, more: str = "", collect: str = "") -> Path:
        path = self.folder / "night.toml"
        path.write_text(ORDER.format(more=more.format(port=self.port), port=self.port) + collect)
        return path

    async def run(self, config: Config, job: Path, **more: Any) -> RunOutcome:
        observer = Noting(self.notes)
        return await run_job(config, load_job(job), RunOptions(**more), observer)

    def reader(self) -> LedgerReader:
        return LedgerReader(f"sqlite:///{self.folder}/.orchestrator/night.db", "night")


class Noting(QuietObserver):
    """Keeps what a person is told, and which states items went through."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.items: dict[str, Item] = {}

    def note(self, message: str) -> None:
        self.notes.append(message)

    def moved(self, item: Item, was: State) -> None:
        self.items[item.key] = item


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("EDGE_SECRET", CLIENT[1])
    monkeypatch.setenv("FTP_USER", KEY)
    monkeypatch.setenv("FTP_PASSWORD", SECRET.replace("=", "%3D"))
    for name in ("one", "two", "drei ä"):
        (tmp_path / "clips").mkdir(exist_ok=True)
        (tmp_path / "clips" / f"{name}.mov").write_bytes(name.encode() * 1000)
    root = tmp_path / "ftp"
    root.mkdir()
    with ftp_server(root) as port:
        async with EdgeServer() as server:
            yield House(tmp_path, port, server)


def encode(house: House, order: dict[str, Any]) -> None:
    """What the service would do: read the origin, store what its jobs make."""
    asked = order["asked"]
    source = house.files / unquote(urlsplit(asked["origin"]).path.lstrip("/"))
    assert f"{KEY}:{SECRET.replace('=', '%3D')}@127.0.0.1:{house.port}" in asked["origin"]
    data = source.read_bytes()
    folder = house.files / unquote(urlsplit(asked["destinations"][0]).path.lstrip("/"))
    folder.mkdir(parents=True, exist_ok=True)
    for job in asked["jobs"]:
        (folder / job["filename"]).write_bytes(b"encoded:" + data)


class Worker:
    """Encodes what was ordered, one order after the other, until the test ends."""

    def __init__(self, house: House, fail: str = "") -> None:
        self._house, self._fail = house, fail
        self.calls = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _work(self) -> None:
        while True:
            for order in list(self._house.server.orders.values()):
                if order["status"] == "QUEUED":
                    await self._one(order)
            await asyncio.sleep(0.01)

    async def _one(self, order: dict[str, Any]) -> None:
        if self._fail and self._fail in order["asked"]["origin"]:
            order.update(status="ERROR", comment="the origin is no film")
            return
        encode(self._house, order)
        order.update(status="FINISHED", duration=4.0)
        for note in order["asked"].get("notifications", ()):
            async with aiohttp.ClientSession() as http, http.post(note["call"], json=order) as said:
                self.calls += said.status == 200


def published(house: House) -> list[str]:
    folder = house.files / "in"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_local_clips_are_published_ordered_and_collected(house: House) -> None:
    job = house.job(f'publish = "{FOLDER}"', COLLECT)
    async with Worker(house):
        outcome = await house.run(house.config(), job)
    assert outcome.ending is Ending.FINISHED, outcome
    assert outcome.counts == {State.COMPLETED: 3}
    for name in ("one", "two", "drei ä"):
        made = house.folder / "outputs" / name / "iphone.mp4"
        assert made.read_bytes() == b"encoded:" + name.encode() * 1000
    assert len(published(house)) == len(house.server.orders) == 3
    assert outcome.sent_bytes > 0
    ledger = (house.folder / ".orchestrator" / "night.db").read_bytes()
    assert SECRET[:20].encode() not in ledger
    assert CLIENT[1].encode() not in ledger
    async with Worker(house):
        again = await house.run(house.config(), job)
    assert again.skipped == 3
    assert len(house.server.orders) == 3


async def test_published_sources_are_removed_once_nobody_needs_them(house: House) -> None:
    more = f'[publish]\nto = "{FOLDER}"\nremove = true\n'
    async with Worker(house, fail="two-"):
        outcome = await house.run(house.config(), house.job(more))
    assert outcome.counts == {State.COMPLETED: 2, State.FAILED: 1}
    assert "the origin is no film" in str(outcome.failures[0])
    assert published(house) == []
    assert not house.notes


async def test_sources_that_can_be_read_where_they_lie_are_not_sent(house: House) -> None:
    (house.files / "library").symlink_to(house.folder / "clips")
    mapped = FOLDER.replace("/in", "/library")
    async with Worker(house):
        outcome = await house.run(house.config(), house.job(f'[origin_map]\nclips = "{mapped}"\n'))
    assert outcome.counts == {State.COMPLETED: 3}
    assert outcome.sent_bytes == 0
    assert any("drei%20%C3%A4.mov" in each["asked"]["origin"] for each in orders(house))


def orders(house: House) -> list[dict[str, Any]]:
    return list(house.server.orders.values())


async def test_lost_answers_order_nothing_twice(house: House) -> None:
    house.server.lose_answers = 3
    async with Worker(house):
        outcome = await house.run(house.config(), house.job(f'publish = "{FOLDER}"', COLLECT))
    assert outcome.counts == {State.COMPLETED: 3}
    assert len(house.server.orders) == 3


async def test_the_service_calls_back(house: House, unused_tcp_port: int) -> None:
    at = f"127.0.0.1:{unused_tcp_port}"
    more = f'callback_listen = "{at}"\ncallback_public_url = "http://{at}/hooks"'
    config = house.config(more)
    async with Worker(house) as worker:
        outcome = await house.run(config, house.job(f'publish = "{FOLDER}"'))
    assert outcome.counts == {State.COMPLETED: 3}
    assert worker.calls > 0


# --- what is said before anything is done ---------------------------------------------


async def test_a_job_without_the_request_that_its_service_takes(house: House) -> None:
    config = house.config()
    job = load_job(house.job(f'publish = "{FOLDER}"'))
    with pytest.raises(BadInput, match=r"'qencode' takes a \[query\].*add a \[query\]"):
        await run_job(config, job.with_(service="qencode"), RunOptions(), QuietObserver())
    path = house.folder / "query.toml"
    path.write_text('manifest = "clips"\n[[query.format]]\noutput = "mp4"\n')
    with pytest.raises(BadInput, match=r"'edge' takes an \[order\].*add an \[order\]"):
        await run_job(config, load_job(path), RunOptions(), QuietObserver())


async def test_secrets_that_are_not_set_are_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = house.job(f'publish = "{FOLDER}"')
    monkeypatch.delenv("FTP_PASSWORD")
    with pytest.raises(BadInput, match="FTP_PASSWORD is not set"):
        await house.run(house.config(), job)
    monkeypatch.delenv("EDGE_SECRET")
    with pytest.raises(BadInput, match="EDGE_SECRET is not set"):
        await house.run(house.config(), job)


def test_rows_that_can_not_be_downloaded_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "one.mov").write_bytes(b"x")
    (tmp_path / "config.toml").write_text('default_service = "edge"')
    (tmp_path / "night.toml").write_text(ORDER.format(more="", port=21))
    config, job = load_config(tmp_path / "config.toml"), load_job(tmp_path / "night.toml")
    problems, count, rows = validate_job(config, job, RunOptions())
    assert (count, rows) == (1, 1)
    assert "the service downloads sources, and this is a file" in str(problems[0])
    assert [each.action for each in plan_job(config, job, RunOptions())] == ["set_aside"]


def test_an_estimate_counts_the_minutes_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("source,duration\nftp://h/a.mov,120\nftp://h/b.mov,60\n")
    (tmp_path / "config.toml").write_text('default_service = "edge"')
    (tmp_path / "night.toml").write_text(
        ORDER.format(more="", port=21).replace('"clips"', '"list.csv"')
    )
    config, job = load_config(tmp_path / "config.toml"), load_job(tmp_path / "night.toml")
    estimate = Estimate(config, job)
    for planned in plan_job(config, job, RunOptions()):
        estimate.add(planned)
    assert estimate.account.items == 2
    assert estimate.account.minutes == pytest.approx(3)


async def test_the_doctor_checks_the_account(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {each.name: each for each in await diagnose(house.config(), ["edge"])}
    assert found["Service edge"].ok, found["Service edge"].detail
    monkeypatch.setenv("EDGE_SECRET", "another")
    found = {each.name: each for each in await diagnose(house.config(), ["edge"])}
    assert not found["Service edge"].ok
    assert "another" not in found["Service edge"].detail
