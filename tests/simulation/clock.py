"""A virtual clock: an event loop whose time jumps to the next timer when nothing is ready.

For programs (``python -m ...``); tests under pytest have the mark ``looptime``.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import looptime

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


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main()`` on a loop of its own, in virtual time from 0; the answer is its.

    Runs the same way every time as long as nothing comes from outside (threads,
    sockets). Where nothing is left that could ever happen, whoever still waits gets
    ``looptime.IdleTimeoutError``: a deadlock is told, not sat out.
    Good for a month: asyncio can't tell nanoseconds apart in much larger times.
    """
    with asyncio.Runner(loop_factory=_virtual_loop) as runner:
        return runner.run(main())


#: Made from the class: under pytest, looptime's plugin changes what asyncio makes itself.
_VirtualLoop = looptime.make_event_loop_class(asyncio.SelectorEventLoop)


def _virtual_loop() -> asyncio.AbstractEventLoop:
    """Jumps at once: no empty rounds before a jump, so that it is quick."""
    return _VirtualLoop(start=0.0, noop_cycles=0, idle_timeout=0.0)
