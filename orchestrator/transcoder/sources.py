"""From the ``source`` of a query to a file: an upload, or a download that is guarded.

A service that fetches any URL for its clients would also fetch those that only
its own network can see. Addresses are therefore judged where the connection is
made: each name is resolved once, and the connection goes to an address that was
judged, so that a name which changes its answer in between gains nothing.
"""

import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.answers import ApiError, Code
from orchestrator.transcoder.disk import Disk, free_bytes
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.tus import Uploads

_SCHEMES = ("http", "https")
_MAX_REDIRECTS = 5
_BLOCK = 1024 * 1024
#: Seconds for a connection, between two reads, and for the whole of a download.
_TIMEOUT = aiohttp.ClientTimeout(total=6 * 3600, sock_connect=30, sock_read=60)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PRIVATE = "its address is private or local, which this service does not fetch from"


class Sources:
    """Checks and fetches sources. ``max_bytes`` 0 sets no limit."""

    def __init__(
        self, uploads: Uploads, disk: Disk, *, max_bytes: int, reserve: int, allow_private: bool
    ) -> None:
        self._uploads, self._disk = uploads, disk
        self._max_bytes, self._reserve, self._allow_private = max_bytes, reserve, allow_private

    async def check(self, task: str, query: EncodeQuery) -> None:
        """Refuse at once what can't work. Raises ``ApiError`` naming the field."""
        if query.source is None:
            raise _refused("query.stitch", "stitching is not supported yet: send one source")
        scheme, _, rest = query.source.partition(":")
        if scheme == "tus":
            await self._upload(task, rest)
        elif scheme.lower() not in _SCHEMES:
            raise _refused(
                "query.source", f"can't read from {scheme}:// yet: upload it, or send http(s)://"
            )

    async def fetch(self, task: str, source: str, folder: Path) -> Path:
        """The source as a local file. Raises ``MediaError``."""
        if source.startswith("tus:"):
            try:
                return await self._upload(task, source.removeprefix("tus:"))
            except ApiError as error:
                raise MediaError(str(error)) from error
        target = folder / "source"
        try:
            await self._download(URL(source), target)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise MediaError(f"the source can't be downloaded: {_reason(error)}") from error
        return target

    async def _upload(self, task: str, upload_id: str) -> Path:
        path = await self._uploads.complete(task, upload_id)
        if path is None:
            raise _refused("query.source", "this task has no complete upload of that id")
        return path

    async def _download(self, url: URL, target: Path) -> None:
        resolver = DefaultResolver() if self._allow_private else _Guarded()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        # Compressed media is rare; what is stored must be what the server has.
        headers = {"Accept-Encoding": "identity", "User-Agent": "orchestrator-transcoder"}
        async with aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, headers=headers, auto_decompress=False
        ) as session:
            for _ in range(_MAX_REDIRECTS + 1):
                self._check_hop(url)
                async with session.get(url, allow_redirects=False) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        return await self._save(response, target)
                    url = url.join(URL(response.headers.get("Location", "")))
        raise MediaError(
            f"the source can't be downloaded: it redirects more than {_MAX_REDIRECTS} times"
        )

    def _check_hop(self, url: URL) -> None:
        """Numeric hosts never reach the resolver, so they are judged here."""
        if url.scheme not in _SCHEMES or not url.host:
            raise MediaError("the source can't be downloaded: it leads to no http(s) address")
        if not self._allow_private and _is_numeric(url.host) and not is_public(url.host):
            raise MediaError(f"the source can't be downloaded: {_PRIVATE}")

    async def _save(self, response: aiohttp.ClientResponse, target: Path) -> None:
        if response.status != 200:
            raise MediaError(f"the source can't be downloaded: HTTP {response.status}")
        self._check_size(response.content_length or 0, target)
        done = 0
        file = await self._disk.run(target.open, "wb")
        try:
            while chunk := await response.content.read(_BLOCK):
                done += len(chunk)
                self._check_size(done, target)
                await self._disk.run(file.write, chunk)
        finally:
            await self._disk.run(file.close)

    def _check_size(self, size: int, target: Path) -> None:
        if self._max_bytes and size > self._max_bytes:
            raise MediaError(
                f"the source has more than the {self._max_bytes} bytes that this service takes"
            )
        if free_bytes(target.parent) < self._reserve:
            raise MediaError("the source can't be downloaded: the service's disk is full")


class _PrivateAddress(OSError):
    """Raised when a name leads to no public address."""


class _Guarded(AbstractResolver):
    """A resolver that leaves out every address that is not public."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise _PrivateAddress(None, _PRIVATE)
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, however it is written."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False  # tunnels to an IPv4 address that nobody judged
    return ip.is_global and not ip.is_multicast


def without_credentials(source: str) -> str:
    """A source as the log of starts may hold it: no user, password or signature."""
    if source.startswith("tus:"):
        return source
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refused(field: str, message: str) -> ApiError:
    return ApiError(Code.BAD_QUERY, f"{field}: {message}", field=field)


def _reason(error: Exception) -> str:
    """Why, in words that hold nothing of the URL (it may carry a signature)."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, _PrivateAddress):
            return _PRIVATE
        return f"no connection to its server ({error.os_error.strerror or 'unknown reason'})"
    if isinstance(error, TimeoutError):
        return "its server timed out"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection broke before the end"
    return "the address is not one that can be fetched"
