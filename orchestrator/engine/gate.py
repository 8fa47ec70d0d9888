"""The admission gate: one per service account, for every call that can be refused.

Its door closes when the service asks for a pause, for the longest time that any
answer names; when that is over it lets one request through as a probe, and the
answer decides for all. A refused start that names no time needs no pause: it says
that the places are taken, and ``engine.places`` knows when to try again. Nothing
else sleeps on busy.
"""

import itertools
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TypeVar

import anyio

from orchestrator.engine.limits import Patience
from orchestrator.engine.places import Places
from orchestrator.engine.spacing import StartPace
from orchestrator.model.errors import Busy, LedgerProblem, Superseded, Unreachable
from orchestrator.model.ports import Clock

T = TypeVar("T")

#: Seconds to wait where a busy answer names no time (jittered by half).
DEFAULT_DELAY = 15.0

#: Said by the ledger: whatever was to be asked of the service, it was not.
_NOT_ASKED = (Superseded, LedgerProblem)


class _Door(Enum):
    OPEN = auto()
    CLOSED = auto()
    PROBING = auto()


class AdmissionGate:
    """Decides synchronously who may call, and makes the others wait.

    ``noticed`` hears a sentence whenever the gate closes or opens again.
    ``lost`` says when the service has been out of reach for too long.
    """

    def __init__(
        self,
        clock: Clock,
        patience: Patience,
        in_flight: int,
        noticed: Callable[[str], None],
        starts_per_second: float | None = None,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._places = Places(in_flight)
        self._pace = StartPace(starts_per_second)
        self._noticed = noticed
        self._door = _Door.OPEN
        self._opens_at = 0.0
        self._unreachable_since: float | None = None
        self._tries = 0
        self._tickets = itertools.count()
        #: Starts that are not answered yet, by ticket: see ``Places.leaving``.
        self._starts: dict[int, int] = {}
        self._turned = anyio.Event()
        self._waiting: deque[anyio.Event] = deque()
        self.in_flight = 0
        #: Called when the door was moved.
        self.when_turned: Callable[[], None] | None = None

    @property
    def window(self) -> int:
        """How many encodes may be in flight, as far as is known."""
        return self._places.level

    @property
    def trouble(self) -> str:
        """Why nothing is let through, in a word; "" while the door is open."""
        if self._door is _Door.OPEN:
            return ""
        return "busy" if self._unreachable_since is None else "unreachable"

    @property
    def opens_in(self) -> float:
        """Seconds until a request may leave; infinite while one has left to try it."""
        return self._closed_for()

    def set_most(self, in_flight: int) -> None:
        """From now on at most so many encodes in flight; those beyond it run to their end."""
        self._places.most = in_flight
        self._next()

    def set_starts_per_second(self, rate: float | None) -> None:
        """From now on at most so many starts in a second; None for no bound."""
        self._pace.set(rate)
        self._next()

    # --- calls ------------------------------------------------------------------

    async def call(
        self, step: Callable[[], Awaitable[T]], *, home: bool = True, start: int | None = None
    ) -> T:
        """Run ``step`` when the gate admits it, and learn from how it ends.

        ``home`` is False for a call to an address that the service named for one
        task: if that address is dead, the service itself need not be. ``start`` is the
        ticket of a start: once its call is answered, the encode is in flight.
        """
        try:
            while (wait := self._closed_for()) > 0:
                await self._wait_at_door(wait)
            self._enter()
            answer = await step()
        except Busy as error:
            self._busy(error, start)
            raise
        except Unreachable as error:
            self._not_started(start)
            self._unreachable(error, home=home)
            raise
        except _NOT_ASKED:
            self._not_started(start)
            self._abandoned()
            raise
        except Exception:
            # Whatever it said, the service is there and takes requests.
            self._not_started(start)
            self._answered()
            raise
        except BaseException:
            self._not_started(start)
            self._abandoned()
            raise
        self._answered()
        if start is not None:
            turn = self._starts.pop(start)  # first: from now on it counts as running
            self._places.taken(self._running, turn)
            self._next()
        return answer

    @property
    def has_room(self) -> bool:
        """Whether one more start may leave now."""
        return self._no_room_for() <= 0

    async def room(self) -> None:
        """Wait until one more start may leave."""
        if self.has_room:
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            while (wait := self._no_room_for()) > 0:
                with anyio.move_on_after(wait):
                    await turn.wait()
                    place, turn = self._waiting.index(turn), anyio.Event()
                    self._waiting[place] = turn
        finally:
            self._waiting.remove(turn)
            # By the time that the next one looks, this one has taken its slot, if it does.
            self._next()

    async def take_slot(self) -> int:
        """Wait until one more start may leave, and count it: its ticket, for ``call``."""
        await self.room()
        self.in_flight += 1
        self._pace.take(self._clock.monotonic())
        ticket = next(self._tickets)
        self._starts[ticket] = self._places.leaving()
        return ticket

    def count_in(self) -> None:
        """Count an encode that is in flight already (recovered)."""
        self.in_flight += 1

    def free_slot(self) -> None:
        """An encode has ended, or was not started after all."""
        self.in_flight -= 1
        self._next()

    @property
    def lost(self) -> bool:
        """Whether the service has been out of reach for too long."""
        since = self._unreachable_since
        return (
            since is not None and self._clock.monotonic() - since >= self._patience.unreachable_for
        )

    # --- who may go -------------------------------------------------------------

    @property
    def _running(self) -> int:
        return self.in_flight - len(self._starts)

    def _closed_for(self) -> float:
        """Seconds until the door may let a request through; infinite: until it is told."""
        if self._door is _Door.OPEN:
            return 0.0
        if self._door is _Door.CLOSED:
            return max(0.0, self._opens_at - self._clock.monotonic())
        return math.inf

    def _no_room_for(self) -> float:
        now, pending = self._clock.monotonic(), len(self._starts)
        if not self._places.room(self.in_flight - pending, pending, now):
            later = self._places.asks_at(self._running) - now
            return later if later > 0 else math.inf
        paced = self._pace.wait(now)
        return paced if self._door is _Door.OPEN else max(paced, self._closed_for())

    def _enter(self) -> None:
        if self._door is _Door.CLOSED:
            self._door = _Door.PROBING

    async def _wait_at_door(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._turned.wait()

    def _turn(self) -> None:
        """The door was moved: everyone looks again."""
        self._turned.set()
        self._turned = anyio.Event()
        self._next()
        if self.when_turned is not None:
            self.when_turned()

    def _next(self) -> None:
        """Who has waited longest for room looks again; once through, it calls the next."""
        if self._waiting:
            self._waiting[0].set()

    # --- what answers teach -----------------------------------------------------

    def _not_started(self, start: int | None) -> None:
        """If the call was to start an encode, it does not any more."""
        if start is not None:
            del self._starts[start]
            self._next()

    def _busy(self, error: Busy, start: int | None) -> None:
        running = self._running
        if start is not None:
            self._places.refused(running, self._starts.pop(start), self._clock.monotonic())
            if error.delay is None and running:
                # It has no place free. Ends of encodes will tell when there is one.
                self._answered()
                self._next()
                return
        delay = error.delay
        if delay is None:
            delay = DEFAULT_DELAY * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
        if self._door is _Door.OPEN:
            self._noticed(f"The service is busy: nothing new for {delay:.0f} s ({error})")
        self._unreachable_since = None
        self._tries = 0
        self._close(delay)

    def _unreachable(self, error: Unreachable, *, home: bool) -> None:
        if not home:
            self._abandoned()
            return
        now = self._clock.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since = now
            self._noticed(f"The service can't be reached, waiting for it: {error}")
        self._tries += 1
        bound = min(self._patience.cap, self._patience.first * 2 ** min(self._tries, 16))
        self._close(bound * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    def _close(self, delay: float) -> None:
        """Close for ``delay``; of several answers the longest delay counts."""
        self._opens_at = max(self._opens_at, self._clock.monotonic() + delay)
        self._door = _Door.CLOSED
        self._turn()

    def _answered(self) -> None:
        if self._unreachable_since is not None:
            self._noticed("The service can be reached again.")
        self._unreachable_since = None
        self._tries = 0
        if self._door is _Door.PROBING:
            self._door = _Door.OPEN
            self._opens_at = 0.0
            self._turn()

    def _abandoned(self) -> None:
        """A probe was cancelled: the next one may try at once."""
        if self._door is _Door.PROBING:
            self._door = _Door.CLOSED
            self._turn()
