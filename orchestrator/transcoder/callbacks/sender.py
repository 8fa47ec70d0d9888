"""Sends callbacks: at the same time, in the order of each task, a bounded number of times.

Nothing of this can harm a task: it has its own requests, and what an endpoint
answers is not read beyond its status.
"""

import asyncio
import random
import socket
import sqlite3
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog
from yarl import URL

from orchestrator.tls import trusted
from orchestrator.transcoder.callbacks.letters import Letter
from orchestrator.transcoder.callbacks.outbox import Outbox, Waiting
from orchestrator.transcoder.sources.addresses import Addresses, JudgingResolver, PrivateAddress
from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable

_log = structlog.get_logger(__name__)

#: Callbacks under way at the same time, and seconds that one may take.
_AT_ONCE = 16
_TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
#: Seconds before each further try; one that fails after the last is given up.
_PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0)
#: Seconds after which the store is asked again, if it could not be.
_STORE_PAUSE = 5.0
_HEADERS = {"User-Agent": "orchestrator-transcoder"}
_MESSAGE = "Callback Endpoint Errors"

Warn = Callable[[str, Mapping[str, Any]], Awaitable[None]]
#: Sends a mail: to a ``mailto:`` URL, with its text. Raises ``NotTaken``.
Mail = Callable[[str, str], Awaitable[None]]


class NotTaken(Exception):
    """Raised when an endpoint did not take a callback; says why, and nothing of its URL."""


class Sender:
    """Empties the outbox. ``warn(task, notice)`` tells the client what did not arrive."""

    def __init__(
        self, outbox: Outbox, warn: Warn, *, allow_private: bool, mail: Mail | None = None
    ) -> None:
        self._outbox, self._warn, self._mail = outbox, warn, mail
        self._addresses = Addresses(allow_private=allow_private)
        self._news = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There may be something to send. For the event loop's own thread."""
        self._news.set()

    async def run(self) -> None:
        """Send for ever; when cancelled, what is under way is sent again by the next process."""
        connector = aiohttp.TCPConnector(
            resolver=JudgingResolver(self._addresses), use_dns_cache=False, ssl=trusted()
        )
        async with aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, headers=_HEADERS, auto_decompress=False
        ) as http:
            try:
                while True:
                    await self._round(http)
            finally:
                for task in self._under_way.values():
                    task.cancel()
                await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _round(self, http: aiohttp.ClientSession) -> None:
        self._news.clear()
        try:
            free = _AT_ONCE - len(self._under_way)
            # Of a task that ends meanwhile, the answer may hold what has just been dealt with.
            busy = frozenset(self._under_way)
            for waiting in await self._outbox.due(time.time(), free, busy):
                self._begin(http, waiting)
            due = await self._outbox.next_due(self._under_way) if free else None
        except sqlite3.Error:
            _log.exception("callbacks_not_read")
            due = time.time() + _STORE_PAUSE
        delay = None if due is None else max(0.0, due - time.time())
        try:
            async with asyncio.timeout(delay):
                await self._news.wait()
        except TimeoutError:
            pass

    def _begin(self, http: aiohttp.ClientSession, waiting: Waiting) -> None:
        def over(_: object) -> None:
            del self._under_way[waiting.task]
            self.wake()

        task = asyncio.create_task(self._handle(http, waiting))
        self._under_way[waiting.task] = task
        task.add_done_callback(over)

    async def _handle(self, http: aiohttp.ClientSession, waiting: Waiting) -> None:
        try:
            await self._deliver(http, waiting)
        except Exception:  # noqa: BLE001 - no callback may stop the others
            _log.exception("callback_not_recorded", task=waiting.task)
            await asyncio.sleep(_STORE_PAUSE)

    async def _deliver(self, http: aiohttp.ClientSession, waiting: Waiting) -> None:
        try:
            if waiting.letter is not None:
                await self._send(http, waiting.letter)
        except NotTaken as error:
            await self._failed(waiting, str(error))
        else:
            await self._outbox.sent(waiting)

    async def _send(self, http: aiohttp.ClientSession, letter: Letter) -> None:
        """Raises ``NotTaken``."""
        if not letter.url.startswith("mailto:"):
            await self._post(http, letter)
        elif self._mail is None:
            raise NotTaken("this service has no SMTP server configured")
        else:
            await self._mail(letter.url, letter.body)

    async def _post(self, http: aiohttp.ClientSession, letter: Letter) -> None:
        """Raises ``NotTaken``."""
        try:
            url = URL(letter.url)
            # A host that is a number never reaches the resolver of the session.
            await self._addresses.one(url.host or "", url.port or 80)
            body, kind = letter.body.encode(), {"Content-Type": letter.type}
            async with http.post(url, data=body, headers=kind, allow_redirects=False) as answer:
                answer.close()
                if not 200 <= answer.status < 300:
                    raise NotTaken(f"it answered with HTTP {answer.status}")
        except (Unfetchable, Interrupted) as error:
            raise NotTaken(str(error)) from error
        except TimeoutError as error:
            raise NotTaken("it did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotTaken(_words(error)) from error

    async def _failed(self, waiting: Waiting, why: str) -> None:
        url = waiting.letter.url if waiting.letter else ""
        details = f"Error sending the callback {waiting.event!r} to {_shown(url)}: {why}"
        await self._warn(waiting.task, {"message": _MESSAGE, "details": details})
        if waiting.tries >= len(_PAUSES):
            _log.warning("callback_given_up", task=waiting.task, told=waiting.event, why=why)
            await self._outbox.sent(waiting)
            return
        pause = _PAUSES[waiting.tries] * random.uniform(0.75, 1.25)  # noqa: S311 - a pause
        await self._outbox.put_off(waiting, time.time() + pause)


def _words(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PrivateAddress):
        return "its address is private or local, which this service does not call"
    if isinstance(cause, socket.gaierror):
        return "the name of its server is not known"
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return "no secure connection to it can be made"
    return "no connection to it could be made, or it broke"


def _shown(url: str) -> str:
    """Scheme and host alone: paths and queries hold secrets."""
    if url.startswith("mailto:"):
        return url.removeprefix("mailto:")
    try:
        parts = urlsplit(url)
    except ValueError:
        return "its URL"
    return f"{parts.scheme}://{parts.hostname or ''}"
