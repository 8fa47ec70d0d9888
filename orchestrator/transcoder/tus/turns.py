"""One writer per upload: the newest one, because it is the client that came back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Turn:
    """The right to change an upload. ``position`` is what its holder has received.

    ``waited``: another one had it first, and may have changed the upload.
    """

    cut: Callable[[], None]
    waited: bool = False
    position: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Hands out turns.

    A connection that broke without a word (a laptop lid, a NAT) looks alive for
    hours. Answering 423 to the client that resumes would lock it out for as
    long, so the older connection is cut off instead, once what it had received
    is in the file.
    """

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def holder(self, upload: str) -> Turn | None:
        """Who writes to an upload right now."""
        return self._turns.get(upload)

    @asynccontextmanager
    async def take(self, upload: str, cut: Callable[[], None]) -> AsyncIterator[Turn]:
        """The only turn on ``upload``; ``cut`` is called if a newer one wants it."""
        waited = False
        while (older := self._turns.get(upload)) is not None:
            older.cut()
            await older.over.wait()
            waited = True
        turn = self._turns[upload] = Turn(cut, waited)
        try:
            yield turn
        finally:
            del self._turns[upload]
            turn.over.set()
