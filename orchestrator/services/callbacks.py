"""Hears a service's callbacks (Transcoding API, Receive Callbacks), and asks for a look.

Anybody may send one, so nothing in it is believed: a callback that names a task is
a reason to ask the service about that task, and no more. Where a service's own
words are not known, the URL that it is given names the task: ``?task_token=``.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from hmac import compare_digest
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

from aiohttp import web

from orchestrator.model.errors import BadInput
from orchestrator.services.redact import redact

#: Most bytes of a callback; the status of a task with many outputs has some thousand.
LONGEST = 2**20

#: Bodies read at once, and seconds that one may take.
_AT_ONCE, _PATIENCE = 32, 10.0

#: A callback has five fields.
_FIELDS = 32

#: Task tokens have 32 hexadecimal digits; another service's may look different.
_TASK = re.compile(r"[A-Za-z0-9._~-]{1,128}")

#: Sent right after the start, which is known.
_NO_NEWS = frozenset({"queued"})

# Whatever strangers send, the run's log is not for them to fill.
_QUIET = logging.getLogger(f"{__name__}.strangers")
_QUIET.disabled = True


class CallbackReceiver:
    """Listens at ``listen`` (host:port) while used as an async context manager.

    ``public_url`` is how the service reaches it; what lies before it may keep or
    drop that URL's path. ``hint`` gets the token of each task that there is news of.
    """

    def __init__(self, listen: str, public_url: str, hint: Callable[[str], None]) -> None:
        self._listen = listen
        self._hint = hint
        self._secret = secrets.token_urlsafe(24)
        self._reading = 0
        self._runner: web.AppRunner | None = None
        #: For the query's ``callback_url``. Its last part is new for each run, and secret.
        self.url = f"{public_url.rstrip('/')}/{self._secret}"
        #: How many callbacks were taken.
        self.heard = 0

    @property
    def port(self) -> int:
        """The port that it listens at."""
        if self._runner is None:
            raise RuntimeError("CallbackReceiver is used as an async context manager")
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        """Raises ``BadInput`` where it can't listen there."""
        app = web.Application(client_max_size=LONGEST)
        app.router.add_route("*", "/{path:.*}", self._receive)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_QUIET,
            keepalive_timeout=15.0,
            lingering_time=1.0,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        host, _, port = self._listen.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            await runner.cleanup()
            raise BadInput(
                f"callback_listen: can't listen at {self._listen} ({error.strerror}); "
                "choose another address, or leave callbacks out: polling does without"
            ) from error
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def __repr__(self) -> str:
        return f"CallbackReceiver({self._listen!r}, {redact(self.url.rpartition('/')[0])!r})"

    async def _receive(self, request: web.Request) -> web.Response:
        """Answer with a status alone: nothing that was sent is sent back."""
        named = request.match_info["path"].rpartition("/")[2].encode("utf-8", "replace")
        task = request.query.get("task_token")
        known = request.method == "POST" or task is not None
        if not known or not compare_digest(named, self._secret.encode()):
            return web.Response(status=404)
        if task is not None:
            return web.Response(status=200 if self._news_of(task) else 400)
        if self._reading >= _AT_ONCE:
            return web.Response(status=503)
        self._reading += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408)
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        finally:
            self._reading -= 1
        return web.Response(status=200 if self._take(body) else 400)

    def _take(self, body: bytes) -> bool:
        """Whether it is a callback; if so, and it has news, a look is asked for."""
        try:
            fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=_FIELDS)
        except ValueError:
            return False
        task, event = (fields.get(name, [""])[0] for name in ("task_token", "event"))
        return self._news_of(task, event)

    def _news_of(self, task: str, event: str = "") -> bool:
        """Ask for a look at a task, where the event is news; False: that names no task."""
        if not _TASK.fullmatch(task):
            return False
        self.heard += 1
        if event not in _NO_NEWS:
            self._hint(task)
        return True
