"""A PATCH's body whose bytes pass through the event loop: over TLS, with a checksum.

``services.file_body`` has the other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from orchestrator.model.errors import OrchestratorError
from orchestrator.services.source_file import SourceFile
from orchestrator.services.throttle import Throttle
from orchestrator.services.watchdog import Moved, unwatched

#: Bytes handed to the transport at once, so the unit in which progress is seen. Half
#: as many cost a sixth more CPU for a large file, or a third (``tus_node``).
_PIECE = 512 * 1024


class Blocks(Protocol):
    """Where a body's bytes come from."""

    async def block(self, offset: int) -> bytes | bytearray:
        """The bytes from ``offset`` on, as many as are at hand."""


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of a source, in memory, so that what was hashed is what is sent."""

    start: int
    pieces: Sequence[bytes | bytearray]

    @classmethod
    async def of(cls, source: SourceFile, start: int, length: int) -> Self:
        """Read ``length`` bytes from ``start`` on."""
        pieces: list[bytes | bytearray] = []
        while (have := sum(map(len, pieces))) < length:
            pieces.append((await source.block(start + have))[: length - have])
        return cls(start, pieces)

    async def block(self, offset: int) -> bytes | bytearray:
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
    request is cancelled. ``fault`` keeps what went wrong at the source, which
    aiohttp would report as a broken connection.
    """

    def __init__(self, blocks: Blocks, offset: int, length: int, throttle: Throttle) -> None:
        self.moved: Moved = unwatched
        self.fault: OrchestratorError | None = None
        self._throttle = throttle
        self._blocks, self._offset, self._left = blocks, offset, length
        self._block = memoryview(b"")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        if not self._left:
            raise StopAsyncIteration
        self.moved()
        if not self._block:
            try:
                block = await self._blocks.block(self._offset)
            except OrchestratorError as fault:
                self.fault = fault
                raise
            self._block = memoryview(block)[: self._left]
        size = min(self._throttle.piece(_PIECE), len(self._block))
        if self._throttle.rate is not None:
            self.moved(resting=True)
            await self._throttle.take(size)
            self.moved()
        piece, self._block = self._block[:size], self._block[size:]
        self._offset += len(piece)
        self._left -= len(piece)
        return piece
