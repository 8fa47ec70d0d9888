"""The bytes of one tus upload: PATCH after PATCH, back in step with the server after a fault."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from aiohttp import ClientResponse

from orchestrator.model.errors import Transient, UploadGone
from orchestrator.services.connection import Answer
from orchestrator.services.http import MIB, Http, read_bounded
from orchestrator.services.redact import redact
from orchestrator.services.refusals import Refusals, refusal
from orchestrator.services.source_file import BLOCK, SourceFile
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus_protocol import BODY_TYPE, RESUMABLE, checksum, number
from orchestrator.services.watchdog import Moved, watched

#: A body with a checksum is in memory as a whole before it is sent.
_HELD = 4 * MIB

#: Returns to the server's offset in a row that bring no new byte, at most.
_IN_VAIN = 4


class _TooMuch(Transient):
    """Raised when somebody on the way takes no body as large as this one."""


_GONE: Refusals = {403: UploadGone, 404: UploadGone, 410: UploadGone}
_OUT_OF_STEP: Refusals = {409: Transient, 413: _TooMuch, 423: Transient, 460: Transient}
_LONGEST_REFUSAL = 64 * 1024


class Pace:
    """How many bytes the next PATCH carries.

    More per request spares round trips on a fast line, where each leaves the
    line empty for a moment; less loses little when a poor one breaks, shows
    progress, and gets past a proxy's body limit. It goes in pieces, each handed over
    when the one before has left, so they are the unit in which a stall is noticed: on
    a fast line, larger ones cost less (``benchmarks/README.md``).
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit - limit % BLOCK, BLOCK) if limit > BLOCK else limit
        self.size = min(self._limit, 8 * MIB)

    @property
    def piece(self) -> int:
        """Bytes to hand over at once."""
        return max(min(self.size // 32, BLOCK), BLOCK // 4)

    def took(self, seconds: float) -> None:
        """A PATCH went well."""
        if seconds < 2.0:
            self.size = min(self.size * (8 if seconds < 0.25 else 2), self._limit)
        elif seconds > 10.0:
            self.broke()

    def broke(self) -> None:
        """A PATCH failed."""
        self.size = max(self.size // 2, min(BLOCK, self._limit))

    def refused(self) -> None:
        """A PATCH was too large for somebody, and would be so again."""
        self.broke()
        self._limit = self.size


@dataclass(frozen=True, slots=True)
class Transfer:
    """One source on its way to one upload that exists at ``url``.

    ``sent`` hears of each offset that the server has confirmed; ``stall`` is in
    seconds; ``algorithm`` is None where no checksums are sent. No byte leaves but
    through ``throttle``.
    """

    http: Http
    url: str
    source: SourceFile
    pace: Pace
    stall: float
    throttle: Throttle
    algorithm: str | None
    sent: Callable[[int, int], None]

    async def offset(self) -> int:
        """How many bytes the server has. Raises ``UploadGone``."""
        async with (
            watched(self.stall, self.url),
            self.http.request("HEAD", self.url, headers=RESUMABLE) as response,
        ):
            await accept(response, self.url, _GONE)
            length = number(response.headers, "Upload-Length")
            if length is not None and length != self.source.size:
                raise UploadGone(f"{self._where} was begun for a file of {length} bytes")
            return self._sane(number(response.headers, "Upload-Offset"))

    async def run(self, offset: int) -> None:
        """Send everything from ``offset`` on.

        Only a plain ``Transient`` is mended here, by asking for the offset and
        going on from there; its members say precisely what somebody else does,
        but for a body that was too large: the next ones are smaller.
        """
        furthest, in_vain, fault = offset, 0, Transient("its offset never moved")
        while offset < self.source.size:
            try:
                offset = await self._patch(offset)
            except Transient as error:
                if type(error) not in (Transient, _TooMuch):
                    raise
                fault = error
                if isinstance(error, _TooMuch):
                    self.pace.refused()
                else:
                    self.pace.broke()
                offset = await self.offset()
            if offset > furthest:
                furthest, in_vain = offset, 0
                self.sent(offset, self.source.size)
            elif (in_vain := in_vain + 1) > _IN_VAIN:
                raise Transient(f"{self._where} stays at byte {offset}: {fault}") from fault

    async def _patch(self, offset: int) -> int:
        """Send one body; the answer is the server's new offset."""
        blocks: Blocks = self.source
        length = min(self.pace.size, self.source.size - offset)
        headers = {**RESUMABLE, "Upload-Offset": str(offset)}
        if self.algorithm is not None:
            length = min(length, _HELD)
            blocks = held = await Held.of(self.source, offset, length)
            headers["Upload-Checksum"] = await asyncio.to_thread(
                checksum, self.algorithm, held.pieces
            )
        clock = asyncio.get_running_loop()
        began = clock.time()
        body = Body(blocks, offset, length, self.pace.piece, self.throttle)
        async with watched(self.stall, self.url) as body.moved:
            answer = await self.http.pour("PATCH", self.url, BODY_TYPE, body, length, headers)
        judge(answer, f"PATCH {self._where}", _GONE)
        self.pace.took(clock.time() - began)
        told = number(answer.headers, "Upload-Offset")
        return await self.offset() if told is None else self._sane(told)

    def _sane(self, offset: int | None) -> int:
        if offset is None:
            raise Transient(f"{self._where}: answer not understood: it has no Upload-Offset")
        if offset > self.source.size:
            raise UploadGone(f"{self._where} has more bytes than the file: {offset}")
        return offset

    @property
    def _where(self) -> str:
        return redact(self.url)


class Blocks(Protocol):
    """Where a body's bytes come from."""

    async def block(self, offset: int) -> bytes | memoryview:
        """The bytes from ``offset`` on, as many as are at hand; good until the next call."""


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of a source, in memory, so that what was hashed is what is sent."""

    start: int
    pieces: Sequence[bytes]

    @classmethod
    async def of(cls, source: SourceFile, start: int, length: int) -> Self:
        """Read ``length`` bytes from ``start`` on."""
        pieces: list[bytes] = []
        while (have := sum(map(len, pieces))) < length:
            pieces.append(bytes((await source.block(start + have))[: length - have]))
        return cls(start, pieces)

    async def block(self, offset: int) -> bytes:
        """The piece that begins at ``offset``."""
        begin = self.start
        for piece in self.pieces:
            if begin == offset:
                return piece
            begin += len(piece)
        raise ValueError(f"no piece begins at {offset}")


class Body:
    """A request's body, piece by piece; ``moved`` hears each time that more is asked for.

    A class and no generator, so that nothing is left to finalise when a
    request is cancelled.
    """

    def __init__(
        self, blocks: Blocks, offset: int, length: int, piece: int, throttle: Throttle
    ) -> None:
        self.moved: Moved = _unwatched
        self._piece, self._throttle = piece, throttle
        self._blocks, self._offset, self._left = blocks, offset, length
        self._block = memoryview(b"")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        if not self._left:
            raise StopAsyncIteration
        self.moved()
        if not self._block:
            block = await self._blocks.block(self._offset)
            self._block = memoryview(block)[: self._left]
        size = min(self._throttle.piece(self._piece), len(self._block))
        if self._throttle.rate is not None:
            self.moved(resting=True)
            await self._throttle.take(size)
            self.moved()
        piece, self._block = self._block[:size], self._block[size:]
        self._offset += len(piece)
        self._left -= len(piece)
        return piece


async def accept(response: ClientResponse, url: str, special: Refusals) -> None:
    """Read an answer to its end; raise unless it is a success, by ``special`` before all."""
    body = await read_bounded(response, _LONGEST_REFUSAL)
    answer = Answer(response.status, response.raw_headers, body)
    judge(answer, f"{response.method} {redact(url)}", special)


def judge(answer: Answer, where: str, special: Refusals) -> None:
    """Raise unless an answer to the request ``where`` is a success, as ``accept`` does."""
    if 200 <= answer.status < 300:
        return
    error = refusal(answer.status, answer.headers, answer.body, where, idempotent=True)
    family = special.get(answer.status) or _OUT_OF_STEP.get(answer.status)
    raise error if family is None else family(str(error))


def _unwatched(*, resting: bool = False) -> None:
    """Stands in until a watchdog is set."""
