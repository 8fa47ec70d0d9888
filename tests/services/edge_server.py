"""Transparent Edge's API on the loopback, as its documents describe it, without the encoding."""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

COMPANY = "1237"
CLIENT = ("client-id", "client-secret-of-tests")


class EdgeServer:
    """Orders move only when a test says so. ``faults`` answer in place of a call, once each."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.profiles: list[dict[str, Any]] = [{"id": 666, "name": "480p", "company": COMPANY}]
        self.tokens: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.faults: list[Callable[[web.Request], web.StreamResponse | None]] = []
        self.expires_in = 36000
        #: Posted orders are kept, and the answer is lost.
        self.lose_answers = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._judge])
        media = f"/v1/media/{COMPANY}"
        app.router.add_post("/v1/oauth2/access_token/", self._token)
        app.router.add_post(f"{media}/transcode/", self._create)
        app.router.add_get(f"{media}/transcode", self._list)
        app.router.add_get(f"{media}/transcode/{{id}}", self._order)
        app.router.add_post(f"{media}/transcode_requeue/{{id}}/", self._requeue)
        app.router.add_route("*", f"{media}/transcoding_profiles/", self._profiles)
        app.router.add_route("*", f"{media}/transcoding_profile/{{id}}/", self._profile)
        app.router.add_get(f"{media}/allowed_values/", self._allowed)
        app.router.add_get(f"{media}/transcoding/consumed_minutes/", self._minutes)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def move(self, status: str, progress: float = 0.0, **more: Any) -> None:
        """Give every order a status, and its jobs a progress."""
        for order in self.orders.values():
            order.update(status=status, **more)
            for job in order["transcodingjob_set"]:
                job["progress"] = progress

    @web.middleware
    async def _judge(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if self.faults and (answer := self.faults.pop(0)(request)) is not None:
            return answer
        if "oauth2" not in request.path:
            bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if bearer not in self.tokens:
                return web.json_response({"detail": "Invalid token."}, status=401)
        return await handler(request)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        assert form["grant_type"] == "client_credentials"
        token = secrets.token_hex(8)
        self.tokens.add(token)
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        )

    async def _create(self, request: web.Request) -> web.StreamResponse:
        order = json.loads(str((await request.post())["order"]))
        order_id = f"{1631092552 + len(self.orders)}-{COMPANY}"
        self.orders[order_id] = {
            "order_id": order_id,
            "status": "QUEUED",
            "asked": order,
            "transcodingupload_set": [{"upload_url": url} for url in order["destinations"]],
            "transcodingjob_set": [
                {
                    "label": job["label"],
                    "filename": job["filename"],
                    "profile": {"id": job["profile_id"]},
                    "progress": 0,
                }
                for job in order["jobs"]
            ],
        }
        if self.lose_answers:
            self.lose_answers -= 1
            if request.transport is not None:
                request.transport.abort()
            await asyncio.sleep(0)
        return web.json_response({"order_id": order_id}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        search = request.query.get("search", "")
        found = [
            {"id": key, "created_on": "2021-09-08", "status": order["status"]}
            for key, order in reversed(self.orders.items())
            if search in json.dumps(order)
        ]
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 20))
        return web.json_response(found[offset : offset + limit])

    async def _order(self, request: web.Request) -> web.Response:
        order = self.orders.get(request.match_info["id"])
        if order is None:
            return web.json_response({"detail": "Not found."}, status=404)
        return web.json_response(order)

    async def _requeue(self, request: web.Request) -> web.Response:
        order = self.orders.get(request.match_info["id"])
        if order is None:
            return web.json_response({"detail": "Not found."}, status=404)
        order["status"] = "QUEUED"
        return web.json_response({}, status=200)

    async def _profiles(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            made = {**await request.json(), "id": 700 + len(self.profiles)}
            self.profiles.append(made)
            return web.json_response(made, status=201)
        return web.json_response(self.profiles)

    async def _profile(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        found = next((each for each in self.profiles if each["id"] == wanted), None)
        if found is None:
            return web.json_response({"detail": "Not found."}, status=404)
        if request.method == "DELETE":
            self.profiles.remove(found)
            return web.Response(status=204)
        if request.method == "PUT":
            found.update(await request.json())
        return web.json_response(found)

    async def _allowed(self, _request: web.Request) -> web.Response:
        return web.json_response({"video_formats": ["mp4"], "video_codecs": ["h264"]})

    async def _minutes(self, _request: web.Request) -> web.Response:
        return web.json_response({"minutes": 12})
