"""The methods of the API: ``/v1/access_token``, ``create_task``, ``start_encode2``, ``status``.

Every answer is JSON with HTTP status 200, failures too: the error is in the
body, where the official SDK looks for it.
"""

import hashlib
import hmac
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from aiohttp import web

from orchestrator.query import EncodeQuery, QueryError, parse_query
from orchestrator.transcoder.answers import ApiError, Code, outline, status_document
from orchestrator.transcoder.disk import free_bytes
from orchestrator.transcoder.folders import DataFolder
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.settings import TranscoderSettings, well_formed
from orchestrator.transcoder.sources import Sources, without_credentials
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import AlreadyStarted, Start, TaskStore, UnknownTask

_log = structlog.get_logger(__name__)

#: Seconds that a session token lasts, as the vendor's notes say of theirs.
_SESSION = 24 * 3600

#: Seconds after which a client may ask a busy service again.
_RETRY_AFTER = 60

_MAX_PAYLOAD = 1000
_MAX_TOKENS = 1000
_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SESSION_TOKEN = re.compile(r"([0-9a-f]{8})([0-9a-f]{32})")

_Form = Mapping[str, list[str]]


class Api:
    """Answers the four methods. ``base_url(request)`` is what URLs begin with."""

    def __init__(
        self,
        settings: TranscoderSettings,
        folder: DataFolder,
        tasks: TaskStore,
        queue: WorkQueue,
        sources: Sources,
        storage: Storage,
        base_url: Callable[[web.Request], str],
    ) -> None:
        self._keys = tuple(key.get_secret_value() for key in settings.api_keys)
        self._min_free = settings.min_free_bytes
        self._folder, self._tasks, self._queue = folder, tasks, queue
        self._sources, self._storage, self._base_url = sources, storage, base_url

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router."""
        methods = {
            "access_token": self._access_token,
            "create_task": self._create_task,
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
        if not any(_same(key, known) for known in self._keys):
            raise ApiError(Code.API_KEY_NOT_FOUND, "api_key is not known to this service")
        expires = int(time.time()) + _SESSION
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return {"token": f"{expires:08x}{_signature(key, expires)}", "expire": until}

    async def _create_task(self, request: web.Request, form: _Form) -> dict[str, Any]:
        self._check_session(_required(form, "token"))
        self._check_room()
        token = await self._tasks.create()
        _log.info("task_created", task=token)
        return {"task_token": token, "upload_url": f"{self._base_url(request)}/v1/upload_file"}

    async def _start_encode2(self, request: web.Request, form: _Form) -> dict[str, Any]:
        token, payload = _required(form, "task_token"), _one(form, "payload")
        if payload is not None and len(payload) > _MAX_PAYLOAD:
            raise ApiError(
                Code.BAD_PAYLOAD,
                f"payload has {len(payload)} characters, and {_MAX_PAYLOAD} are allowed",
            )
        if not _TOKEN.fullmatch(token):
            raise ApiError(Code.BAD_TOKEN, "task_token is not a task token")
        document = _unwrapped(_required(form, "query"))
        try:
            if await self._start(token, document, payload):
                self._queue.wake()
        except UnknownTask as error:
            raise ApiError(Code.TOKEN_NOT_FOUND, "there is no such task_token") from error
        except AlreadyStarted as error:
            raise ApiError(
                Code.BAD_QUERY,
                "this task was already started with another query; create a new task",
            ) from error
        return {"status_url": f"{self._base_url(request)}/v1/status"}

    async def _start(self, token: str, document: Mapping[str, Any], payload: str | None) -> bool:
        query = _parsed(document)
        source = without_credentials(query.source or "")
        start = Start(document, _digest(document, payload), source, outline(query), payload)
        if await self._tasks.was_started(token, start):
            return False  # the same again: its answer was lost on the way
        self._storage.check(query)
        await self._sources.check(token, query)
        if not source.startswith("tus:"):
            self._check_room()
        if started := await self._tasks.start(token, start):
            _log.info("task_started", task=token, source=source)
        return started

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
        known = any(_same(signature, _signature(key, expires)) for key in self._keys)
        if not known or expires < time.time():
            raise ApiError(
                Code.TOKEN_NOT_FOUND, "token has expired or was never given; get a new one"
            )

    def _check_room(self) -> None:
        if free_bytes(self._folder.root) < self._min_free:
            _log.warning("busy", reason="disk nearly full")
            raise _busy("the service's disk is nearly full")


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
            answer = _busy("the service can't write to its disk").answer()
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
    if not all(_TOKEN.fullmatch(token) for token in tokens):
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


def _parsed(document: Mapping[str, Any]) -> EncodeQuery:
    try:
        query = parse_query(document)
    except QueryError as error:
        missing = error.problems[0].message == "is required"
        code = Code.FIELD_REQUIRED if missing else Code.BAD_QUERY
        raise ApiError(code, f"{error.field}: {error.message}", field=error.field) from error
    if query.callback_url is not None:
        raise ApiError(
            Code.BAD_QUERY,
            "query.callback_url: callbacks are not supported yet; ask /v1/status instead",
            field="query.callback_url",
        )
    return query


def _digest(document: Mapping[str, Any], payload: str | None) -> str:
    canonical = orjson.dumps([document, payload], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _signature(key: str, expires: int) -> str:
    """Session tokens are signed with the key that they were given for: none is stored."""
    message = f"session {expires}".encode()
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()[:32]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _busy(why: str) -> ApiError:
    return ApiError(
        Code.SYSTEM_BUSY,
        f"{why}; try again in {_RETRY_AFTER} seconds",
        retry_after=_RETRY_AFTER,
    )
