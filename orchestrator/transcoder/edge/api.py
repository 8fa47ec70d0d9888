"""The calls of the API of orders. Answers are JSON; refusals say what is wrong in ``detail``."""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import hdrs, web

from orchestrator.query import QueryError
from orchestrator.transcoder.answers import ApiError, Code
from orchestrator.transcoder.edge.answers import (
    listed_document,
    order_document,
    profile_document,
)
from orchestrator.transcoder.edge.desk import Desk, NotAgain
from orchestrator.transcoder.edge.orders import Orders, StoredOrder
from orchestrator.transcoder.edge.profile import ALLOWED, Profile, parse_profile
from orchestrator.transcoder.edge.profiles import Profiles, Stored
from orchestrator.transcoder.edge.query import check_makeable
from orchestrator.transcoder.edge.requests import BadForm, fields_of, list_of, order_of, profile_of
from orchestrator.transcoder.edge.tokens import Refused, Tokens
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.tasks import TaskStore

_log = structlog.get_logger(__name__)

_Method = Callable[[web.Request, str], Awaitable[web.Response]]
_NOT_FOUND: Final = "Not found."


class EdgeApi:
    """Answers the calls of each company's clients."""

    def __init__(
        self,
        tokens: Tokens,
        desk: Desk,
        orders: Orders,
        profiles: Profiles,
        tasks: TaskStore,
        queue: WorkQueue,
    ) -> None:
        self._tokens, self._desk, self._orders = tokens, desk, orders
        self._profiles, self._tasks, self._queue = profiles, tasks, queue

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router; the documents write some paths both ways."""
        company = "/v1/media/{company}"
        calls: list[tuple[str, str, _Method]] = [
            (hdrs.METH_POST, "/transcode", self._create),
            (hdrs.METH_GET, "/transcode", self._list),
            (hdrs.METH_GET, "/transcode/{id}", self._order),
            (hdrs.METH_POST, "/transcode_requeue/{id}", self._requeue),
            (hdrs.METH_GET, "/transcoding_profiles", self._all_profiles),
            (hdrs.METH_POST, "/transcoding_profiles", self._add_profile),
            (hdrs.METH_GET, "/transcoding_profile/{id}", self._profile),
            (hdrs.METH_PUT, "/transcoding_profile/{id}", self._replace_profile),
            (hdrs.METH_DELETE, "/transcoding_profile/{id}", self._remove_profile),
            (hdrs.METH_GET, "/allowed_values", self._allowed),
            (hdrs.METH_GET, "/transcoding/consumed_minutes", self._used),
        ]
        return [
            *(web.post(f"/v1/oauth2/access_token{slash}", self._token) for slash in ("", "/")),
            *(
                web.route(method, f"{company}{path}{slash}", self._answering(call))
                for method, path, call in calls
                for slash in ("", "/")
            ),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        try:
            answer = self._tokens.grant(await fields_of(request), time.time())
        except BadForm as error:
            told = {"error": "invalid_request", "error_description": str(error)}
            return _json(told, 400)
        except Refused as error:
            status = 401 if error.code == "invalid_client" else 400
            return _json({"error": error.code, "error_description": str(error)}, status)
        return _json(answer, headers={"Cache-Control": "no-store"})

    async def _create(self, request: web.Request, company: str) -> web.Response:
        id_ = await self._desk.place(company, await order_of(request))
        found = await self._orders.get(company, id_)
        if found is None:
            raise LookupError(id_)
        return _json(await self._shown(found), 201)

    async def _list(self, request: web.Request, company: str) -> web.Response:
        found = await self._orders.listed(company, list_of(request.query))
        return _json([listed_document(each) for each in found])

    async def _order(self, request: web.Request, company: str) -> web.Response:
        return _json(await self._shown(await self._find(request, company)))

    async def _requeue(self, request: web.Request, company: str) -> web.Response:
        order = await self._find(request, company)
        await self._desk.again(company, order)
        return _json(await self._shown(await self._find(request, company)))

    async def _all_profiles(self, _request: web.Request, company: str) -> web.Response:
        found = await self._profiles.all(company)
        return _json([profile_document(each, company) for each in found])

    async def _add_profile(self, request: web.Request, company: str) -> web.Response:
        made = await self._profiles.add(company, _checked(await profile_of(request)))
        return _json(profile_document(made, company), 201)

    async def _profile(self, request: web.Request, company: str) -> web.Response:
        found = await self._profiles.get(company, _profile_id(request))
        return _json(profile_document(_there(found), company))

    async def _replace_profile(self, request: web.Request, company: str) -> web.Response:
        id_, profile = _profile_id(request), _checked(await profile_of(request))
        found = await self._profiles.replace(company, id_, profile)
        return _json(profile_document(_there(found), company))

    async def _remove_profile(self, request: web.Request, company: str) -> web.Response:
        if not await self._profiles.remove(company, _profile_id(request)):
            raise _Missing
        return web.Response(status=204)

    async def _allowed(self, _request: web.Request, _company: str) -> web.Response:
        return _json({name: list(values) for name, values in ALLOWED.items()})

    async def _used(self, _request: web.Request, company: str) -> web.Response:
        months = await self._orders.used(company)
        told = {month: round(minutes, 3) for month, minutes in months.items()}
        return _json({"minutes": round(sum(months.values()), 3), "months": told})

    async def _find(self, request: web.Request, company: str) -> StoredOrder:
        found = await self._orders.get(company, request.match_info["id"])
        if found is None:
            raise _Missing
        return found

    async def _shown(self, order: StoredOrder) -> dict[str, Any]:
        tasks = await self._tasks.find([order.task])
        progress = self._queue.progress(order.task)
        return order_document(order, tasks[0] if tasks else None, progress)

    def _answering(self, call: _Method) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A call as a handler: asks who it is, turns failures into answers."""

        async def handle(request: web.Request) -> web.Response:
            kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
            company = self._tokens.company(token.strip(), time.time())
            if kind.lower() != "bearer" or company is None:
                told = "Authentication is required: send Authorization: Bearer <access_token>"
                return _json({"detail": told}, 401, {"WWW-Authenticate": "Bearer"})
            if request.match_info["company"] != company:
                return _json({"detail": _NOT_FOUND}, 404)
            try:
                return await call(request, company)
            except web.HTTPException:
                raise
            except Exception as error:  # noqa: BLE001 - the client still gets an answer
                return _failed(error, request)

        return handle


class _Missing(Exception):
    """Raised when the company has nothing of that id."""


def _there(found: Stored | None) -> Stored:
    if found is None:
        raise _Missing
    return found


def _checked(sent: Mapping[str, Any]) -> Profile:
    profile = parse_profile(sent)
    check_makeable(profile)
    return profile


def _profile_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise _Missing
    return int(text)


def _failed(error: Exception, request: web.Request) -> web.Response:
    match error:
        case QueryError():
            problems = [{"field": each.field, "message": each.message} for each in error.problems]
            told = {"detail": f"{error.field}: {error.message}", "field": error.field}
            return _json({**told, "problems": problems}, 400)
        case BadForm():
            return _json({"detail": str(error), "field": "order"}, 400)
        case ApiError(code=Code.SYSTEM_BUSY):
            wait = {"Retry-After": str(error.more["retry_after"])}
            return _json({"detail": str(error)}, 503, wait)
        case ApiError():
            return _json({"detail": str(error), **error.more}, 400)
        case _Missing():
            return _json({"detail": _NOT_FOUND}, 404)
        case NotAgain():
            return _json({"detail": str(error)}, 409)
        case sqlite3.OperationalError():
            _log.error("store_failed", call=request.path, exc_info=error)
            told = {"detail": "the service can't write to its disk; try again later"}
            return _json(told, 503, {"Retry-After": "60"})
        case _:
            _log.error("call_failed", call=request.path, exc_info=error)
            return _json({"detail": "internal error; it is in the log"}, 500)


def _json(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )
