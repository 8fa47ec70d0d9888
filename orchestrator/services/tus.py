"""Uploads over tus 1.0 (https://tus.io/protocols/resumable-upload)."""

import asyncio
import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from yarl import URL

from orchestrator.model.errors import Permanent, TaskLost, Transient
from orchestrator.model.items import Attempt
from orchestrator.model.ports import UploadWatcher
from orchestrator.services.connection import Answer
from orchestrator.services.http import MIB, Http
from orchestrator.services.redact import redact
from orchestrator.services.refusals import Refusals
from orchestrator.services.source_file import BLOCK, SourceFile, open_source
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus_protocol import (
    BODY_TYPE,
    RESUMABLE,
    Offer,
    checksum,
    metadata,
)
from orchestrator.services.tus_transfer import Pace, Transfer, accept, judge
from orchestrator.services.urls import absolute, relative
from orchestrator.services.watchdog import watched

Checksum = Literal["auto", "on", "off"]

_NOT_CREATED: Refusals = {404: TaskLost, 410: TaskLost}


class TusUploader:
    """Uploads files to the tus server of one service, whose address is ``base``.

    ``chunk`` bounds the bytes of one request; about 3 MiB per upload are in
    memory, whatever it is. Files up to ``small`` bytes (1 MiB at most) cost one
    request where the server takes bytes with the creation. ``stall`` is in
    seconds. Checksums are sent where the server offers them; with ``auto`` only
    over a network and without TLS, which has its own. Bytes leave as
    ``throttle`` lets them; without one, as fast as they can.
    """

    def __init__(
        self,
        http: Http,
        base: str,
        *,
        chunk: int = 512 * MIB,
        small: int = MIB,
        checksum: Checksum = "auto",
        stall: float = 60.0,
        throttle: Throttle | None = None,
    ) -> None:
        self._http = http
        self._base = base
        self._chunk = chunk
        self._small = min(small, BLOCK)
        self._checksum = checksum
        self._stall = stall
        self._throttle = throttle or Throttle()
        self._offers: dict[str, Offer] = {}
        self._asking = asyncio.Lock()

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        """See ``model.ports.Uploader``. The answer is ``tus:<uuid>``, as Qencode names a source.

        A lost answer to the creation is ``Transient``: an orphan upload costs
        nothing at the service, and is never made twice in here.
        """
        async with open_source(path) as source:
            offer = Offer()
            if attempt.upload_to is not None:
                offer = await self._offer(absolute(attempt.upload_to, self._base))
            if attempt.upload_url is None:
                url = await self._begin(source, attempt, offer, watcher)
            else:
                url = absolute(attempt.upload_url, self._base)
                transfer = self._transfer(url, source, offer, watcher)
                offset = await transfer.offset()
                watcher.sent(offset, source.size)
                await transfer.run(offset)
            await source.check_unchanged()
        return f"tus:{_name(url)}"

    async def _begin(
        self, source: SourceFile, attempt: Attempt, offer: Offer, watcher: UploadWatcher
    ) -> str:
        if attempt.upload_to is None:
            raise ValueError(f"attempt {attempt.number} was not prepared for an upload")
        url, offset = await self._create(absolute(attempt.upload_to, self._base), source, offer)
        if offset is None or offset < source.size:
            await watcher.created(relative(url, self._base))
            transfer = self._transfer(url, source, offer, watcher)
            await transfer.run(await transfer.offset() if offset is None else offset)
        else:
            watcher.sent(source.size, source.size)
        return url

    def _transfer(
        self, url: str, source: SourceFile, offer: Offer, watcher: UploadWatcher
    ) -> Transfer:
        return Transfer(
            http=self._http,
            url=url,
            source=source,
            pace=Pace(self._chunk),
            stall=self._stall,
            throttle=self._throttle,
            algorithm=self._algorithm(offer, url),
            sent=watcher.sent,
        )

    async def _offer(self, target: str) -> Offer:
        """What the server behind ``target`` can do; asked once per folder of targets.

        A target ends in the task's token, so the folder above it names the server.
        """
        server = target.rstrip("/").rpartition("/")[0]
        if (known := self._offers.get(server)) is not None:
            return known
        async with self._asking:
            known = self._offers.get(server) or await self._ask(target)
            if known is not None:
                self._offers[server] = known
        return known or Offer()

    async def _ask(self, target: str) -> Offer | None:
        """None where the server could not say; one that refuses to has no extensions."""
        async with (
            watched(self._stall, target),
            self._http.request("OPTIONS", target, headers=RESUMABLE) as response,
        ):
            if response.status in (429, 503):
                await accept(response, target, {})
            if response.status >= 500:
                return None
            return Offer.of(response.headers) if response.status < 300 else Offer()

    async def _create(
        self, target: str, source: SourceFile, offer: Offer
    ) -> tuple[str, int | None]:
        """Create an upload: its URL, and its offset where the answer says so."""
        if offer.max_size is not None and source.size > offer.max_size:
            raise Permanent(
                f"{source.path} has {source.size} bytes; {redact(target)} takes "
                f"{offer.max_size} at most"
            )
        headers = {
            **RESUMABLE,
            "Upload-Length": str(source.size),
            "Upload-Metadata": metadata(source.path.name),
        }
        kind = ""
        data: bytes | bytearray = b""
        if offer.creation_with_upload and 0 < source.size <= self._small:
            kind, data = BODY_TYPE, await source.whole()
            if algorithm := self._algorithm(offer, target):
                headers["Upload-Checksum"] = checksum(algorithm, [data])
            await self._throttle.take(len(data))
        async with watched(self._stall, target):
            answer = await self._http.deliver("POST", target, kind, data, headers, self._stall)
        if answer.status == 413:
            raise Permanent(f"{source.path} ({source.size} bytes) is too large for the service")
        judge(answer, f"POST {redact(target)}", _NOT_CREATED)
        return _created(answer, source, target, sent=len(data))

    def _algorithm(self, offer: Offer, url: str) -> str | None:
        if self._checksum == "off" or offer.algorithm is None:
            return None
        where = URL(url)
        if self._checksum == "auto" and _is_safe(where.scheme, where.host or ""):
            return None
        return offer.algorithm


def _created(
    answer: Answer, source: SourceFile, target: str, *, sent: int
) -> tuple[str, int | None]:
    location = answer.headers.get("Location")
    if not location:
        raise Transient(f"POST {redact(target)}: answer not understood: it has no Location")
    # Most are absolute, and each is new: to parse it would cost more than the rest of this.
    url = location if "://" in location else str(URL(target).join(URL(location)))
    if not sent:
        return url, 0
    offset = answer.headers.get("Upload-Offset", "")
    return url, int(offset) if offset.isdigit() and int(offset) <= source.size else None


def _name(url: str) -> str:
    """The last part of an upload's path, which is its name at the service."""
    path = url.partition("#")[0].partition("?")[0]
    return unquote(path.rstrip("/").rpartition("/")[2])


@lru_cache(maxsize=256)
def _is_safe(scheme: str, host: str) -> bool:
    """Whether damage on the way is as good as impossible."""
    if scheme == "https" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
