"""What to do about an account that says "busy": ours, two that scripts have, and the best.

Each is given the encodes to do, in seconds, the next one last.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

from benchmarks.admission.account import HIGHEST, LATENCY, Account, unheard
from benchmarks.admission.ours import gated

#: Seconds from the end of an encode until a script asks for it, at most; half of it as a rule.
SEEN = 10.0

Policy = Callable[[Account, list[float], random.Random], Awaitable[None]]


async def knowing(account: Account, waiting: list[float], _chance: random.Random) -> None:
    """The best there is: it sees the capacity, takes each place at once, and is never refused."""
    done = asyncio.Event()

    def fill() -> None:
        while waiting and account.running < account.level:
            account.take(waiting.pop(), unheard)
        if not waiting:
            done.set()

    account.moved = fill
    fill()
    await done.wait()


Pause = Callable[[int, random.Random], float]


class _PerItem:
    """Threads of a script, written as callbacks, for they ask a hundred thousand times.

    ``pause`` gives seconds, from the number of times that the item was refused.
    """

    def __init__(
        self, account: Account, waiting: list[float], chance: random.Random, pause: Pause
    ) -> None:
        self._account, self._waiting = account, waiting
        self._chance, self._pause = chance, pause
        self._later = asyncio.get_running_loop().call_later
        self._trying = 0
        self.all_taken = asyncio.Event()

    def next(self) -> None:
        """A thread takes the next item, or ends where there is none."""
        if self._waiting:
            self._trying += 1
            self._try(self._waiting.pop(), 0)

    def _try(self, duration: float, refused: int) -> None:
        self._account.ask(duration, self._ended, partial(self._answered, duration, refused))

    def _answered(self, duration: float, refused: int, taken: bool) -> None:
        if not taken:
            pause = self._pause(refused + 1, self._chance)
            self._later(pause, self._try, duration, refused + 1)
            return
        self._trying -= 1
        if not self._trying and not self._waiting:
            self.all_taken.set()

    def _ended(self) -> None:
        self._later(self._chance.uniform(0, SEEN) + LATENCY, self.next)


def per_item(pause: Pause) -> Policy:
    """A thread for each encode that may ever run at once; a refused item sleeps by itself."""

    async def policy(account: Account, waiting: list[float], chance: random.Random) -> None:
        script = _PerItem(account, waiting, chance, pause)
        for _ in range(HIGHEST):
            script.next()
        await script.all_taken.wait()

    return policy


def _minute(_refused: int, _chance: random.Random) -> float:
    return 60.0


def _backoff(refused: int, chance: random.Random) -> float:
    """Full jitter: anything up to a bound that doubles from 1 s to 60 s."""
    return chance.uniform(0, min(60.0, 2.0 ** min(refused - 1, 16)))


BEST, OURS = "all-knowing", "admission gate"

POLICIES: dict[str, Policy] = {
    BEST: knowing,
    OURS: gated,
    "60 s per item": per_item(_minute),
    "backoff per item": per_item(_backoff),
}
