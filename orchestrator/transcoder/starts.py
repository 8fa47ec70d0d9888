"""Starting a task: what both methods that do it have in common."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from orchestrator.query import EncodeQuery, QueryError, parse_query
from orchestrator.transcoder.answers import ApiError, Code, outline
from orchestrator.transcoder.chains import check_chains
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.sources import Sources, without_credentials
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import AlreadyStarted, Start, TaskStore, UnknownTask
from orchestrator.transcoder.vault import Vault

_log = structlog.get_logger(__name__)

#: "Any string up to 1000 characters long" (Transcoding API, Starting a Task).
_MAX_PAYLOAD = 1000
_MOST_URGENT = 10
_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to start, with its query as a document.

    ``profiles`` are the ids that each format comes from, if it comes from one.
    """

    token: str
    document: Mapping[str, Any]
    payload: str | None
    priority: int
    base_url: str
    profiles: Sequence[str] = ()


class Starter:
    """Checks requests to start, and queues them."""

    def __init__(
        self, tasks: TaskStore, queue: WorkQueue, sources: Sources, storage: Storage, vault: Vault
    ) -> None:
        self._tasks, self._queue, self._vault = tasks, queue, vault
        self._sources, self._storage = sources, storage

    async def start(self, asked: Asked) -> None:
        """Queue a task; the same request again changes nothing. Raises ``ApiError``."""
        try:
            if await self._start(asked):
                self._queue.wake()
        except UnknownTask as error:
            raise ApiError(Code.TOKEN_NOT_FOUND, "there is no such task_token") from error
        except AlreadyStarted as error:
            raise ApiError(
                Code.BAD_QUERY,
                "this task was already started with another query; create a new task",
            ) from error

    async def _start(self, asked: Asked) -> bool:
        query = _parsed(asked.document)
        source = _shown(query)
        facts: dict[str, Any] = {"base_url": asked.base_url}
        if asked.profiles:
            facts["profiles"] = list(asked.profiles)
        start = Start(
            asked.document,
            self._digest(asked),
            source,
            outline(query),
            asked.payload,
            facts,
            asked.priority,
        )
        if await self._tasks.was_started(asked.token, start):
            return False  # the same again: its answer was lost on the way
        check_chains(query)
        self._storage.check(query)
        await self._sources.check(asked.token, query)
        if not source.startswith("tus:"):
            self._queue.check_room()
        if started := await self._tasks.start(asked.token, start):
            _log.info("task_started", task=asked.token, source=source)
        return started

    def _digest(self, asked: Asked) -> str:
        # A priority changes nothing of what is made, nor does another name of the service.
        told = [asked.document, asked.payload]
        return self._vault.digest(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))


def token_of(text: str) -> str:
    """A task token as it was sent. Raises ``ApiError``."""
    if not _TOKEN.fullmatch(text):
        raise ApiError(Code.BAD_TOKEN, "task_token is not a task token")
    return text


def is_token(text: str) -> bool:
    """Whether text could be a task token."""
    return bool(_TOKEN.fullmatch(text))


def payload_of(text: str | None) -> str | None:
    """A payload as it was sent. Raises ``ApiError``."""
    if text is not None and len(text) > _MAX_PAYLOAD:
        raise ApiError(
            Code.BAD_PAYLOAD,
            f"payload has {len(text)} characters, and {_MAX_PAYLOAD} are allowed",
            field="payload",
        )
    return text


def priority_of(text: str | None) -> int:
    """This service's own option of a start: 0 (the usual) to 10. Raises ``ApiError``."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST_URGENT:
        message = f"priority must be a whole number from 0 to {_MOST_URGENT}, the most urgent"
        raise ApiError(Code.BAD_QUERY, message, field="priority")
    return int(text)


def _parsed(document: Mapping[str, Any]) -> EncodeQuery:
    try:
        return parse_query(document)
    except QueryError as error:
        missing = error.problems[0].message == "is required"
        code = Code.FIELD_REQUIRED if missing else Code.BAD_QUERY
        raise ApiError(code, f"{error.field}: {error.message}", field=error.field) from error


def _shown(query: EncodeQuery) -> str:
    """The source, or the first of a stitch list, as the log of starts may hold it."""
    if query.source is not None:
        return without_credentials(query.source)
    parts = query.stitch or ()
    first = without_credentials(parts[0].url)
    return f"{first} and {len(parts) - 1} more" if len(parts) > 1 else first
