"""The verbs of tus 1.0.0 over HTTP. ``wire`` knows the headers, ``uploads`` the bytes."""

import errno
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.disk import free_bytes
from orchestrator.transcoder.tus import wire
from orchestrator.transcoder.tus.appender import Appender
from orchestrator.transcoder.tus.receive import BodyCut, receive
from orchestrator.transcoder.tus.turns import Turn, Turns
from orchestrator.transcoder.tus.uploads import Upload, Uploads
from orchestrator.transcoder.tus.wire import TusError

_log = structlog.get_logger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_ROOM = "the service's disk is full; try again later, what has arrived is kept"


class TusServer:
    """Answers ``/v1/upload_file``. ``max_bytes`` 0 sets no limit.

    ``base_url(request)`` is what ``Location`` begins with; ``reserve`` is the
    room that an upload may not use up.
    """

    def __init__(
        self,
        uploads: Uploads,
        disk: Disk,
        *,
        base_url: Callable[[web.Request], str],
        max_bytes: int,
        reserve: int,
    ) -> None:
        self._uploads, self._disk, self._base_url = uploads, disk, base_url
        self._max_bytes, self._reserve = max_bytes, reserve
        self._turns = Turns()

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router."""
        return [
            web.route("*", "/v1/upload_file", self._handle),
            web.route("*", "/v1/upload_file/{task}", self._handle),
            web.route("*", "/v1/upload_file/{task}/{upload}", self._handle),
        ]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Every answer carries the version and lets browsers in, refusals too."""
        try:
            response = await self._dispatch(request)
        except TusError as error:
            response = web.Response(
                status=error.status, text=f"{error}\n", headers=dict(error.headers)
            )
        except BodyCut as error:
            response = web.Response(status=408, text=f"{error}\n")
        except OSError as error:
            if error.errno not in _FULL:
                raise
            response = _no_room(request)
        except sqlite3.OperationalError:
            _log.exception("store_failed", method=request.method)
            response = _no_room(request)
        response.headers.update(wire.CORS)
        response.headers.setdefault("Tus-Resumable", wire.VERSION)
        return response

    async def _dispatch(self, request: web.Request) -> web.Response:
        method = request.headers.get("X-HTTP-Method-Override", request.method).upper()
        if method == "OPTIONS":
            return self._options()
        verbs = self._verbs(request)
        if method not in verbs:
            raise TusError(405, "this URL has no such method", {"Allow": ", ".join(verbs)})
        wire.check_version(request.headers)
        return await verbs[method](request)

    def _verbs(
        self, request: web.Request
    ) -> dict[str, Callable[[web.Request], Awaitable[web.Response]]]:
        if "upload" in request.match_info:
            return {"HEAD": self._head, "PATCH": self._patch, "DELETE": self._delete}
        if "task" in request.match_info:
            return {"POST": self._create}
        return {"POST": _without_task}

    def _options(self) -> web.Response:
        headers = {
            "Tus-Version": wire.VERSION,
            "Tus-Extension": wire.EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(wire.CHECKSUMS),
            **wire.PREFLIGHT,
        }
        if self._max_bytes:
            headers["Tus-Max-Size"] = str(self._max_bytes)
        return web.Response(status=204, headers=headers)

    async def _create(self, request: web.Request) -> web.Response:
        concat, metadata = wire.concat(request.headers), wire.metadata(request.headers)
        task = request.match_info["task"]
        if concat.startswith("final;"):
            return await self._join(request, task, metadata, concat)
        length = wire.new_length(request.headers)
        self._check_size(length)
        self._check_room(length)
        checksum = wire.checksum(request.headers)
        upload = await self._uploads.add(task, length, metadata, concat)
        _log.info("upload_created", task=task, upload=upload.id, length=length)
        headers = self._made(request, upload)
        if request.content_type == wire.CONTENT_TYPE or length == 0:
            async with self._turn(request, upload) as turn:
                headers["Upload-Offset"] = str(await self._append(request, upload, turn, checksum))
        return web.Response(status=201, headers=headers)

    async def _join(
        self, request: web.Request, task: str, metadata: str, concat: str
    ) -> web.Response:
        if "Upload-Length" in request.headers or "Upload-Defer-Length" in request.headers:
            raise TusError(400, "a final upload has the length of its parts: send no length")
        ids = wire.parts(concat, task)
        lengths = [(await self._uploads.find(task, part)).length or 0 for part in ids]
        self._check_size(sum(lengths))
        self._check_room(sum(lengths))
        upload = await self._uploads.join(task, ids, metadata, concat)
        _log.info("upload_joined", task=task, upload=upload.id, length=upload.length)
        return web.Response(status=201, headers=self._made(request, upload))

    async def _head(self, request: web.Request) -> web.Response:
        upload = await self._find(request)
        turn = self._turns.holder(upload.id)
        if turn is not None and turn.position == upload.length:
            await turn.over.wait()  # complete is what is on the disk
            turn = self._turns.holder(upload.id)
        offset = turn.position if turn is not None else self._uploads.offset(upload)
        headers = {"Cache-Control": "no-store", **self._progress(upload, offset)}
        if upload.length is None:
            headers["Upload-Defer-Length"] = "1"
        else:
            headers["Upload-Length"] = str(upload.length)
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        if upload.concat:
            headers["Upload-Concat"] = upload.concat
        return web.Response(headers=headers)

    async def _patch(self, request: web.Request) -> web.Response:
        if request.content_type != wire.CONTENT_TYPE:
            raise TusError(415, f"Content-Type must be {wire.CONTENT_TYPE}")
        wanted = wire.number(request.headers, "Upload-Offset")
        if wanted is None:
            raise TusError(400, "Upload-Offset is missing")
        checksum = wire.checksum(request.headers)
        named = wire.number(request.headers, "Upload-Length")
        upload = await self._find(request)
        if upload.is_final:
            raise TusError(403, "a final upload takes no bytes; it is made of its parts")
        async with self._turn(request, upload) as turn:
            if turn.position != wanted:
                raise TusError(409, f"Upload-Offset is {wanted}, but {turn.position} bytes came")
            if turn.waited:  # for a writer that may have changed or removed it
                upload = await self._find(request)
            if named is not None:
                upload = await self._settle_length(upload, named, turn.position)
            offset = await self._append(request, upload, turn, checksum)
        return web.Response(status=204, headers=self._progress(upload, offset))

    async def _delete(self, request: web.Request) -> web.Response:
        upload = await self._find(request)
        async with self._turn(request, upload):
            await self._uploads.remove(upload)
        _log.info("upload_removed", task=upload.task, upload=upload.id)
        return web.Response(status=204)

    async def _append(
        self, request: web.Request, upload: Upload, turn: Turn, checksum: wire.Checksum | None
    ) -> int:
        room = _least(upload.length, self._max_bytes or None)
        room = None if room is None else room - turn.position
        announced = request.content_length
        if room is not None and announced is not None and announced > room:
            raise TusError(413, f"the body has {announced} bytes, and {room} are wanted")

        def received(size: int) -> None:
            # What a checksum has yet to prove is not progress.
            if checksum is None:
                turn.position += size

        appender = Appender(self._uploads.path(upload), turn.position, upload.length, checksum)
        offset = await receive(request.content, appender, self._disk, room, received)
        if offset == upload.length:
            _log.info("upload_complete", task=upload.task, upload=upload.id, bytes=offset)
        return offset

    @asynccontextmanager
    async def _turn(self, request: web.Request, upload: Upload) -> AsyncIterator[Turn]:
        async with self._turns.take(upload.id, lambda: _cut(request)) as turn:
            # No await before this: HEAD reads the position of whoever has the turn.
            turn.position = self._uploads.offset(upload)
            yield turn

    async def _find(self, request: web.Request) -> Upload:
        return await self._uploads.find(request.match_info["task"], request.match_info["upload"])

    async def _settle_length(self, upload: Upload, length: int, offset: int) -> Upload:
        if upload.length is not None:
            if upload.length == length:
                return upload
            raise TusError(400, f"Upload-Length is {upload.length} already and can't change")
        if length < offset:
            raise TusError(400, f"Upload-Length is {length}, but {offset} bytes came already")
        self._check_size(length)
        return await self._uploads.set_length(upload, length)

    def _check_size(self, length: int | None) -> None:
        if self._max_bytes and length is not None and length > self._max_bytes:
            raise TusError(413, f"uploads may have at most {self._max_bytes} bytes")

    def _check_room(self, length: int | None) -> None:
        if free_bytes(self._uploads.folder) - (length or 0) < self._reserve:
            raise TusError(507, _NO_ROOM)

    def _made(self, request: web.Request, upload: Upload) -> dict[str, str]:
        location = f"{self._base_url(request)}/v1/upload_file/{upload.task}/{upload.id}"
        return {
            "Location": location,
            "Upload-Expires": wire.http_date(self._uploads.expires(upload)),
        }

    def _progress(self, upload: Upload, offset: int) -> dict[str, str]:
        expires = wire.http_date(self._uploads.expires(upload))
        return {"Upload-Offset": str(offset), "Upload-Expires": expires}


def _no_room(request: web.Request) -> web.Response:
    _log.warning("upload_refused", reason="disk full", task=request.match_info.get("task"))
    return web.Response(status=507, text=f"{_NO_ROOM}\n")


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _without_task(_request: web.Request) -> web.Response:
    raise TusError(404, "add the task token to the URL: /v1/upload_file/<task_token>")
