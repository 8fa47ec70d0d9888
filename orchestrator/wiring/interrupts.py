"""Ctrl-C: once drains, twice stops at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn, Self

INTERRUPTED = 130

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Listens for SIGINT and SIGTERM while the context is open."""

    def __init__(self, drain: Callable[[], None], note: Callable[[str], None]) -> None:
        self._drain = drain
        self._note = note
        self._heard = False

    def heard(self) -> bool:
        """Whether a person wants the run to stop."""
        return self._heard

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._interrupted)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def _interrupted(self) -> None:
        if self._heard:
            stop_at_once()
        self._heard = True
        self._note(
            "Stopping: uploads pause where they can go on, encodes are left running. "
            "Press Ctrl-C again to stop at once."
        )
        self._drain()


def stop_at_once() -> NoReturn:
    """End the process here. Everything that matters is on disk; ffmpeg dies with us."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # a live display hides the cursor
        sys.stderr.flush()
    os._exit(INTERRUPTED)
