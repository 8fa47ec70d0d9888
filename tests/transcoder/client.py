"""A client of the API that checks nothing: tests look at the answers themselves."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

KEY = "a-key-for-tests"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}

ONE_MP4 = [{"output": "mp4", "size": "320x240"}]


class Client:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url, self.http = url, http

    async def call(self, method: str, form: Any = None) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/v1/{method}", data=form or {}) as response:
            assert response.status == 200
            return await response.json()

    async def session(self) -> str:
        return (await self.call("access_token", {"api_key": KEY}))["token"]

    async def task(self) -> str:
        answer = await self.call("create_task", {"token": await self.session()})
        assert answer["upload_url"] == f"{self.url}/v1/upload_file"
        return answer["task_token"]

    async def upload(self, task: str, data: bytes, **headers: str) -> str:
        """Upload in one request; the answer is the upload's id."""
        async with self.http.post(
            f"{self.url}/v1/upload_file/{task}",
            data=data,
            headers={**BYTES, "Upload-Length": str(len(data)), **headers},
        ) as response:
            assert response.status == 201, await response.text()
            return response.headers["Location"].rpartition("/")[2]

    async def start(
        self,
        task: str,
        source: str,
        formats: Any = ONE_MP4,
        *,
        also: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """``also`` goes into the query, ``more`` beside it."""
        query = {"query": {"source": source, "format": formats, **(also or {})}}
        return await self.call(
            "start_encode2", {"task_token": task, "query": json.dumps(query), **more}
        )

    async def status(self, task: str) -> dict[str, Any]:
        answer = await self.call("status", {"task_tokens": task})
        assert answer["error"] == 0
        return answer["statuses"][task]

    async def until(self, task: str, *states: str) -> dict[str, Any]:
        """Ask until the task is in one of ``states``."""
        async with asyncio.timeout(20):
            while True:  # each question waits for its answer: nothing spins
                status = await self.status(task)
                if status["status"] in states:
                    return status

    async def encode(
        self, data: bytes, formats: Any = ONE_MP4, **more: Any
    ) -> tuple[str, dict[str, Any]]:
        """A whole task, from its creation to its end."""
        task = await self.task()
        upload = await self.upload(task, data)
        assert (await self.start(task, f"tus:{upload}", formats, **more))["error"] == 0
        return task, await self.until(task, "completed", "error")
