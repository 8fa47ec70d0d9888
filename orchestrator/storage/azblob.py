"""Azure Blob Storage: one Put Blob, or blocks that a list makes a blob of at the end.

Blocks that no list names are never seen and vanish after a week ("Put Block"),
so there is nothing to clean up.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.http import Answer, judge, send, session
from orchestrator.storage.parts import Body, Part, body, read, split
from orchestrator.storage.place import Reach, Refused, Upload
from orchestrator.storage.s3 import credentials
from orchestrator.storage.signing import query_string, quoted, sign_azure
from orchestrator.storage.together import together

#: The version of the service that requests are written for.
_VERSION = "2021-08-06"
_BODIES = 8


class AzureBlobs:
    """A container that is open. The key of a destination is the storage account's name."""

    at_once = _BODIES

    def __init__(
        self, http: aiohttp.ClientSession, container: str, wanted: Destination, reach: Reach
    ) -> None:
        """``container`` is its URL."""
        self._http, self._reach = http, reach
        self._container = container
        self._account, self._secret = credentials(wanted)[0], account_key(wanted)
        self._cache = wanted.cache_control
        self._bodies = asyncio.Semaphore(_BODIES)

    async def put(self, upload: Upload) -> None:
        """``Place.put``."""
        shown = {"x-ms-blob-content-type": upload.kind}
        if self._cache:
            shown["x-ms-blob-cache-control"] = self._cache
        parts = split(upload.size)
        if len(parts) == 1:
            await self._part(upload, parts[0], {}, {**shown, "x-ms-blob-type": "BlockBlob"})
            upload.moved(upload.size)
            return
        await self._blocks(upload, parts)
        await self._request(upload.path, {"comp": "blocklist"}, shown, body(_block_list(parts)))

    async def _blocks(self, upload: Upload, parts: list[Part]) -> None:
        left = iter(parts)
        done = 0

        async def work() -> None:
            nonlocal done
            for part in left:
                await self._part(upload, part, {"comp": "block", "blockid": _block(part)}, {})
                done += part.size
                upload.moved(done)

        await together(work() for _ in range(min(_BODIES, len(parts))))

    async def _part(
        self, upload: Upload, part: Part, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        async with self._bodies:
            content = await read(self._reach.disk, upload.file, part)
            await self._request(upload.path, query, headers, content)

    async def _request(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], content: Body
    ) -> Answer:
        async def once() -> Answer:
            return judge(await self._once(path, query, headers, content), 201)

        return await self._reach.patience.try_again(once)

    async def _once(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], content: Body
    ) -> Answer:
        url = f"{self._container}/{quoted(path, '/')}"
        signed = sign_azure(
            "PUT",
            "/" + url.split("/", 3)[3],
            query,
            {
                **headers,
                "x-ms-version": _VERSION,
                "content-length": str(len(content.data)),
                "content-md5": base64.b64encode(content.md5).decode(),
                "content-type": "application/octet-stream",
            },
            account=self._account,
            secret=self._secret,
            now=datetime.now(UTC),
        )
        target = url + (f"?{query_string(query)}" if query else "")
        return await send(self._http, self._reach, "PUT", target, signed, content.data)


@asynccontextmanager
async def open_azblob(wanted: Destination, reach: Reach) -> AsyncIterator[AzureBlobs]:
    """The container of an ``azblob://`` destination. Raises ``Refused``."""
    where = address.bucket(wanted)
    account, _ = credentials(wanted)
    if where.host:
        # An emulator or a box of one's own has no name for each account.
        base = f"{where.url}/{quoted(account)}" if address.is_local(where.host) else where.url
    else:
        base = f"https://{quoted(account)}.blob.core.windows.net"
    async with session(reach) as http:
        yield AzureBlobs(http, f"{base}/{quoted(where.bucket)}", wanted, reach)


def account_key(wanted: Destination) -> bytes:
    """The key of the storage account, which is the destination's secret. Raises ``Refused``."""
    try:
        return base64.b64decode(credentials(wanted)[1], validate=True)
    except binascii.Error as error:
        raise Refused("its secret is no account key of Azure, which is in base64") from error


def _block(part: Part) -> str:
    return base64.b64encode(f"{part.number:06}".encode()).decode()


def _block_list(parts: list[Part]) -> bytes:
    listed = "".join(f"<Latest>{_block(part)}</Latest>" for part in parts)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
