"""Callbacks from the config to the engine: the receiver, the query, and the look they cause."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from orchestrator.config import ConfigError, load_config
from orchestrator.engine import Engine, Limits, Parts, Patience
from orchestrator.ledger import SqlLedger
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Attempt, Row
from orchestrator.model.states import State
from orchestrator.query import Job, QencodeRecipe
from orchestrator.settings import QencodeService, TranscoderService
from orchestrator.wiring.callbacks import open_callbacks
from orchestrator.wiring.clock import SystemClock
from tests.engine.simulated import (
    Recorder,
    SimulatedCollector,
    SimulatedService,
    SimulatedSources,
    SimulatedUploader,
)

JOB = Job("night", Path("/job.toml"), "/list.csv", {"format": [{"output": "mp4"}]})


def reachable() -> QencodeService:
    """A service that calls back at a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        at = f"127.0.0.1:{free.getsockname()[1]}"
    return QencodeService(
        kind="qencode",
        api_key="k",
        callback_listen=at,
        callback_public_url=f"http://{at}/hooks",
    )


async def call_back(url: str, task: str, event: str = "saved") -> int:
    fields = {"task_token": task, "event": event, "status": json.dumps({"status": "completed"})}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=urlencode(fields), headers=headers) as answer,
    ):
        return answer.status


# --- from one end to the other ------------------------------------------------------


class CallingService(SimulatedService):
    """Calls back when an encode is over, at the URL that its query named."""

    def __init__(self, seconds: float) -> None:
        super().__init__(duration=lambda source: seconds, latency=0.0)
        self.calling: list[asyncio.Task[int]] = []
        self._seconds = seconds

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        url = await super().start(attempt, request, payload)
        call = self._call(request["query"]["callback_url"], attempt.task or "")
        self.calling.append(asyncio.ensure_future(call))
        return url

    async def _call(self, url: str, task: str) -> int:
        await call_back(url, task, "queued")
        await asyncio.sleep(self._seconds)
        return await call_back(url, task)


async def test_an_item_is_completed_at_its_callback_long_before_its_poll(tmp_path: Path) -> None:
    service, recipe, clock = CallingService(seconds=0.05), QencodeRecipe(JOB), SystemClock()
    hints: list[str] = []

    def hint(task: str) -> None:
        hints.append(task)
        engine.hint(task)

    began = time.monotonic()
    url = f"sqlite:///{tmp_path}/job.db"
    async with (
        SqlLedger(url, "job", clock=clock, inline=True) as ledger,
        open_callbacks(reachable(), hint) as recipe.callback_url,
    ):
        await ledger.begin_run(service.name, "list.csv", {})
        rows = [Row(f"{n}", f"http://host/{n}.mp4", fingerprint="v1") for n in range(3)]
        await ledger.ingest(rows, recipe, keep_going=False, retry=lambda error_class: False)
        parts = Parts(
            service,
            SimulatedUploader(),
            SimulatedSources(),
            SimulatedCollector(seconds=0.0),
            recipe,
            ledger,
            Recorder(),
            clock,
        )
        engine = Engine(parts, Limits(), Patience(poll_min=30.0, poll_max=120.0))
        async with asyncio.timeout(20):
            await engine.run()
        counts = await ledger.counts()
        assert await asyncio.gather(*service.calling) == [200, 200, 200]
    assert counts == {State.COMPLETED: 3}
    assert sorted(hints) == ["task-1", "task-2", "task-3"], "queued is no news"
    assert sum(size for _, size in service.asked) == 3, "one look for each callback"
    assert time.monotonic() - began < 15.0, "no poll was due yet"


# --- opened by the settings ------------------------------------------------------------


async def test_a_receiver_is_up_as_long_as_the_run() -> None:
    hints: list[str] = []
    settings = reachable()
    async with open_callbacks(settings, hints.append) as url:
        assert url is not None
        assert url.startswith(f"{settings.callback_public_url}/")
        assert await call_back(url, "t1") == 200
        assert await call_back(f"{settings.callback_public_url}/guessed", "t2") == 404
    assert hints == ["t1"]
    with pytest.raises(aiohttp.ClientConnectorError):
        await call_back(url, "t3")


@pytest.mark.parametrize(
    "settings",
    [QencodeService(kind="qencode", api_key="k"), TranscoderService(kind="transcoder")],
)
async def test_none_is_opened_where_none_is_wanted(
    settings: QencodeService | TranscoderService,
) -> None:
    async with open_callbacks(settings, pytest.fail) as url:
        assert url is None


async def test_an_address_that_is_taken_ends_the_run_with_the_reason() -> None:
    settings = reachable()
    async with open_callbacks(settings, pytest.fail):
        with pytest.raises(BadInput, match="callback_listen: can't listen at"):
            async with open_callbacks(settings, pytest.fail):
                pytest.fail("it can't listen twice")


# --- the settings -----------------------------------------------------------------------

LISTEN = 'callback_listen = "127.0.0.1:8090"\n'
PUBLIC = 'callback_public_url = "https://encode.example/hooks"\n'


def written(folder: Path, lines: str) -> Path:
    file = folder / "config.toml"
    file.write_text(f'[services.qencode]\napi_key = "k"\n{lines}')
    return file


def test_both_settings_are_read(tmp_path: Path) -> None:
    service = load_config(written(tmp_path, LISTEN + PUBLIC)).service("qencode")
    assert isinstance(service, QencodeService)
    assert service.callback_listen == "127.0.0.1:8090"
    assert service.callback_public_url == "https://encode.example/hooks"


@pytest.mark.parametrize("lines", [LISTEN, PUBLIC])
def test_one_without_the_other_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(ConfigError, match="need each other: set both"):
        load_config(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('callback_listen = "nowhere"\n' + PUBLIC, "callback_listen"),
        (LISTEN + 'callback_public_url = "encode.example"\n', "callback_public_url"),
    ],
)
def test_what_is_no_address_is_refused(tmp_path: Path, lines: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        load_config(written(tmp_path, lines))
