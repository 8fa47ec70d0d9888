"""The valve before new work: shut while at least one reason stands.

What is under way goes on; only what would begin waits here.
"""

from collections import deque

import anyio


class Valve:
    """Whether anything new may begin."""

    def __init__(self) -> None:
        self._reasons: dict[str, None] = {}
        self._waiters: deque[anyio.Event] = deque()
        self._passes = 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is shut, the oldest reason first; none while it is open."""
        return tuple(self._reasons)

    def shut(self, reason: str) -> None:
        """Let nothing pass until ``reason`` (and every other one) is taken back."""
        self._reasons[reason] = None

    def open(self, reason: str) -> None:
        """Take one reason back; with the last of them everything passes again."""
        self._reasons.pop(reason, None)
        if not self._reasons:
            self._passes = 0
            while self._waiters:
                self._waiters.popleft().set()

    def let_one(self) -> None:
        """Let one waiter, now or the next, pass although it is shut: a probe."""
        if self._waiters:
            self._waiters.popleft().set()
        elif self._reasons:
            self._passes += 1

    async def passed(self) -> bool:
        """Return at once while it is open; else when it opens, or with a single pass.

        The answer is whether it took a pass: who has one may go on though it is shut.
        """
        if not self._reasons:
            return False
        if self._passes:
            self._passes -= 1
            return True
        await self._wait()
        return bool(self._reasons)

    async def _wait(self) -> None:
        woken = anyio.Event()
        self._waiters.append(woken)
        try:
            await woken.wait()
        except BaseException:
            if woken.is_set():
                self.let_one()  # a pass given to a waiter that goes away is the next one's
            raise
        finally:
            if not woken.is_set():
                self._waiters.remove(woken)
