"""S3 and what speaks like it: one PUT, or a multipart upload for large files.

An upload that does not end well is aborted: its parts would be paid for and
never seen. Requests are of path style, which every storage knows.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import aiohttp

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.http import Answer, judge, send, session
from orchestrator.storage.parts import Body, Part, body, read, split
from orchestrator.storage.place import Passing, Reach, Refused, Upload
from orchestrator.storage.signing import query_string, quoted, sign_s3
from orchestrator.storage.together import together

_UPLOAD_ID = re.compile(r"<UploadId>([^<]+)</UploadId>")
_REGION = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>")

#: Bodies that are on their way at the same time, whichever files they are of.
_BODIES = 8
#: Seconds that an abort may take; the caller is on its way out.
_ABORT = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who writes where: an endpoint such as ``https://host``, or AWS's own if it is empty."""

    endpoint: str
    bucket: str
    region: str
    key: str
    secret: str


class S3:
    """A bucket that is open."""

    at_once = _BODIES

    def __init__(
        self, http: aiohttp.ClientSession, account: Account, wanted: Destination, reach: Reach
    ) -> None:
        self._http, self._account, self._reach = http, account, reach
        self._region = account.region
        self._bodies = asyncio.Semaphore(_BODIES)
        self._headers = {
            name: value
            for name, value in (
                ("x-amz-acl", wanted.permissions),
                ("x-amz-storage-class", wanted.storage_class),
                ("cache-control", wanted.cache_control),
            )
            if value
        }

    async def put(self, upload: Upload) -> None:
        """``Place.put``."""
        headers = {**self._headers, "content-type": upload.kind}
        parts = split(upload.size)
        if len(parts) == 1:
            await self._part("PUT", upload, parts[0], {}, headers)
            upload.moved(upload.size)
            return
        try:
            await self._multipart(upload, parts, headers)
        except Refused as error:
            if error.code != "NoSuchUpload":
                raise
            # It was completed by a request whose answer was lost, or expired: begin anew.
            await self._multipart(upload, parts, headers)

    async def _multipart(
        self, upload: Upload, parts: list[Part], headers: Mapping[str, str]
    ) -> None:
        begun = await self._request("POST", upload.path, {"uploads": ""}, headers)
        found = _UPLOAD_ID.search(begun.text)
        if not found:
            raise Refused("it names no multipart upload")
        query = {"uploadId": found[1]}
        try:
            tags = await self._parts(upload, parts, query)
            await self._request("POST", upload.path, query, {}, body(_manifest(tags)))
        except BaseException:
            await asyncio.shield(self._abort(upload.path, query))
            raise

    async def _parts(self, upload: Upload, parts: list[Part], query: dict[str, str]) -> list[str]:
        """Every part's ETag. They go at the same time, as far as there is room."""
        tags = [""] * len(parts)
        left = iter(parts)
        done = 0

        async def work() -> None:
            nonlocal done
            for part in left:
                mine = {**query, "partNumber": str(part.number)}
                answer = await self._part("PUT", upload, part, mine, {})
                tags[part.number - 1] = answer.headers.get("etag", "")
                done += part.size
                upload.moved(done)

        await together(work() for _ in range(min(_BODIES, len(parts))))
        return tags

    async def _part(
        self,
        method: str,
        upload: Upload,
        part: Part,
        query: dict[str, str],
        headers: dict[str, str],
    ) -> Answer:
        async with self._bodies:
            content = await read(self._reach.disk, upload.file, part)
            return await self._request(method, upload.path, query, headers, content)

    async def _abort(self, path: str, query: Mapping[str, str]) -> None:
        with suppress(Passing, Refused, TimeoutError):
            async with asyncio.timeout(_ABORT):
                await self._once("DELETE", path, query, {}, body(b""))

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        content: Body | None = None,
    ) -> Answer:
        sent = content or body(b"")

        async def once() -> Answer:
            answer = await self._once(method, path, query, headers, sent)
            if self._moved(answer):
                answer = await self._once(method, path, query, headers, sent)
            return judge(answer, 200, 204)

        return await self._reach.patience.try_again(once)

    def _moved(self, answer: Answer) -> bool:
        """Whether the bucket lies in another region than thought; it is known then."""
        if answer.status not in (301, 307, 400, 403):
            return False
        named = _REGION.search(answer.text)
        there = answer.headers.get("x-amz-bucket-region") or (named[1] if named else self._region)
        changed, self._region = there != self._region, there
        return changed

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        content: Body,
    ) -> Answer:
        account = self._account
        endpoint = account.endpoint or f"https://s3.{self._region}.amazonaws.com"
        where = f"/{quoted(account.bucket)}/{quoted(path, '/')}"
        signed = sign_s3(
            method,
            endpoint.partition("://")[2],
            where,
            query,
            headers,
            content.sha256,
            key=account.key,
            secret=account.secret,
            region=self._region,
            now=datetime.now(UTC),
        )
        url = f"{endpoint}{where}" + (f"?{query_string(query)}" if query else "")
        return await send(self._http, self._reach, method, url, signed, content.data)


@asynccontextmanager
async def open_s3(wanted: Destination, reach: Reach) -> AsyncIterator[S3]:
    """The bucket of an ``s3://`` destination. Raises ``Refused``."""
    where = address.bucket(wanted)
    endpoint = where.url if where.host else ""
    key, secret = credentials(wanted)
    account = Account(endpoint, where.bucket, address.region(where.host), key, secret)
    async with session(reach) as http:
        yield S3(http, account, wanted, reach)


def credentials(wanted: Destination) -> tuple[str, str]:
    """Key and secret, empty where there is none."""
    key, secret = wanted.key, wanted.secret
    return key.get_secret_value() if key else "", secret.get_secret_value() if secret else ""


def _manifest(tags: list[str]) -> bytes:
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
        for number, tag in enumerate(tags, start=1)
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
