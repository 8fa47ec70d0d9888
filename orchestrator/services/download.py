"""Fetches one file over HTTP: goes on where an earlier try stopped, and is whole at the end."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientResponse

from orchestrator.model.errors import (
    OrchestratorError,
    OutputDamaged,
    OutputMissing,
    Transient,
)
from orchestrator.services.digests import Digest, digest_of, named_digest
from orchestrator.services.disk_write import PartFile, in_thread
from orchestrator.services.http import MIB, Http, read_bounded
from orchestrator.services.redact import redact
from orchestrator.services.refusals import Refusals, refusal
from orchestrator.services.watchdog import watched

_LONGEST_REFUSAL = 64 * 1024
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

#: A link that has run out is answered so; it says nothing about the account.
_MISSING: Refusals = dict.fromkeys((401, 403, 404, 410), OutputMissing)


@dataclass(frozen=True, slots=True)
class Downloader:
    """``stall`` is in seconds: a download that moves nothing for so long is given up."""

    http: Http
    stall: float

    async def fetch(
        self,
        url: str,
        target: Path,
        *,
        since: float,
        got: Callable[[int], None],
        named: int | None = None,
    ) -> int:
        """Bring ``url`` to ``target``; the answer is its size in bytes.

        ``named`` is the size that the service named (see ``agree``). Raises
        ``OutputDamaged``, and keeps nothing to go on from, where what came is
        not of the size or the checksum that the service or the server names.

        Bytes that an earlier try left after ``since`` (UNIX seconds) are kept
        where the server can go on from there. ``got`` counts bytes, and takes
        them back with a negative number.
        """
        part = PartFile(target)
        try:
            have = await in_thread(part.have, since)
            for begin in dict.fromkeys((have, 0)):
                size = await self._stream(url, part, begin, named, got)
                if size is not None:
                    return size
            raise Transient(f"{redact(url)}: answer not understood: 416 to a plain request")
        except OutputDamaged:
            await in_thread(part.discard)
            raise
        finally:
            if part.is_open:
                await in_thread(part.close)

    async def read(self, url: str, limit: int = 16 * MIB) -> bytes:
        """The body of a small file."""
        async with (
            watched(self.stall, url),
            self.http.request("GET", url, follow=True) as response,
        ):
            body = await read_bounded(response, limit)
            if response.status != 200:
                raise _refused(response, body, url)
            return body

    async def _stream(
        self,
        url: str,
        part: PartFile,
        have: int,
        named: int | None,
        got: Callable[[int], None],
    ) -> int | None:
        """Fetch from offset ``have`` on; None where the server can't, so begin at 0."""
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        async with (
            watched(self.stall, url) as moved,
            self.http.request("GET", url, headers=headers, follow=True) as response,
        ):
            begin, total = _extent(response)
            if response.status == 416:
                if not have or total != have:
                    return None
                begin = have  # an earlier try had it all, and was stopped just before its end
            elif response.status not in (200, 206):
                raise _refused(response, await read_bounded(response, _LONGEST_REFUSAL), url)
            elif begin not in (0, have):
                return None
            _check_size(url, total, named)
            digest = named_digest(response.headers, response.status, response.url.host or "")
            got(begin)
            at, last = begin, b""
            if response.status != 416:
                at, last = await _write(response, part, begin, moved, got)
        size = at + len(last)
        if total is not None and size != total:
            family = Transient if size < total else OutputDamaged  # less: to go on from
            raise family(f"{redact(url)} has {total} bytes and sent {size}")
        _check_size(url, size, named)
        await in_thread(part.write, last, at)
        if digest is not None:
            await _check_digest(url, part.path, digest)
        await in_thread(part.settle)
        return size


def agree(size: int, named: int) -> bool:
    """Sizes are named in megabytes with six digits, so the last digits may differ."""
    return abs(size - named) <= 1 + named * 5e-6


def _check_size(url: str, size: int | None, named: int | None) -> None:
    if size is not None and named is not None and not agree(size, named):
        raise OutputDamaged(f"{redact(url)} has {size:,} bytes; the service had said {named:,}")


async def _check_digest(url: str, path: Path, digest: Digest) -> None:
    if await digest_of(path, digest.algorithm) != digest.value:
        raise OutputDamaged(
            f"{redact(url)} arrived damaged: its {digest.algorithm} is not what the server says"
        )


async def _write(
    response: ClientResponse,
    part: PartFile,
    at: int,
    moved: Callable[[], None],
    got: Callable[[int], None],
) -> tuple[int, bytes]:
    """Write the body from offset ``at`` on, but for its last bytes: those, and where they go."""
    held = bytearray()
    while piece := await response.content.readany():
        held += piece
        got(len(piece))
        if len(held) >= MIB:
            await in_thread(part.write, held, at)
            at += len(held)
            held = bytearray()
        moved()
    return at, bytes(held)


def _extent(response: ClientResponse) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the file is, if the answer says so."""
    named = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status not in (206, 416) or named is None:
        return 0 if response.status != 206 else -1, response.content_length
    total = None if named[2] == "*" else int(named[2])
    return int(named[1] or 0), total


def _refused(response: ClientResponse, body: bytes, url: str) -> OrchestratorError:
    where = f"GET {redact(url)}"
    error = refusal(response.status, response.headers, body, where, idempotent=True)
    family = _MISSING.get(response.status)
    return error if family is None else family(str(error))
