"""How many bytes a second leave this machine, over all uploads together: a token bucket.

Whoever wants to send takes its turn in a queue, a piece at a time, so that
uploads under way at once get equal shares. What the queue's head still lacks
is waited for with one timer; nobody polls.
"""

import asyncio
from collections import deque

#: Seconds' worth of bytes that may be saved up while nobody sends. Makes good
#: for timers that are late, and is short enough to be no burst.
_SAVED = 0.25

#: What is taken at once is never asked to be smaller: requests would drown in turns.
_LEAST = 16 * 1024

#: Bytes: what rounding may leave missing when a timer comes.
_ROUNDING = 1.0


class Throttle:
    """A limit that may be changed while others wait for it. To be used on one event loop.

    ``rate`` is in bytes per second, None for no limit. Over any period no more
    is let through than rate × seconds, and a quarter of a second's worth or the
    largest piece besides, whichever is more.
    """

    def __init__(self, rate: int | None = None) -> None:
        self._rate = _checked(rate)
        self._saved = 0.0
        self._counted_at: float | None = None
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> int | None:
        """Bytes per second. Setting it counts at once, for those who wait already too."""
        return self._rate

    @rate.setter
    def rate(self, rate: int | None) -> None:
        if _checked(rate) == self._rate:
            return
        self._count()
        self._rate = rate
        self._serve()
        if rate is None:
            self._saved = 0.0

    def piece(self, most: int) -> int:
        """How many bytes to take at once, ``most`` or less, so that they flow evenly."""
        if self._rate is None:
            return most
        return min(most, max(_LEAST, int(self._rate * _SAVED)))

    async def take(self, count: int) -> None:
        """Wait until ``count`` bytes may leave, after all who asked before."""
        if self._rate is None:
            return
        if not self._queue and self._lacks(count, self._rate) <= _ROUNDING:
            self._saved -= count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((count, turn))
        if len(self._queue) == 1:
            self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            self._serve()
            raise

    def _serve(self) -> None:
        """Let through whoever may go now, in order; come back for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            count, turn = self._queue[0]
            if not turn.done():
                if self._rate is not None:
                    lacks = self._lacks(count, self._rate)
                    if lacks > _ROUNDING:
                        loop = asyncio.get_running_loop()
                        self._timer = loop.call_later(lacks / self._rate, self._serve)
                        return
                self._saved -= count
                turn.set_result(None)
            self._queue.popleft()

    def _lacks(self, count: int, rate: int) -> float:
        """Bytes that have yet to be saved up before ``count`` may go.

        What is larger than can be saved goes when the bucket is full, on credit.
        """
        self._count()
        return min(count, rate * _SAVED) - self._saved

    def _count(self) -> None:
        """Add what has been earned since the last time."""
        now = asyncio.get_running_loop().time()
        if self._rate is not None:
            since = now if self._counted_at is None else self._counted_at
            earned = self._saved + (now - since) * self._rate
            self._saved = min(earned, self._rate * _SAVED)
        self._counted_at = now


def _checked(rate: int | None) -> int | None:
    if rate is not None and rate < 1:
        raise ValueError(f"a rate of {rate} bytes per second would never let anything through")
    return rate
