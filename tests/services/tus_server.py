"""A tus 1.0 server for the client's tests: plain, in memory, and as faulty as it is told to be."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

EXTENSIONS = "creation,creation-with-upload,checksum"


@dataclass
class Upload:
    """One upload: how long it will be, what is there, what came with it."""

    length: int
    metadata: str
    data: bytearray = field(default_factory=bytearray)


@dataclass
class TusServer:
    """Serves ``/files/<anything>`` (creation) and ``/data/<uuid>`` (uploads).

    ``faults`` holds what goes wrong with each request in turn: the name of a
    method below, or an HTTP status; "" for nothing. ``skipped`` methods take
    none. ``log`` has every request as "METHOD status".
    """

    url: str = ""
    extensions: str = EXTENSIONS
    algorithms: str = "md5,sha1"
    max_size: int | None = None
    absolute: bool = False
    faults: list[str] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    checksums: list[str] = field(default_factory=list)

    def methods(self) -> list[str]:
        """The requests' methods, in order."""
        return [line.split()[0] for line in self.log]

    def only(self) -> Upload:
        """The one upload that exists."""
        (upload,) = self.uploads.values()
        return upload

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        fault = self.faults.pop(0) if self.faults and request.method != "OPTIONS" else ""
        if fault.isdigit():
            await request.read()
            response: web.StreamResponse = web.Response(status=int(fault), text="told to")
        else:
            response = await getattr(self, f"do_{request.method.lower()}")(request, fault)
        self.log.append(f"{request.method} {response.status}")
        response.headers["Tus-Resumable"] = "1.0.0"
        return response

    async def do_options(self, request: web.Request, fault: str) -> web.Response:
        headers = {"Tus-Version": "1.0.0", "Tus-Extension": self.extensions}
        if "checksum" in self.extensions:
            headers["Tus-Checksum-Algorithm"] = self.algorithms
        if self.max_size is not None:
            headers["Tus-Max-Size"] = str(self.max_size)
        return web.Response(status=204, headers=headers)

    async def do_post(self, request: web.Request, fault: str) -> web.Response:
        name = uuid4().hex
        upload = Upload(
            int(request.headers["Upload-Length"]), request.headers.get("Upload-Metadata", "")
        )
        self.uploads[name] = upload
        headers = {"Location": f"{self.url if self.absolute else ''}/data/{name}"}
        if request.body_exists:
            if not await self.take(request, upload, fault):
                return web.Response(status=460)
            headers["Upload-Offset"] = str(len(upload.data))
        if fault == "lose":
            self.cut(request)
        return web.Response(status=201, headers=headers)

    async def do_head(self, request: web.Request, fault: str) -> web.Response:
        upload = self.uploads.get(request.path.rpartition("/")[2])
        if upload is None:
            return web.Response(status=404)
        if fault == "lose":
            self.cut(request)
        if fault == "back":
            del upload.data[len(upload.data) // 2 :]
        return web.Response(
            headers={
                "Upload-Offset": str(len(upload.data)),
                "Upload-Length": str(upload.length),
                "Cache-Control": "no-store",
            }
        )

    async def do_patch(self, request: web.Request, fault: str) -> web.Response:
        upload = self.uploads.get(request.path.rpartition("/")[2])
        if upload is None:
            return web.Response(status=404)
        if fault == "back":
            del upload.data[len(upload.data) // 2 :]
        if int(request.headers["Upload-Offset"]) != len(upload.data):
            return web.Response(status=409)
        if not await self.take(request, upload, fault):
            return web.Response(status=460)
        if fault == "lose":
            self.cut(request)
        headers = {"Upload-Offset": str(len(upload.data))}
        return web.Response(status=204, headers={} if fault == "mute" else headers)

    async def take(self, request: web.Request, upload: Upload, fault: str) -> bool:
        """Read the body into the upload; False where its checksum is wrong."""
        before = len(upload.data)
        async for piece in request.content.iter_any():
            upload.data += piece
            if fault == "cut":
                del upload.data[before + max(1, len(piece) // 2) :]
                self.cut(request)
        if fault == "part":
            del upload.data[before + (len(upload.data) - before) // 2 :]
        if fault == "damage" and len(upload.data) > before:
            upload.data[-1] ^= 0xFF
        if claim := request.headers.get("Upload-Checksum"):
            self.checksums.append(claim)
            algorithm, _, wanted = claim.partition(" ")
            digest = hashlib.new(algorithm, upload.data[before:]).digest()
            if base64.b64encode(digest).decode() != wanted:
                del upload.data[before:]
                return False
        return True

    def cut(self, request: web.Request) -> None:
        """Break the connection, so that no answer gets through."""
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError("told to")


@asynccontextmanager
async def tus_server() -> AsyncIterator[TusServer]:
    """A running server."""
    server = TusServer()
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def whole(uploads: Iterable[Upload]) -> bytes:
    """The bytes of the one upload that is complete."""
    (done,) = [bytes(upload.data) for upload in uploads if len(upload.data) == upload.length]
    return done
