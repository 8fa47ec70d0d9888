"""Waits for room on the disk. A full disk fails no item: the run waits, and says so."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import anyio

from orchestrator.model.errors import DiskFull, NoRoom
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Clock, Room, Shortage

T = TypeVar("T")

#: Seconds between two looks at a full disk, and between two notes about it.
LOOK_EVERY = 10.0
SAY_EVERY = 600.0

#: Seconds without anything collected after which no new encode starts: finished
#: outputs are kept at the service for a time only.
SHUT_AFTER = 300.0

FULL = "no room for outputs"


class Starts(Protocol):
    """What keeps new encodes from starting (``engine.valve``)."""

    def shut(self, reason: str) -> None:
        """Let none start until the reason is taken back."""

    def open(self, reason: str) -> None:
        """Take the reason back."""


class DiskGuard:
    """Lets items be collected while there is room for them.

    ``patience`` is in seconds: with nothing collected for so long, and nothing
    under way, ``fetch`` raises ``NoRoom``. ``note`` hears when a wait begins,
    goes on and is over.
    """

    def __init__(
        self,
        room: Room,
        clock: Clock,
        patience: float,
        note: Callable[[str], None],
        starts: Starts,
    ) -> None:
        self._room = room
        self._clock = clock
        self._patience = patience
        self._note = note
        self._starts = starts
        self._waiting = self._fetching = 0
        #: Since when nothing was collected although something could have been.
        self._since: float | None = None
        self._said_at: float | None = None

    async def fetch(
        self, item: Item, outputs: Sequence[Output], step: Callable[[], Awaitable[T]]
    ) -> T:
        """Run ``step`` when there is room for the outputs; again where it still ran out.

        Raises what ``step`` does but for ``DiskFull``, and ``NoRoom``.
        """
        while True:
            await self._until_room(item, outputs)
            self._fetching += 1
            try:
                answer = await step()
            except DiskFull as error:
                why = str(error)
            except Exception:
                self._had_room()
                raise
            else:
                self._had_room()
                return answer
            finally:
                self._fetching -= 1
                self._room.let_go(item)
            await self._wait(why)

    async def _until_room(self, item: Item, outputs: Sequence[Output]) -> None:
        while (shortage := await self._room.hold(item, outputs)) is not None:
            await self._wait(_words(shortage))
        self._starts.open(FULL)

    async def _wait(self, why: str) -> None:
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        waited = now - self._since
        if waited >= self._patience and not self._fetching:
            raise NoRoom(f"{why}. Nothing could be collected for {_span(waited)}")
        if self._said_at is None or now - self._said_at >= SAY_EVERY:
            self._said_at = now
            self._note(f"{why}. Collecting waits, and goes on by itself when there is room.")
        if waited >= SHUT_AFTER and not self._fetching:
            self._starts.shut(FULL)
        self._waiting += 1
        try:
            await anyio.sleep(LOOK_EVERY)
        finally:
            self._waiting -= 1

    def _had_room(self) -> None:
        if self._since is None:
            return
        self._starts.open(FULL)
        self._since = self._clock.monotonic() if self._waiting else None
        if not self._waiting:
            self._said_at = None
            self._note("There is room for outputs again: collecting goes on.")


def _words(short: Shortage) -> str:
    return (
        f"No room for outputs in {short.folder}: {_size(short.free)} free, "
        f"{_size(short.needed)} needed (with what is to be left free)"
    )


def _size(size: int) -> str:
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes != 60 else "an hour"
