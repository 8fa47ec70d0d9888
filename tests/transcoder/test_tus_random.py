"""Whatever clients do to an upload, in any order: it is always a beginning of the source."""

import asyncio
import base64
import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import TranscoderSettings
from tests.transcoder.client import BYTES, KEY, TUS, Client
from tests.transcoder.fakes import FakeEncoder

LENGTH = 200_000
DATA = os.urandom(LENGTH)

sizes = st.integers(min_value=0, max_value=LENGTH)
steps = st.one_of(
    st.tuples(st.just("patch"), sizes, st.sampled_from(["", "good", "bad"])),
    st.tuples(st.just("break"), sizes, st.booleans()),
    st.tuples(st.just("two"), sizes, sizes),
    st.tuples(st.just("astray"), st.integers(min_value=1, max_value=9), st.none()),
    st.tuples(st.just("head"), st.none(), st.none()),
)


class Uploading:
    """One upload under test, and what must be true of it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, file: Path) -> None:
        self.http, self.url, self.file = http, url, file
        self.known = 0  # bytes that the server said it has

    async def step(self, kind, one, two):
        offset = await self.head()
        await getattr(self, kind)(offset, one, two)

    async def head(self, *_):
        async with self.http.head(self.url, headers=TUS) as response:
            assert response.status == 200
            offset = int(response.headers["Upload-Offset"])
        assert offset >= self.known
        self.known = offset
        return offset

    async def patch(self, offset, size, checksum=""):
        body = DATA[offset : offset + size]
        headers = {**BYTES, "Upload-Offset": str(offset)}
        if checksum:
            digest = hashlib.sha1(body if checksum == "good" else body + b"!").digest()
            headers["Upload-Checksum"] = "sha1 " + base64.b64encode(digest).decode()
        async with self.http.patch(self.url, data=io.BytesIO(body), headers=headers) as response:
            if checksum == "bad":
                assert response.status == 460
            elif response.status == 204:
                self.known = int(response.headers["Upload-Offset"])
                assert self.known == offset + len(body)
            return response.status

    async def two(self, offset, one, two):
        """Two clients at once: at most one of them is cut off."""
        tries = [self.patch(offset, size) for size in (one, two)]
        for end in await asyncio.gather(*tries, return_exceptions=True):
            assert isinstance(end, aiohttp.ClientError) or end in (204, 409)

    async def astray(self, offset, by, _):
        headers = {**BYTES, "Upload-Offset": str(offset + by)}
        async with self.http.patch(self.url, data=b"xyz", headers=headers) as response:
            assert response.status == 409

    async def break_(self, offset, size, proven):
        where = URL(self.url)
        _, writer = await asyncio.open_connection(where.host, where.port)
        head = f"PATCH {where.path} HTTP/1.1\r\nHost: {where.authority}\r\n" + "".join(
            f"{name}: {value}\r\n"
            for name, value in {
                **BYTES,
                "Upload-Offset": str(offset),
                "Content-Length": str(LENGTH - offset),
                **({"Upload-Checksum": "sha1 " + "A" * 27 + "="} if proven else {}),
            }.items()
        )
        writer.write(head.encode() + b"\r\n" + DATA[offset : offset + size])
        with suppress(ConnectionError):
            await writer.drain()
        writer.transport.abort()

    async def finish(self):
        for _ in range(50):
            offset = await self.head()
            if offset == LENGTH:
                break
            with suppress(aiohttp.ClientError):
                await self.patch(offset, LENGTH)
        assert self.file.read_bytes() == DATA


setattr(Uploading, "break", Uploading.break_)


async def _interleave(transcoder, data, script):
    async with aiohttp.ClientSession() as http:
        task = await Client(transcoder.url, http).task()
        create = {**TUS, "Upload-Length": str(LENGTH)}
        async with http.post(f"{transcoder.url}/v1/upload_file/{task}", headers=create) as response:
            url = response.headers["Location"]
        uploading = Uploading(http, url, data / "uploads" / url.rpartition("/")[2])
        for step in script:
            await uploading.step(*step)
        await uploading.finish()


def test_any_interleaving_ends_in_the_source_itself(tmp_path):
    """One service for all examples; each has an upload of its own."""
    config = TranscoderSettings(data=tmp_path / "data", api_keys=(KEY,), min_free_bytes=0)

    with asyncio.Runner() as runner:

        async def make():
            return FakeEncoder()

        transcoder = Transcoder(config, runner.run(make()))
        runner.run(transcoder.__aenter__())

        @settings(max_examples=60, deadline=None)
        @given(st.lists(steps, max_size=8))
        def check(script):
            runner.run(_interleave(transcoder, config.data, script))

        try:
            check()
        finally:
            runner.run(transcoder.__aexit__(None, None, None))
