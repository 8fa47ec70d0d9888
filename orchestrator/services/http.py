"""One HTTP session per service: keep-alive, bounds, and foreign errors mapped where they enter.

API calls and uploads go over ``services.wire``, what is fetched comes through aiohttp.
Nothing here retries. aiohttp by itself sends an idempotent request again when
a kept-alive connection turns out to be dead; that is left on because no GET,
HEAD or OPTIONS of ours has a body.
"""

import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
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
from orchestrator.services.connection import Answer, Broken, Piece
from orchestrator.services.redact import host_of, redact
from orchestrator.services.refusals import refusal
from orchestrator.services.wire import NOTHING, NotConnected, Wire

MIB = 2**20

#: What aiohttp, the sockets and a timeout scope raise.
_FOREIGN = (aiohttp.ClientError, TimeoutError, OSError)

_AGENT = f"orchestrator/{__version__}"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class Http:
    """A session. Use as an async context manager; ``timeout`` is in seconds per call.

    ``connections`` bounds the connections that are open at once: those of calls, of
    bodies that are poured, and of what is fetched, each kind by itself. ``max_body`` is
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
        self._wires: tuple[Wire, Wire] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            headers={"User-Agent": _AGENT},
        )
        self._wires = self._wire(), self._wire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for wire in self._wires or ():
            wire.close()
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
        shape: type = dict,
        headers: Mapping[str, str] = NOTHING,
    ) -> Any:
        """The JSON answer to a request, of type ``shape``.

        With ``object`` any JSON will do, and an empty answer is None. ``data`` is
        sent as a form, ``json`` as JSON. ``idempotent`` says
        whether the request may be sent twice; where it may not, a lost or
        unreadable answer is ``OutcomeUnknown``, else ``Transient``. Redirects
        are not followed: they would turn a POST into a GET, and take its
        secrets elsewhere.
        """
        content, kind = _body(data, json)
        try:
            answer = await self._entered[0].send(method, _address(url), kind, content, headers)
        except (NotConnected, Broken) as error:
            raise _unsaid(error, url, idempotent=idempotent) from error
        if not 200 <= answer.status < 300:
            raise refusal(
                answer.status,
                answer.headers,
                answer.body,
                redact(url),
                idempotent=idempotent,
                secrets=self.secrets,
            )
        if shape is object and not answer.body:
            return None
        return _parsed(answer.body, shape, url, idempotent=idempotent)

    async def deliver(
        self,
        method: str,
        url: str,
        kind: str,
        body: bytes | bytearray,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - a timer, which a connection has anyway
    ) -> Answer:
        """The answer, whatever its status, to a request whose body is at hand.

        ``kind`` is the body's content type, ``timeout`` in seconds. What is lost is
        ``Transient``. A fifth of the price of ``request`` where both are small.
        """
        try:
            return await self._entered[0].send(method, _address(url), kind, body, headers, timeout)
        except (NotConnected, Broken) as error:
            raise _unsaid(error, url, idempotent=True) from error

    async def pour(
        self,
        method: str,
        url: str,
        kind: str,
        body: AsyncIterable[Piece],
        length: int,
        headers: Mapping[str, str],
    ) -> Answer:
        """The answer, whatever its status, to a request with ``length`` bytes still to come.

        Under a timeout of the caller's, who gives the pieces. What is lost is
        ``Transient``; what ``body`` raises goes through. Half the price of ``request``.
        """
        try:
            return await self._entered[1].pour(method, _address(url), kind, body, length, headers)
        except (NotConnected, Broken) as error:
            raise _unsaid(error, url, idempotent=True) from error

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
    def _entered(self) -> tuple[Wire, Wire]:
        """The connections of calls, and those of bodies that are poured."""
        if self._wires is None:
            raise RuntimeError("Http is used as an async context manager")
        return self._wires

    def _wire(self) -> Wire:
        return Wire(
            connections=self._connections,
            connect_timeout=self._connect_timeout,
            timeout=self._timeout,
            max_size=self._max_body,
            agent=_AGENT,
        )

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


def _unsaid(error: NotConnected | Broken, url: str, *, idempotent: bool) -> OrchestratorError:
    """Our error for a call without an answer."""
    if isinstance(error, NotConnected):
        return _no_connection(error.__cause__, host_of(url))
    return lost(f"{redact(url)}: {error}", idempotent=idempotent)


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
def _address(url: str) -> URL:
    """An http(s) URL. Raises ``BadRequest``."""
    try:
        address = URL(url)
    except ValueError:
        address = URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise BadRequest(f"{redact(url)} is not an http(s) address")
    return address


def _body(data: Mapping[str, str] | None, json: Any) -> tuple[bytes, str]:
    """The body, and its content type ("" where there is none)."""
    if json is not None:
        return orjson.dumps(json), _JSON
    if data is None:
        return b"", ""
    # The names are words of an API, and need no quoting.
    form = "&".join([f"{name}={_quoted(value)}" for name, value in data.items()])
    return form.encode("ascii"), _FORM


def _quoted(text: str) -> str:
    """A value as it stands in a form. Most are tokens, and stand as they are."""
    if text.isascii() and text.isalnum():
        return text
    # yarl quotes in C, seven times as fast as urllib.
    return URL.build(query={"v": text}).raw_query_string[2:]


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
    """The error where aiohttp could not connect, so that nothing can have left, else None."""
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return _no_connection(ssl.SSLCertVerificationError(), host)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _no_connection(error.certificate_error, host)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _no_connection(socket.gaierror(), host)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _no_connection(TimeoutError(), host)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _no_connection(error.os_error, host)
    return None


def _no_connection(cause: BaseException | None, host: str) -> OrchestratorError:
    """The error for a connection that could not be made, by what the sockets said."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        fault = getattr(cause, "verify_message", "") or "its fingerprint differs"
        return AccountProblem(
            f"the certificate of {host} is not valid ({fault}): nothing is sent there until it is"
        )
    if isinstance(cause, socket.gaierror):
        return Unreachable(f"the name of {host} can't be resolved")
    if isinstance(cause, TimeoutError):
        return Unreachable(f"no connection to {host} in time")
    if isinstance(cause, ConnectionRefusedError):
        return Unreachable(f"connection refused by {host}")
    reason = getattr(cause, "strerror", None) or type(cause).__name__
    return Unreachable(f"no connection to {host}: {reason}")


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
