"""A request's body into an upload: reading and writing at the same time, in big writes."""

import asyncio
from collections.abc import Callable

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.web import RequestPayloadError

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.tus.appender import Appender
from orchestrator.transcoder.tus.wire import TusError

#: Bytes gathered before a write. At most twice this is held per connection.
BLOCK = 512 * 1024

#: Seconds without a byte after which a connection is taken for dead.
IDLE = 120.0


class BodyCut(Exception):
    """Raised when the connection broke, or was cut off, before the body's end."""


class _Body:
    """What has been read and not yet written."""

    def __init__(self, appender: Appender, disk: Disk) -> None:
        self._appender, self._disk = appender, disk
        self._size = 0
        self._writing: asyncio.Future[None] | None = None
        self.chunks: list[bytes] = []

    async def add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self._size += len(chunk)
        if self._size >= BLOCK:
            await self.settle()
            self._writing = self._disk.submit(self._appender.write, self.chunks)
            self.chunks, self._size = [], 0

    async def settle(self) -> None:
        """Wait for the write that is under way."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
            self._writing = None


async def receive(
    content: StreamReader,
    appender: Appender,
    disk: Disk,
    room: int | None,
    received: Callable[[int], None],
) -> int:
    """Append a body of at most ``room`` bytes; the answer is the new offset.

    ``received`` hears the bytes of each piece. Raises ``BodyCut`` with what came
    in the file, ``TusError``, ``OSError``.
    """
    body = _Body(appender, disk)
    try:
        await _read(content, body, room, received)
        await body.settle()
    except (ConnectionError, RequestPayloadError, ClientPayloadError, TimeoutError) as error:
        await _break_off(body, appender, disk)
        raise BodyCut("the connection broke before the end of the body") from error
    except BaseException:
        await asyncio.shield(_break_off(body, appender, disk))
        raise
    return await disk.run(appender.finish, body.chunks)


async def _read(
    content: StreamReader, body: _Body, room: int | None, received: Callable[[int], None]
) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(IDLE) as watchdog:
        async for chunk in content.iter_any():
            if room is not None:
                if len(chunk) > room:
                    await body.add(chunk[:room])
                    raise TusError(413, "the body holds more bytes than the upload's length")
                room -= len(chunk)
            received(len(chunk))
            await body.add(chunk)
            watchdog.reschedule(loop.time() + IDLE)


async def _break_off(body: _Body, appender: Appender, disk: Disk) -> None:
    try:
        await body.settle()
    finally:
        await disk.run(appender.break_off, body.chunks)
