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
from html import escape, unescape

import aiohttp

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.http import Answer, judge, send, session
from orchestrator.storage.parts import Body, Part, body, read, split
from orchestrator.storage.place import Passing, Reach, Refused, Upload
from orchestrator.storage.resuming import Sending
from orchestrator.storage.signing import query_string, quoted, sign_s3
from orchestrator.storage.together import together

_UPLOAD_ID = re.compile(r"<UploadId>([^<]+)</UploadId>")
_PART = re.compile(
    r"<Part>(?=.*?<PartNumber>(\d+)</PartNumber>)(?=.*?<ETag>([^<]+)</ETag>)"
    r"(?=.*?<Size>(\d+)</Size>).*?</Part>",
    re.DOTALL,
)
_MORE = re.compile(r"<NextPartNumberMarker>(\d+)</NextPartNumberMarker>")
_CUT = "<IsTruncated>true</IsTruncated>"
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
    streams = False

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

    # --- going on where an earlier try stopped: ``Resumable`` -------------------------

    async def begin(self, sending: Sending) -> str:
        """``Resumable.begin``: a large file is a multipart upload, whose id is the handle."""
        if len(split(sending.size)) == 1:
            return ""
        headers = {**self._headers, "content-type": sending.kind}
        begun = await self._request("POST", sending.path, {"uploads": ""}, headers)
        found = _UPLOAD_ID.search(begun.text)
        if not found:
            raise Refused("it names no multipart upload")
        return found[1]

    async def arrived(self, sending: Sending) -> int | None:
        """``Resumable.arrived``: the parts that are there, from the first on without a gap."""
        if await self._is_there(sending):
            return sending.size
        if not sending.handle:
            return None
        try:
            there = await self._listed(sending)
        except Refused as error:
            if error.code != "NoSuchUpload":
                raise
            return None
        return sum(each.size for each, _ in _begun(sending, there))

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        """``Resumable.append``, one part after the other."""
        parts = [part for part in split(sending.size) if part.start >= offset]
        async for part, data in _cut(parts, blocks):
            if sending.handle:
                query = {"uploadId": sending.handle, "partNumber": str(part.number)}
                await self._request("PUT", sending.path, query, {}, body(data))
            else:
                headers = {**self._headers, "content-type": sending.kind}
                await self._request("PUT", sending.path, {}, headers, body(data))
            sending.moved(part.start + part.size)

    async def finish(self, sending: Sending) -> None:
        """``Resumable.finish``."""
        if sending.handle:
            try:
                there = _begun(sending, await self._listed(sending))
            except Refused as error:
                if error.code != "NoSuchUpload":
                    raise
            else:
                if sum(part.size for part, _ in there) != sending.size:
                    raise Passing("not all of the file arrived")
                tags = body(_manifest([tag for _, tag in there]))
                query = {"uploadId": sending.handle}
                await self._request("POST", sending.path, query, {}, tags)
        if not await self._is_there(sending):
            raise Passing("not all of the file arrived")

    async def remove(self, sending: Sending) -> None:
        """``Resumable.remove``."""
        if sending.handle:
            await self._abort(sending.path, {"uploadId": sending.handle})
        await self._request("DELETE", sending.path, {}, {})

    async def _is_there(self, sending: Sending) -> bool:
        """Whether the finished object is there."""

        async def once() -> Answer:
            answer = await self._once("HEAD", sending.path, {}, {}, body(b""))
            if self._moved(answer):
                answer = await self._once("HEAD", sending.path, {}, {}, body(b""))
            return judge(answer, 200, 404)

        answer = await self._reach.patience.try_again(once)
        length = answer.headers.get("content-length")
        return answer.status == 200 and length == str(sending.size)

    async def _listed(self, sending: Sending) -> dict[int, tuple[int, str]]:
        """Size and ETag of the parts that are there, by their numbers, as far as they are listed.

        A page is small enough for an answer; the documents' most is a thousand.
        """
        found: dict[int, tuple[int, str]] = {}
        query = {"uploadId": sending.handle, "max-parts": "100"}
        while True:
            answer = await self._request("GET", sending.path, query, {})
            for number, tag, size in _PART.findall(answer.text):
                found[int(number)] = int(size), unescape(tag)
            after = _MORE.search(answer.text)
            if _CUT not in answer.text or after is None:
                return found
            query["part-number-marker"] = after[1]

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


def _begun(sending: Sending, there: Mapping[int, tuple[int, str]]) -> list[tuple[Part, str]]:
    """The parts of a file, each with its ETag, up to the first that is not there as a whole."""
    found = []
    for part in split(sending.size):
        size, tag = there.get(part.number, (-1, ""))
        if size != part.size:
            break
        found.append((part, tag))
    return found


async def _cut(
    parts: list[Part], blocks: AsyncIterator[bytes]
) -> AsyncIterator[tuple[Part, bytes]]:
    """Blocks as they come, put together to parts."""
    held, left = bytearray(), list(reversed(parts))
    async for block in blocks:
        held += block
        while left and len(held) >= left[-1].size:
            part = left.pop()
            yield part, bytes(held[: part.size])
            del held[: part.size]
    for part in reversed(left):  # an empty file has one part, and no block
        if part.size == len(held) == 0:
            yield part, b""
