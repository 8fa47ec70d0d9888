"""A service on loopback for each test, and a client that speaks its API."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.transcoder.client import KEY, Client
from tests.transcoder.fakes import FakeEncoder


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., TranscoderSettings]:
    def make(**changes: Any) -> TranscoderSettings:
        return TranscoderSettings(
            **{"data": tmp_path / "data", "api_keys": (KEY,), "min_free_bytes": 0, **changes}
        )

    return make


@pytest.fixture
async def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
async def service(settings, encoder) -> AsyncIterator[Transcoder]:
    async with Transcoder(settings(), encoder) as transcoder:
        yield transcoder


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(service, http) -> Client:
    return Client(service.url, http)
