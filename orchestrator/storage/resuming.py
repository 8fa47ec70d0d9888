"""What some places can do besides: go on with a file where an earlier try stopped.

Asked for with ``isinstance``: FTP, SFTP and S3 can. The file is written under a
name of its own until it is whole, and what is there of it outlives this process.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable


def _nobody(_done: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A file of ``size`` bytes on its way to ``path`` in the place, ``kind`` its content type.

    ``handle`` is what ``Resumable.begin`` answered, in this process or an
    earlier one. ``moved`` is told how many bytes have arrived.
    """

    path: str
    size: int
    kind: str = "application/octet-stream"
    handle: str = ""
    moved: Callable[[int], None] = field(default=_nobody, repr=False)

    @property
    def partial(self) -> PurePosixPath:
        """The name that an unfinished file has; the same for every try."""
        path = PurePosixPath(self.path)
        return path.with_name(f".{path.name}.part")


@runtime_checkable
class Resumable(Protocol):
    """A place that goes on with files. Every method raises ``Refused`` and ``Passing``."""

    #: Whether bytes leave as they are asked for. If not, they are taken in parts, and
    #: each part has a time limit of the place's own.
    streams: bool

    async def begin(self, sending: Sending) -> str:
        """Make ready for a file; the answer is its ``handle``, which holds no secret."""

    async def arrived(self, sending: Sending) -> int | None:
        """How many bytes of the file are there; its size where it is finished.

        None where nothing is known of it, or what is there can't be gone on with.
        """

    async def append(self, sending: Sending, offset: int, blocks: AsyncIterator[bytes]) -> None:
        """Add the bytes from ``offset`` (what ``arrived`` says) to the end of the file."""

    async def finish(self, sending: Sending) -> None:
        """Give the whole file its name. May be repeated.

        Raises ``Passing`` where not all of it is there.
        """

    async def remove(self, sending: Sending) -> None:
        """Leave nothing of the file, finished or not. It may be gone already."""
