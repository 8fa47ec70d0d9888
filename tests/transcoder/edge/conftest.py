"""The embedded service on loopback, and clients that know the documented calls alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.transcoder.client import KEY
from tests.transcoder.fakes import FakeEncoder

COMPANY, CLIENT = "1", "orchestrator"
PROFILE = {"name": "480p", "video_format": "mp4", "video_codec": "h264"}


class Plain:
    """A client of the documented calls. It checks nothing: tests look at the answers."""

    def __init__(self, url: str, http: aiohttp.ClientSession, company: str = COMPANY) -> None:
        self.url, self.http = url, http
        self.media = f"{url}/v1/media/{company}"
        self.headers: dict[str, str] = {}

    async def login(self, client: str = CLIENT, secret: str = KEY) -> dict[str, Any]:
        form = {"client_id": client, "client_secret": secret, "grant_type": "client_credentials"}
        answer = await self.http.post(f"{self.url}/v1/oauth2/access_token/", data=form)
        told = await answer.json()
        if answer.status == 200:
            self.headers = {"Authorization": f"Bearer {told['access_token']}"}
        return {"status": answer.status, **told}

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        url = f"{self.media}/{path}"
        async with self.http.request(method, url, headers=self.headers, **more) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    async def profile(self, **changes: Any) -> int:
        status, made = await self.call("POST", "transcoding_profiles/", json={**PROFILE, **changes})
        assert status == 201, made
        return made["id"]

    async def place(self, order: dict[str, Any]) -> dict[str, Any]:
        status, told = await self.call("POST", "transcode/", data={"order": json.dumps(order)})
        return {"http": status, **told}

    async def order(self, id_: str) -> dict[str, Any]:
        status, told = await self.call("GET", f"transcode/{id_}")
        assert status == 200
        return told

    async def until(self, id_: str, *statuses: str) -> dict[str, Any]:
        async with asyncio.timeout(90):
            while True:  # each question waits for its answer: nothing spins
                order = await self.order(id_)
                if order["status"] in statuses:
                    return order


def an_order(profile: int, **changes: Any) -> dict[str, Any]:
    return {
        "origin": "ftp://user:pass-of-origin@127.0.0.1:9/film.mp4",
        "destinations": ["ftp://user:pass-of-store@127.0.0.1:9/out"],
        "jobs": [{"label": "iphone", "filename": "watermark.mp4", "profile_id": profile}],
        **changes,
    }


@pytest.fixture
def edge_settings(tmp_path: Path) -> Callable[..., TranscoderSettings]:
    def make(**changes: Any) -> TranscoderSettings:
        usual = {"data": tmp_path / "data", "api_keys": (KEY,), "min_free_bytes": 0}
        return TranscoderSettings(**{**usual, "allow_private_sources": True, **changes})

    return make


@pytest.fixture
async def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
async def service(edge_settings, encoder) -> AsyncIterator[Transcoder]:
    async with Transcoder(edge_settings(), encoder) as transcoder:
        yield transcoder


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def plain(service, http) -> Plain:
    client = Plain(service.url, http)
    await client.login()
    return client
