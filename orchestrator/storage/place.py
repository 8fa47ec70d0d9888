"""What every storage is to the rest: a place to put files at, whole or not at all.

A storage tells two ends apart: ``Passing`` may be gone at the next try, and is
tried again by the storage itself (a request, a part or a file: what it can
repeat on its own); ``Refused`` will not get better, and its message is for the
person who wrote the destination. Neither message holds a credential, nor what a
server said in its own words, which may quote one.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from orchestrator.storage.disk import Disk
from orchestrator.tls import trusted

_T = TypeVar("_T")


class Refused(Exception):
    """Raised when a storage will not take a file, however often it is asked.

    ``code`` is the storage's own word for why, if it has one.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Passing(Exception):
    """Raised when a storage could not take a file now. ``after`` is its wish, in seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way. ``path`` is where it goes inside the place, ``kind`` its content type.

    ``moved`` is told how many bytes of it have arrived so far; after a failure
    that may be fewer than before.
    """

    file: Path
    path: str
    kind: str
    size: int
    moved: Callable[[int], None]


class Place(Protocol):
    """A storage that is open: a bucket, a container, a server, a disk."""

    #: How many files it takes at the same time.
    at_once: int

    async def put(self, upload: Upload) -> None:
        """Store a file under its path, in place of what is there; others see all of it or none.

        Raises ``Refused``, and ``Passing`` once trying again was no use. May be
        repeated. When cancelled, nothing is left behind that costs or shows.
        """


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and the bounds of the pause in between, in seconds."""

    tries: int = 6
    shortest: float = 0.5
    longest: float = 30.0

    async def try_again(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What ``work`` gives, tried again while it raises ``Passing``."""

        async def once() -> _T:
            return await work()

        return await AsyncRetrying(
            retry=retry_if_exception_type(Passing),
            stop=stop_after_attempt(self.tries),
            wait=self._pause,
            sleep=asyncio.sleep,
            reraise=True,
        )(once)

    def _pause(self, state: RetryCallState) -> float:
        """Twice as long each time and jittered, or what the server asked for; never too long."""
        problem = state.outcome.exception() if state.outcome else None
        wish = problem.after if isinstance(problem, Passing) else 0.0
        most = min(self.longest, self.shortest * 2**state.attempt_number)
        return min(self.longest, max(wish, random.uniform(self.shortest, most)))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Reach:
    """What the service lends to storages, and how far they may reach.

    ``roots`` are the folders that ``file://`` may write under; ``known_hosts``
    is the file of SSH host keys. ``allow_private`` says whether addresses of
    loopback and private networks are fine. ``tls`` judges certificates (the
    system's authorities unless given), ``b2_api`` is where B2 keys are shown.
    """

    disk: Disk
    known_hosts: Path
    roots: tuple[Path, ...] = ()
    allow_private: bool = True
    tls: ssl.SSLContext = field(default_factory=trusted)
    patience: Patience = field(default_factory=Patience)
    b2_api: str = "https://api.backblazeb2.com"


@asynccontextmanager
async def within(seconds: float, doing: str) -> AsyncIterator[asyncio.Timeout]:
    """A scope of time; passing its end is ``Passing``. Reschedule it as things move on."""
    try:
        async with asyncio.timeout(seconds) as scope:
            yield scope
    except TimeoutError as error:
        raise Passing(f"timed out {doing}") from error


async def to_its_end(work: "asyncio.Future[_T]") -> _T:
    """What a thread gives. It can't be stopped half-way: a cancelled caller waits for it."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def record_of(type_: str, file: str, **more: Any) -> dict[str, Any]:
    """The ``storage`` of a status: ``format`` is the file's extension, as in the documents."""
    name = file.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return {"type": type_, **more, "format": ending if dot and stem else None}
