"""The methods of the API: ``/v1/access_token``, ``create_task``, the two starts, ``status``.

Every answer is JSON with HTTP status 200, failures too: the error is in the
body, where the official SDK looks for it.
"""

import asyncio
import hashlib
import hmac
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from aiohttp import web

from orchestrator.transcoder.answers import ApiError, Code, busy, status_document
from orchestrator.transcoder.profiles import Profiles
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.settings import TranscoderSettings, well_formed
from orchestrator.transcoder.starts import (
    Asked,
    Starter,
    is_token,
    payload_of,
    priority_of,
    token_of,
)
from orchestrator.transcoder.stored import ids_of, input_of, variables_of
from orchestrator.transcoder.tasks import TaskStore

_log = structlog.get_logger(__name__)

#: Seconds that a session token lasts, as the vendor's notes say of theirs.
_SESSION = 24 * 3600

_MAX_TOKENS = 1000
_SESSION_TOKEN = re.compile(r"([0-9a-f]{8})([0-9a-f]{32})")

_Form = Mapping[str, list[str]]


class Api:
    """Answers the methods. ``base_url(request)`` is what URLs begin with."""

    def __init__(
        self,
        settings: TranscoderSettings,
        tasks: TaskStore,
        queue: WorkQueue,
        starter: Starter,
        profiles: Profiles,
        base_url: Callable[[web.Request], str],
    ) -> None:
        self._keys = tuple(key.get_secret_value() for key in settings.api_keys)
        self._suspended = tuple(key.get_secret_value() for key in settings.suspended_keys)
        self._tasks, self._queue, self._starter = tasks, queue, starter
        self._profiles, self._base_url = profiles, base_url

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router."""
        methods = {
            "access_token": self._access_token,
            "create_task": self._create_task,
            "start_encode": self._start_encode,
            "start_encode2": self._start_encode2,
            "status": self._status,
        }
        # The official SDK asks for //v1/status when its base URL ends in a slash.
        return [
            web.post(f"{slashes}v1/{name}", _answering(method))
            for name, method in methods.items()
            for slashes in ("/", "//")
        ]

    async def _access_token(self, _request: web.Request, form: _Form) -> dict[str, Any]:
        key = _required(form, "api_key")
        if not well_formed(key):
            raise ApiError(
                Code.BAD_API_KEY, "api_key is not an API key; check for stray characters"
            )
        self._check_suspended(_same(key, known) for known in self._suspended)
        if not any(_same(key, known) for known in self._keys):
            raise ApiError(Code.API_KEY_NOT_FOUND, "api_key is not known to this service")
        expires = int(time.time()) + _SESSION
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return {"token": f"{expires:08x}{_signature(key, expires)}", "expire": until}

    async def _create_task(self, request: web.Request, form: _Form) -> dict[str, Any]:
        self._check_session(_required(form, "token"))
        self._queue.check_room()
        token = await self._tasks.create()
        _log.info("task_created", task=token)
        return {"task_token": token, "upload_url": f"{self._base_url(request)}/v1/upload_file"}

    async def _start_encode2(self, request: web.Request, form: _Form) -> dict[str, Any]:
        if "query" not in form and "profiles" in form:
            return await self._start_encode(request, form)  # as the documents' stitching does
        asked = Asked(
            token_of(_required(form, "task_token")),
            _unwrapped(_required(form, "query")),
            payload_of(_one(form, "payload")),
            priority_of(_one(form, "priority")),
            self._base_url(request),
        )
        await self._starter.start(asked)
        return {"status_url": f"{asked.base_url}/v1/status"}

    async def _start_encode(self, request: web.Request, form: _Form) -> dict[str, Any]:
        token = token_of(_required(form, "task_token"))
        ids = ids_of(_required(form, "profiles"))
        given = input_of({name: values[-1] for name, values in form.items()})
        variables = variables_of(_one(form, "output_path_variables"))
        transfer = _one(form, "transfer_method") or None
        document, owners = await asyncio.to_thread(
            self._profiles.query, ids, transfer, variables, token
        )
        asked = Asked(
            token,
            {**given, **document},
            payload_of(_one(form, "payload")),
            priority_of(_one(form, "priority")),
            self._base_url(request),
            owners,
        )
        await self._starter.start(asked)
        return {"status_url": f"{asked.base_url}/v1/status"}

    async def _status(self, request: web.Request, form: _Form) -> dict[str, Any]:
        tokens = _tokens(form)
        base_url = self._base_url(request)
        return {
            "statuses": {
                task.token: status_document(task, self._queue.progress(task.token), base_url)
                for task in await self._tasks.find(tokens)
            }
        }

    def _check_session(self, token: str) -> None:
        match = _SESSION_TOKEN.fullmatch(token)
        if match is None:
            raise ApiError(Code.BAD_TOKEN, "token is not a session token; see /v1/access_token")
        expires, signature = int(match[1], 16), match[2]
        self._check_suspended(_same(signature, _signature(key, expires)) for key in self._suspended)
        known = any(_same(signature, _signature(key, expires)) for key in self._keys)
        if not known or expires < time.time():
            raise ApiError(
                Code.TOKEN_NOT_FOUND, "token has expired or was never given; get a new one"
            )

    @staticmethod
    def _check_suspended(matches: Iterable[bool]) -> None:
        if any(matches):
            raise ApiError(
                Code.SERVICE_SUSPENDED,
                "the service is suspended for this API key; its owner can say why",
            )


def _answering(
    method: Callable[[web.Request, _Form], Awaitable[dict[str, Any]]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A method as a handler: reads the form, turns failures into answers."""

    async def handle(request: web.Request) -> web.Response:
        try:
            answer = {"error": int(Code.OK), **await method(request, await _form(request))}
        except ApiError as error:
            answer = error.answer()
        except sqlite3.OperationalError:
            _log.exception("store_failed", method=request.path)
            answer = busy("the service can't write to its disk").answer()
        except web.HTTPException:
            raise
        except Exception:  # noqa: BLE001 - the client still gets an answer
            _log.exception("method_failed", method=request.path)
            answer = ApiError(Code.SERVER_INTERNAL, "internal error; it is in the log").answer()
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    return handle


async def _form(request: web.Request) -> _Form:
    try:
        posted = await request.post()
    except (ValueError, LookupError) as error:
        raise ApiError(Code.FIELD_REQUIRED, "the body can't be read as a form") from error
    form: dict[str, list[str]] = {}
    for name, value in posted.items():
        if isinstance(value, str):
            form.setdefault(name, []).append(value)
    return form


def _one(form: _Form, name: str) -> str | None:
    return form[name][-1] if form.get(name) else None


def _required(form: _Form, name: str) -> str:
    value = _one(form, name)
    if not value:
        raise ApiError(Code.FIELD_REQUIRED, f"{name} is required", field=name)
    return value


def _tokens(form: _Form) -> list[str]:
    values = [*form.get("task_tokens", ()), *form.get("task_tokens[]", ())]
    if not values:
        raise ApiError(Code.FIELD_REQUIRED, "task_tokens is required", field="task_tokens")
    tokens = list(dict.fromkeys(text.strip() for value in values for text in value.split(",")))
    if not all(is_token(token) for token in tokens):
        raise ApiError(
            Code.BAD_TOKENS, "task_tokens must be task tokens with commas between them, no JSON"
        )
    if len(tokens) > _MAX_TOKENS:
        raise ApiError(Code.BAD_TOKENS, f"task_tokens may name at most {_MAX_TOKENS} tasks")
    return tokens


def _unwrapped(text: str) -> Mapping[str, Any]:
    """The inner query object of ``{"query": {...}}``."""
    try:
        outer = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(Code.BAD_QUERY, f"query is not JSON: {error}", field="query") from error
    if not isinstance(outer, dict) or "query" not in outer:
        raise ApiError(
            Code.QUERY_NOT_WRAPPED,
            'query field is required: wrap it once more, as in {"query": {"source": …}}',
            field="query",
        )
    if not isinstance(outer["query"], dict):
        raise ApiError(Code.BAD_QUERY, "query must be an object", field="query")
    return outer["query"]


def _signature(key: str, expires: int) -> str:
    """Session tokens are signed with the key that they were given for: none is stored."""
    message = f"session {expires}".encode()
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()[:32]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
