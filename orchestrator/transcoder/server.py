"""The transcoding service: builds its parts, recovers, serves HTTP."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web

from orchestrator.model.errors import BadInput
from orchestrator.storage import Reach
from orchestrator.storage.disk import Disk
from orchestrator.transcoder.api import Api
from orchestrator.transcoder.callbacks import Herald, Outbox, Sender
from orchestrator.transcoder.chains import Chains
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.downloads import Downloads
from orchestrator.transcoder.edge.clerk import Clerk
from orchestrator.transcoder.edge.face import edge_api
from orchestrator.transcoder.edge.mail import Mailer
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.events import both
from orchestrator.transcoder.folders import CURVES, DataFolder
from orchestrator.transcoder.ports import Encoder
from orchestrator.transcoder.profiles import Profiles
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.room import Room
from orchestrator.transcoder.settings import TranscoderSettings, profile_folders
from orchestrator.transcoder.sources import Sources
from orchestrator.transcoder.speech import Speech
from orchestrator.transcoder.starts import Starter
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.sweeper import Sweeper
from orchestrator.transcoder.tasks import TaskStore
from orchestrator.transcoder.toolchain import find_toolchain
from orchestrator.transcoder.tus import TusServer, Uploads
from orchestrator.transcoder.vault import Vault

_log = structlog.get_logger(__name__)

#: The largest form that a method reads; a query rarely has more than a few KiB.
_MAX_FORM = 8 * 1024 * 1024

#: ``Upload-Concat`` and ``Upload-Metadata`` can be long.
_MAX_HEADER = 64 * 1024

#: How much of a body aiohttp reads ahead of us.
_READ_AHEAD = 256 * 1024

#: Seconds that requests under way get to finish when the service stops.
_STOP = 2.0


class Transcoder:
    """The service, running while the context is open. ``url`` is where it listens.

    ``encoder`` is the media half, ffmpeg's unless given. Entering raises
    ``DataFolderInUse`` when another process has the data folder, ``BadInput``
    when the folder or the address can't be used or ffmpeg is not there.
    """

    def __init__(self, settings: TranscoderSettings, encoder: Encoder | None = None) -> None:
        self._settings = settings
        self._encoder = encoder
        self._stack = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        _log.info("transcoder_listens", url=self.url)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
        _log.info("transcoder_stopped", url=self.url)

    async def sweep(self) -> None:
        """Remove what has expired, now; it also happens by itself every few minutes."""
        await self._sweeper.sweep()

    async def _open(self, stack: AsyncExitStack) -> None:
        """Build from the bottom up; ``stack`` takes it down again from the top."""
        settings = self._settings
        encoder = self._encoder or _own_encoder(settings)
        folder, disk = DataFolder(settings.data), Disk()
        folder.open()
        stack.callback(folder.close)
        stack.callback(disk.close)
        database = await _open_database(folder, stack)

        vault = Vault.at(folder.key)
        uploads = Uploads(database, disk, folder.uploads, settings.upload_expiry_hours * 3600)
        outbox, news = Outbox(database, vault), _News()
        mailer = Mailer(settings.smtp) if settings.smtp else None
        clerk = Clerk(outbox, news.wake, mail=mailer is not None)
        herald = Herald(outbox, news.progress, news.wake)
        tasks = TaskStore(database, vault, both(herald, clerk))
        storage = Storage(folder.outputs, _reach(settings, folder, disk))
        limits = {"max_bytes": settings.max_upload_bytes, "reserve": settings.min_free_bytes}
        private, known = settings.allow_private_sources, folder.known_hosts
        sources = Sources(uploads, disk, allow_private=private, known_hosts=known, **limits)
        keep = settings.keep_hours * 3600
        self._sweeper = Sweeper(tasks, uploads, storage, disk, folder, keep)
        chains, room = Chains(database, vault), Room(folder.root, settings.min_free_bytes)
        queue = WorkQueue(tasks, uploads, sources, storage, chains, encoder, disk, folder, room)
        sender = Sender(outbox, tasks.warn, allow_private=private, mail=mailer)
        news.of(queue, sender)
        tus = TusServer(uploads, disk, base_url=self._base_url, **limits)
        starter = Starter(tasks, queue, sources, storage, vault)
        profiles = Profiles(*profile_folders(folder.root, settings.profiles, settings.transfers))
        api = Api(settings, tasks, queue, starter, profiles, self._base_url)
        edge = edge_api(settings, database, vault, tasks, queue, sources, storage)

        waiting = await self._recover(tasks)
        stack.push_async_callback(_cancel, asyncio.create_task(self._sweeper.run()))
        stack.push_async_callback(_cancel, asyncio.create_task(sender.run()))
        queue.start(settings.at_once, waiting)
        stack.push_async_callback(queue.stop)
        downloads = Downloads(tasks, storage, keep)
        routes = [*api.routes(), *edge.routes(), *tus.routes(), *downloads.routes()]
        await self._listen(routes, stack)

    async def _recover(self, tasks: TaskStore) -> int:
        waiting, given_up = await tasks.recover()
        for token in given_up:
            _log.error("task_given_up", task=token, reason="stopped the service again and again")
        await self._sweeper.clean_start()
        if waiting:
            _log.info("tasks_recovered", waiting=waiting)
        return waiting

    async def _listen(self, routes: list[web.RouteDef], stack: AsyncExitStack) -> None:
        application = web.Application(client_max_size=_MAX_FORM)
        application.add_routes(routes)
        runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            max_field_size=_MAX_HEADER,
            max_line_size=_MAX_HEADER,
            shutdown_timeout=_STOP,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        host, port = self._settings.address
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
        except OSError as error:
            raise BadInput(
                f"can't listen at {self._settings.listen}: {error.strerror or error}"
            ) from error
        host, port = runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _base_url(self, request: web.Request) -> str:
        """What clients put before paths: they reach the service as they just did."""
        return self._settings.public_url or f"{request.scheme}://{request.host}"


def _own_encoder(settings: TranscoderSettings) -> Encoder:
    toolchain, threads = find_toolchain(), settings.threads
    speech = Speech(toolchain, settings.speech_models, threads=threads)
    curves = settings.data / CURVES
    return FfmpegEncoder(toolchain, threads=threads, speech=speech, curves=curves)


class _News:
    """What the herald, which writes in the store's thread, asks of what is built after it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: WorkQueue | None = None
        self._sender: Sender | None = None

    def of(self, queue: WorkQueue, sender: Sender) -> None:
        self._queue, self._sender = queue, sender

    def progress(self, token: str) -> Mapping[str, float] | None:
        return self._queue.progress(token) if self._queue else None

    def wake(self) -> None:
        if self._sender is not None:
            self._loop.call_soon_threadsafe(self._sender.wake)


def _reach(settings: TranscoderSettings, folder: DataFolder, disk: Disk) -> Reach:
    return Reach(
        disk,
        folder.known_hosts,
        roots=settings.local_roots,
        allow_private=settings.allow_private_destinations,
    )


async def _open_database(folder: DataFolder, stack: AsyncExitStack) -> Database:
    database = Database(folder.database)
    try:
        await database.open()
    except sqlite3.Error as error:
        raise BadInput(f"the task store {folder.database} can't be opened: {error}") from error
    stack.push_async_callback(database.close)
    return database


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
