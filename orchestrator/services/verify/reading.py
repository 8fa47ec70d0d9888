"""Reading collected files off the event loop, and saying what is wrong with one."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from orchestrator.model.errors import Transient, VerificationFailed

T = TypeVar("T")


def wrong(path: Path, expected: str, found: str) -> VerificationFailed:
    """The error about ``path``."""
    return VerificationFailed(f"{path}: expected {expected}; {found}. The file is left as it is")


async def read(path: Path, call: Callable[[], T]) -> T:
    """Run a blocking ``call`` about ``path`` in a thread.

    Raises ``VerificationFailed`` where the file is not there, ``Transient`` where
    it can't be read.
    """
    try:
        return await anyio.to_thread.run_sync(call)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise wrong(path, "a file", "there is none") from error
    except OSError as error:
        raise Transient(f"{path} can't be read just now: {error.strerror or error}") from error
