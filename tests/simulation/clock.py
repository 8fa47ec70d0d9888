"""A virtual clock: an event loop whose time jumps to the next timer when nothing is ready.

For programs (``python -m ...``); tests under pytest have the mark ``looptime``.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: When every virtual day begins: 2023-11-14 22:13:20 UTC.
START = 1_700_000_000.0


class LoopClock:
    """``model.ports.Clock``: wall time that moves with the event loop, virtual or not."""

    def __init__(self, start: float = START) -> None:
        self._start = start

    def now(self) -> float:
        """UNIX time in seconds: ``start`` when the loop's own time is 0."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """The loop's time in seconds; a virtual one begins at 0."""
        return asyncio.get_running_loop().time()


class Deadlock(RuntimeError):
    """Raised when nothing is left that could ever happen, and somebody still waits."""


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]], *, tick: float = 0.0) -> T:
    """Run ``main()`` on a loop of its own, in virtual time from 0; the answer is its.

    Runs the same way every time as long as nothing comes from outside (threads,
    sockets: there are none on this loop). ``tick`` (seconds) makes time coarse: it
    stops at its multiples alone, and all that was due in between happens together,
    in its order. Raises ``Deadlock``. Good for a month: asyncio can't tell
    nanoseconds apart in much larger times.
    """
    with asyncio.Runner(loop_factory=lambda: _VirtualLoop(tick)) as runner:
        return runner.run(main())


class _Jumping(selectors.SelectSelector):
    """Where others wait for so many seconds, it makes it so much later."""

    def __init__(self, tick: float) -> None:
        super().__init__()
        self.now = 0.0
        self._tick = tick

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is left that could ever happen, and somebody still waits")
        if timeout > 0:
            self.now += timeout
            if self._tick:
                self.now = math.ceil(self.now / self._tick) * self._tick
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, tick: float) -> None:
        self._jumping = _Jumping(tick)
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
