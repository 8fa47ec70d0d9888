"""Sources from http(s): redirects judged one by one, ranges to go on after a break.

What is stored is what the server has: it is asked for no encoding, and one that
it applies nevertheless is refused, since nothing here inflates what strangers send.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
from yarl import URL

from orchestrator.tls import trusted
from orchestrator.transcoder.sources.addresses import (
    PRIVATE,
    Addresses,
    JudgingResolver,
    PrivateAddress,
    is_numeric,
    name_fault,
)
from orchestrator.transcoder.sources.faults import (
    Interrupted,
    NotSecure,
    Refused,
    Unfetchable,
    system_words,
)
from orchestrator.transcoder.sources.landing import FetchLimits, Landing

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BLOCK = 1024 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "orchestrator-transcoder"}
#: 2130706433, 0x7f.1 and the like: the system reads them as addresses.
_ODD_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
#: What a server answers when it may do better later (RFC 9110, 15.5.9 and 15.6; RFC 6585).
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_ERROR_HEAD = 4096
_REGION = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
_WORDS = {
    401: "its server wants a user name and a password, or refuses those of the URL (HTTP 401)",
    403: "its server refuses access to it (HTTP 403)",
    404: "it is not there (HTTP 404)",
    410: "it is not there any more (HTTP 410)",
}


class Web:
    """Fetches by http(s), from ``addresses`` alone."""

    def __init__(self, addresses: Addresses, limits: FetchLimits) -> None:
        self._addresses, self._limits = addresses, limits

    async def fetch(self, url: URL, landing: Landing) -> None:
        """One try, going on from what ``landing`` has.

        Raises ``Unfetchable`` or ``Interrupted``.
        """
        connector = aiohttp.TCPConnector(
            resolver=JudgingResolver(self._addresses),
            use_dns_cache=False,
            force_close=True,
            ssl=trusted(),
        )
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._limits.connect, sock_read=self._limits.stall
        )
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=_HEADERS, auto_decompress=False
        ) as session:
            try:
                await self._follow(session, url, landing)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise _fault(error) from error

    async def _follow(self, session: aiohttp.ClientSession, url: URL, landing: Landing) -> None:
        for _ in range(_MAX_REDIRECTS + 1):
            await self._judge(url)
            wanted = _range_of(landing)
            async with session.get(url, allow_redirects=False, headers=wanted) as response:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    return await _save(response, landing)
                url = url.join(URL(response.headers["Location"]))
        raise Unfetchable(f"it redirects more than {_MAX_REDIRECTS} times")

    async def _judge(self, url: URL) -> None:
        """Hosts that are numbers, however spelt, never reach the resolver: judge them here."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Unfetchable("it leads to no http(s) address")
        if is_numeric(url.host) or _ODD_NUMBER.fullmatch(url.host):
            await self._addresses.one(url.host, url.port or 0)


def _range_of(landing: Landing) -> Mapping[str, str]:
    """Ask for the rest, if it is still the same file; without a version we can't tell."""
    if not landing.done or not landing.version:
        return {}
    return {"Range": f"bytes={landing.done}-", "If-Range": landing.version}


async def _save(response: aiohttp.ClientResponse, landing: Landing) -> None:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if response.status not in (200, 206):
        raise await _status_fault(response)
    if coding not in ("identity", ""):
        raise Unfetchable("its server compresses it, although it was asked not to")
    if response.status == 206:
        await _go_on(response, landing)
    else:
        await landing.begin_again()
        landing.version = _version(response.headers)
        landing.expect(response.content_length)
    while piece := await response.content.read(_BLOCK):
        await landing.write(piece)
    landing.finish()


async def _go_on(response: aiohttp.ClientResponse, landing: Landing) -> None:
    """Check that the rest is the rest. Raises ``Unfetchable`` or ``Interrupted``."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    total = int(found[3]) if found and found[3] != "*" else landing.total
    if not landing.done or found is None or int(found[1]) != landing.done:
        await landing.begin_again()
        raise Interrupted("its server answers with another part of it than was asked for")
    if landing.total is not None and total != landing.total:
        await landing.begin_again()
        raise Interrupted("it was changed while it was read")
    landing.expect(total)


def _version(headers: Mapping[str, str]) -> str:
    """What ``If-Range`` may name (RFC 9110, 13.1.5): a strong ETag, or else a date."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


async def _status_fault(response: aiohttp.ClientResponse) -> Refused | Interrupted:
    status = response.status
    if status in _PASSING:
        delay = 0.0
        with suppress(ValueError):
            delay = float(response.headers.get("Retry-After", "0"))
        return Interrupted(f"its server answers with HTTP {status}", delay)
    words = _WORDS.get(status, f"its server answers with HTTP {status}")
    return Refused(words, await _region(response))


async def _region(response: aiohttp.ClientResponse) -> str:
    """The region that an S3 server names when a request was signed for another."""
    if told := response.headers.get("x-amz-bucket-region"):
        return told
    found = _REGION.search(await response.content.read(_ERROR_HEAD))
    return found[1].decode() if found else ""


def _fault(error: Exception) -> Unfetchable | Interrupted:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PrivateAddress):
        return Unfetchable(PRIVATE)
    if isinstance(cause, socket.gaierror):
        return name_fault(cause)
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return NotSecure()
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return Interrupted("the connection broke before the end")
    if isinstance(cause, TimeoutError | asyncio.TimeoutError):
        return Interrupted("its server timed out")
    if isinstance(cause, OSError):
        return Interrupted(system_words(cause))
    if isinstance(error, aiohttp.ClientConnectionError):
        return Interrupted("the connection to its server broke")
    return Unfetchable("its server does not answer as a web server does, or the URL is not one")
