"""The admission gate: one per service account, for every call that can be refused.

While it is closed nothing leaves. When its time is over it lets one request
through as a probe; the answer decides for all. How many encodes may be in
flight follows from the answers: additive increase while starts succeed,
multiplicative decrease when the service says busy. Nothing else sleeps on busy.
"""

import random
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TypeVar

import anyio

from orchestrator.engine.limits import Patience
from orchestrator.model.errors import Busy, Unreachable
from orchestrator.model.ports import Clock

T = TypeVar("T")

#: Seconds to wait where a busy answer names no time (jittered by half).
DEFAULT_DELAY = 15.0

#: What is left of the window after the service said busy.
DECREASE = 0.7


class _Door(Enum):
    OPEN = auto()
    CLOSED = auto()
    PROBING = auto()


class AdmissionGate:
    """Decides synchronously who may call, and makes the others wait.

    ``noticed`` hears a sentence whenever the gate closes or opens again.
    Raises ``Unreachable`` from ``call`` once the service has been out of reach
    for ``patience.unreachable_for`` seconds.
    """

    def __init__(
        self,
        clock: Clock,
        patience: Patience,
        in_flight: int,
        noticed: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._most = in_flight
        self._window = float(in_flight)
        self._noticed = noticed
        self._door = _Door.OPEN
        self._opens_at = 0.0
        self._unreachable_since: float | None = None
        self._tries = 0
        self._changed = anyio.Event()
        self.in_flight = 0

    @property
    def window(self) -> int:
        """How many encodes may be in flight now."""
        return max(1, int(self._window))

    async def call(self, step: Callable[[], Awaitable[T]], *, home: bool = True) -> T:
        """Run ``step`` when the gate admits it, and learn from how it ends.

        ``home`` is False for a call to an address that the service named for one
        task: if that address is dead, the service itself need not be.
        """
        await self._enter()
        try:
            answer = await step()
        except Busy as error:
            self._busy(error)
            raise
        except Unreachable as error:
            if home:
                self._unreachable(error)
            else:
                self._abandoned()
            raise
        except Exception:
            # Whatever it said, the service is there and takes requests.
            self._answered()
            raise
        except BaseException:
            self._abandoned()
            raise
        self._answered()
        return answer

    async def room(self) -> None:
        """Wait until one more encode may be in flight."""
        while self.in_flight >= self.window:
            await self._wait_for_change(None)

    async def take_slot(self) -> None:
        """Wait until one more encode may be in flight, and count it."""
        await self.room()
        self.in_flight += 1

    def count_in(self) -> None:
        """Count an encode that is in flight already (recovered)."""
        self.in_flight += 1

    def free_slot(self) -> None:
        """An encode has ended, or was not started after all."""
        self.in_flight -= 1
        self._wake()

    def started(self) -> None:
        """A start succeeded: room for a little more."""
        self._window = min(float(self._most), self._window + 1.0 / self._window)
        self._wake()

    async def _enter(self) -> None:
        while self._door is not _Door.OPEN:
            wait = self._opens_at - self._clock.monotonic()
            if self._door is _Door.CLOSED and wait <= 0:
                self._door = _Door.PROBING
                return
            await self._wait_for_change(wait if self._door is _Door.CLOSED else None)

    async def _wait_for_change(self, seconds: float | None) -> None:
        if self._changed.is_set():
            self._changed = anyio.Event()
        with anyio.move_on_after(seconds):
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    def _close(self, delay: float) -> None:
        """Close for ``delay``; of several answers the longest delay counts."""
        self._opens_at = max(self._opens_at, self._clock.monotonic() + delay)
        self._door = _Door.CLOSED
        self._wake()

    def _busy(self, error: Busy) -> None:
        delay = error.delay
        if delay is None:
            delay = DEFAULT_DELAY * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
        if self._door is _Door.OPEN:
            self._window = max(1.0, min(self._window, self.in_flight) * DECREASE)
            self._noticed(f"The service is busy: nothing new for {delay:.0f} s ({error})")
        self._unreachable_since = None
        self._tries = 0
        self._close(delay)

    def _unreachable(self, error: Unreachable) -> None:
        now = self._clock.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since = now
            self._noticed(f"The service can't be reached, waiting for it: {error}")
        self._tries += 1
        bound = min(self._patience.cap, self._patience.first * 2 ** min(self._tries, 16))
        self._close(bound * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    @property
    def lost(self) -> bool:
        """Whether the service has been out of reach for too long."""
        since = self._unreachable_since
        return (
            since is not None and self._clock.monotonic() - since >= self._patience.unreachable_for
        )

    def _answered(self) -> None:
        if self._unreachable_since is not None:
            self._noticed("The service can be reached again.")
        self._unreachable_since = None
        self._tries = 0
        if self._door is _Door.PROBING:
            self._door = _Door.OPEN
            self._opens_at = 0.0
            self._wake()

    def _abandoned(self) -> None:
        """A probe was cancelled: the next one may try at once."""
        if self._door is _Door.PROBING:
            self._door = _Door.CLOSED
            self._wake()
