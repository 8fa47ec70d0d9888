"""Child processes that never outlive the work they were started for."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

#: prctl(2): the signal that the kernel sends to a child whose parent died.
_PR_SET_PDEATHSIG = 1
#: The longest line taken from a child; more is no ffmpeg that we know.
_LONGEST_LINE = 1 << 20

# Loaded before any fork: between fork and exec nothing may be looked up.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _tie_to_parent(parent: int, nice: int) -> None:
    """Runs in the child: die with the parent, and leave it the CPU."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    if nice:
        with contextlib.suppress(OSError):
            os.nice(nice)


@contextlib.asynccontextmanager
async def child(
    command: Sequence[str], *, cwd: Path | None = None, nice: int = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with piped output and no input; on leaving, none of its group is left.

    It leads a group of its own, so that a terminal's Ctrl-C reaches only us,
    and it dies with us even when we are killed (Linux). Raises ``OSError``
    where it can't be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        limit=_LONGEST_LINE,
        start_new_session=True,
        preexec_fn=partial(_tie_to_parent, os.getpid(), nice),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await _reaped(process)


async def _reaped(process: asyncio.subprocess.Process) -> None:
    """Wait until the process is gone, whoever cancels us meanwhile."""
    waiting = asyncio.ensure_future(process.wait())
    cancelled = False
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
