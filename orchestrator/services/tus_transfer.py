"""The bytes of one tus upload: PATCH after PATCH, back in step with the server after a fault."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientResponse

from orchestrator.model.errors import OrchestratorError, Transient, UploadGone
from orchestrator.services.connection import Answer
from orchestrator.services.file_body import FileBody, takes_files
from orchestrator.services.http import MIB, Http, read_bounded
from orchestrator.services.redact import redact
from orchestrator.services.refusals import Refusals, refusal
from orchestrator.services.source_file import BLOCK, SourceFile
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus_body import Blocks, Body, Held
from orchestrator.services.tus_protocol import BODY_TYPE, RESUMABLE, checksum, number
from orchestrator.services.watchdog import watched

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
    progress, and gets past a proxy's body limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(limit - limit % BLOCK, BLOCK) if limit > BLOCK else limit
        self.size = min(self._limit, 8 * MIB)

    def took(self, seconds: float) -> None:
        """A PATCH went well."""
        if seconds < 2.0:
            self.size = min(self.size * 2, self._limit)
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
        length = min(self.pace.size, self.source.size - offset)
        headers = {**RESUMABLE, "Upload-Offset": str(offset)}
        if self.algorithm is None and takes_files(self.url, self.source.size):
            sending = self._pour(headers, FileBody(self.source, offset, length, self.throttle))
        else:
            sending = self._stream(headers, await self._body(headers, offset, length))
        clock = asyncio.get_running_loop()
        began = clock.time()
        confirmed = await sending
        self.pace.took(clock.time() - began)
        return await self.offset() if confirmed is None else self._sane(confirmed)

    async def _pour(self, headers: dict[str, str], body: FileBody) -> int | None:
        async with watched(self.stall, self.url) as body.moved:
            answer = await self.http.pour("PATCH", self.url, BODY_TYPE, body, headers)
        judge(answer, f"PATCH {self._where}", _GONE)
        return number(answer.headers, "Upload-Offset")

    async def _body(self, headers: dict[str, str], offset: int, length: int) -> Body:
        """One that passes through the event loop, and what ``headers`` have to say of it."""
        blocks: Blocks = self.source
        if self.algorithm is not None:
            length = min(length, _HELD)
            blocks = held = await Held.of(self.source, offset, length)
            headers["Upload-Checksum"] = await asyncio.to_thread(
                checksum, self.algorithm, held.pieces
            )
        headers |= {"Content-Type": BODY_TYPE, "Content-Length": str(length)}
        return Body(blocks, offset, length, self.throttle)

    async def _stream(self, headers: dict[str, str], body: Body) -> int | None:
        try:
            async with (
                watched(self.stall, self.url) as body.moved,
                self.http.request("PATCH", self.url, headers=headers, data=body) as response,
            ):
                await accept(response, self.url, _GONE)
                return number(response.headers, "Upload-Offset")
        except OrchestratorError:
            if body.fault is not None:
                raise body.fault from None
            raise

    def _sane(self, offset: int | None) -> int:
        if offset is None:
            raise Transient(f"{self._where}: answer not understood: it has no Upload-Offset")
        if offset > self.source.size:
            raise UploadGone(f"{self._where} has more bytes than the file: {offset}")
        return offset

    @property
    def _where(self) -> str:
        return redact(self.url)


async def accept(response: ClientResponse, url: str, special: Refusals) -> None:
    """Read an answer to its end; raise unless it is a success, by ``special`` before all."""
    body = await read_bounded(response, _LONGEST_REFUSAL)
    answer = Answer(response.status, response.headers, body)
    judge(answer, f"{response.method} {redact(url)}", special)


def judge(answer: Answer, where: str, special: Refusals) -> None:
    """Raise unless an answer to the request ``where`` is a success, as ``accept`` does."""
    if 200 <= answer.status < 300:
        return
    error = refusal(answer.status, answer.headers, answer.body, where, idempotent=True)
    family = special.get(answer.status) or _OUT_OF_STEP.get(answer.status)
    raise error if family is None else family(str(error))
