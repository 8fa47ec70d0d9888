"""One HTTP session per service: keep-alive, bounds, and foreign errors mapped where they enter.

Nothing here retries. aiohttp by itself sends an idempotent request again when
a kept-alive connection turns out to be dead; that is left on because no GET,
HEAD or OPTIONS of ours has a body, and it never does so for POST and PATCH.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp.connector import AddrInfoType
from yarl import URL

from orchestrator import __version__
from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    OrchestratorError,
    OutcomeUnknown,
    Transient,
    Unreachable,
)
from orchestrator.services.redact import host_of, redact
from orchestrator.services.refusals import refusal

MIB = 2**20

#: What aiohttp, the sockets and a timeout scope raise.
_FOREIGN = (aiohttp.ClientError, TimeoutError, OSError)

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}

#: How much may wait unsent in the kernel. Without it, megabytes would, and on
#: a slow line nobody could tell a stalled connection from a patient one.
_UNSENT = 512 * 1024


class Http:
    """A session. Use as an async context manager; ``timeout`` is in seconds per call.

    ``connections`` bounds the connections that are open at once, ``max_body``
    the bytes of an answer that ``call`` is ready to read. What is in ``secrets``
    is blanked where a message quotes the server.
    """

    def __init__(
        self,
        *,
        connections: int = 100,
        connect_timeout: float = 10.0,
        timeout: float = 60.0,
        max_body: int = 16 * MIB,
    ) -> None:
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._max_body = max_body
        self.secrets: set[str] = set()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, ttl_dns_cache=60, socket_factory=_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            headers={"User-Agent": f"orchestrator/{__version__}"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        url: str,
        *,
        idempotent: bool,
        data: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        shape: type = dict,
    ) -> Any:
        """The JSON answer to a request, of type ``shape``.

        ``data`` is sent as a form, ``json`` as JSON. ``idempotent`` says
        whether the request may be sent twice; where it may not, a lost or
        unreadable answer is ``OutcomeUnknown``, else ``Transient``. Redirects
        are not followed: they would turn a POST into a GET, and take its
        secrets elsewhere.
        """
        content, sort = _body(data, json)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self.session.request(
                    method,
                    _parsed_url(url),
                    data=content,
                    headers={**sort, **headers} if headers else sort,
                    allow_redirects=False,
                ) as response,
            ):
                answer = await read_bounded(response, self._max_body)
        except _FOREIGN as error:
            raise _ours(error, url, idempotent=idempotent) from error
        if not 200 <= response.status < 300:
            raise refusal(
                response.status,
                response.headers,
                answer,
                redact(url),
                idempotent=idempotent,
                secrets=self.secrets,
            )
        return _parsed(answer, shape, url, idempotent=idempotent)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        follow: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response to be read by the caller, under a timeout of the caller's.

        For requests that may be repeated: whatever is lost is ``Transient``. The
        connection is not used again unless the whole answer was read. ``follow``
        follows redirects.
        """
        with mapped(url, idempotent=True):
            response = await self.session.request(
                method, url, headers=headers, data=data, allow_redirects=follow
            )
            try:
                yield response
            finally:
                response.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """aiohttp's own; exceptions that it raises need ``mapped``."""
        if self._session is None:
            raise RuntimeError("Http is used as an async context manager")
        return self._session


@contextmanager
def mapped(url: str, *, idempotent: bool) -> Iterator[None]:
    """Turn what aiohttp, the sockets and a timeout scope raise into our families."""
    try:
        yield
    except _FOREIGN as error:
        raise _ours(error, url, idempotent=idempotent) from error


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body, if it has no more than ``limit`` bytes. Needs ``mapped`` around it."""
    parts = []
    size = 0
    while part := await response.content.readany():
        size += len(part)
        if size > limit:
            raise _TooLong(f"more than {limit} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _TooLong(aiohttp.ClientPayloadError):
    """Raised when an answer has more bytes than we are ready to hold."""


def lost(message: str, *, idempotent: bool) -> OrchestratorError:
    """The error for a request that left and whose answer can't be had."""
    return Transient(message) if idempotent else OutcomeUnknown(message)


@lru_cache(maxsize=1024)
def _parsed_url(url: str) -> URL | str:
    """A URL as aiohttp takes it; one that is none is left for aiohttp to refuse."""
    try:
        return URL(url)
    except ValueError:
        return url


def _socket(address: AddrInfoType) -> socket.socket:
    made = socket.socket(address[0], address[1], address[2])
    if address[0] in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
    return made


def _body(data: Mapping[str, str] | None, json: Any) -> tuple[bytes | None, Mapping[str, str]]:
    if json is not None:
        return orjson.dumps(json), _JSON
    if data is None:
        return None, {}
    # yarl quotes in C, seven times as fast as urllib.
    return URL.build(query=data).raw_query_string.encode("ascii"), _FORM


def _parsed(answer: bytes, shape: type, url: str, *, idempotent: bool) -> Any:
    try:
        doc = orjson.loads(answer)
    except ValueError:
        what = "a web page" if answer.lstrip()[:1] == b"<" else "something that is not JSON"
        raise lost(f"{redact(url)} answered with {what}", idempotent=idempotent) from None
    if not isinstance(doc, shape):
        raise lost(
            f"{redact(url)}: answer not understood: {type(doc).__name__} in place of "
            f"{shape.__name__}",
            idempotent=idempotent,
        )
    return doc


def _ours(error: Exception, url: str, *, idempotent: bool) -> OrchestratorError:
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return BadRequest(f"{redact(url)} is not an http(s) address")
    return _unconnected(error, host_of(url)) or lost(
        f"{redact(url)}: {_what_broke(error)}", idempotent=idempotent
    )


def _unconnected(error: Exception, host: str) -> OrchestratorError | None:
    """The error where the request can't have left, else None."""
    if isinstance(
        error, (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
    ):
        return AccountProblem(
            f"the certificate of {host} is not valid ({_certificate_fault(error)}): "
            "nothing is sent there until it is"
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"the name of {host} can't be resolved")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unreachable(f"no connection to {host} in time")
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return Unreachable(f"connection refused by {host}")
        reason = error.os_error.strerror or type(error.os_error).__name__
        return Unreachable(f"no connection to {host}: {reason}")
    return None


def _certificate_fault(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None)
    return str(getattr(cause, "verify_message", "") or "its fingerprint differs")


def _what_broke(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer came"
    if isinstance(error, _TooLong):
        return f"the answer is too long ({error})"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    if isinstance(error, OSError) and error.strerror:
        return f"the connection was lost ({error.strerror})"
    return f"the connection was lost ({type(error).__name__})"
