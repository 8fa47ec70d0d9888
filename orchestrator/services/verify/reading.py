"""Reading collected files off the event loop, and saying what is wrong with one."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import anyio.to_thread

from orchestrator.model.errors import Transient, VerificationFailed

T = TypeVar("T")


def wrong(path: Path, expected: str, found: str) -> VerificationFailed:
    """The error about ``path``."""
    return VerificationFailed(f"{path}: expected {expected}; {found}. The file is left as it is")


def check_there(files: Sequence[Path], *, may_be_empty: bool = False) -> int:
    """Every file is there, with something in it; the answer is the size of all. Blocks.

    Raises ``VerificationFailed``, ``OSError``.
    """
    total = 0
    for file in files:
        if not file.is_file():
            raise wrong(file, "a file", "there is none")
        here = file.stat().st_size
        if not here and not may_be_empty:
            raise wrong(file, "a file with something in it", "it is empty")
        total += here
    return total


def check_total(path: Path, total: int, size: int | None) -> None:
    """As many bytes as when it was collected. Raises ``VerificationFailed``."""
    if size is not None and total != size:
        raise wrong(path, f"{size:,} bytes, as collected", f"there are {total:,}")


@asynccontextmanager
async def joined(files: Sequence[Path]) -> AsyncIterator[Path]:
    """A temporary file of all these, one behind another. Errors are those of ``read``."""
    with NamedTemporaryFile(prefix="orchestrator-", suffix=files[-1].suffix) as made:
        for file in files:
            made.write(await read(file, file.read_bytes))
        made.flush()
        yield Path(made.name)


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
