"""What simulated nights found, each in its smallest form."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.engine import Limits
from orchestrator.model.errors import EncodeFailed, Transient
from orchestrator.model.states import State
from tests.engine.house import House, row

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


async def test_every_upload_worker_goes_on_once_the_lead_was_full(tmp_path: Path) -> None:
    home = House(tmp_path, [row(number) for number in range(60)])
    home.limits = Limits(uploads=8, starts=8, in_flight=1, upload_ahead=4)
    async with home.ledger() as ledger:
        engine = home.engine(ledger)
        run = asyncio.create_task(engine.run())
        await asyncio.sleep(20)  # the lead is full, and every worker waits
        home.uploader.most_at_once = 0
        engine.set_limits(in_flight=100)
        await asyncio.sleep(2)  # it is used up, and every worker goes on
        assert home.uploader.most_at_once == 8
        await run
        assert await ledger.counts() == {State.COMPLETED: 60}


async def test_an_encode_that_faults_in_a_passing_way_gets_another_attempt(tmp_path: Path) -> None:
    home = House(tmp_path, [row(0), row(1)])
    home.service.faults = _Once({"tus:0.mp4": Transient("no worker was free")})
    assert await home.run() == {State.COMPLETED: 2}
    assert home.service.starts == {"tus:0.mp4": 2, "tus:1.mp4": 1}


async def test_passing_faults_are_not_for_ever(tmp_path: Path) -> None:
    home = House(tmp_path, [row(0)])
    home.service.faults = {"tus:0.mp4": Transient("no worker was free")}
    assert await home.run() == {State.FAILED: 1}
    assert home.service.starts["tus:0.mp4"] == home.patience.attempts


async def test_a_fault_for_good_gets_none(tmp_path: Path) -> None:
    home = House(tmp_path, [row(0)])
    home.service.faults = {"tus:0.mp4": EncodeFailed("it can't be read")}
    assert await home.run() == {State.FAILED: 1}
    assert home.service.starts["tus:0.mp4"] == 1


class _Once(dict[str, Exception]):
    """Each is given once."""

    def get(self, key: str, default: object = None) -> Exception | None:  # type: ignore[override]
        return self.pop(key, None)
