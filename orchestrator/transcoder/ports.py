"""What the service's HTTP half and its media half know of each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.query import EncodeQuery


class MediaError(Exception):
    """Raised when a source or a query can't be turned into what was asked.

    The message is for the person who sent the task and becomes the task's
    ``error_description``: it says what is wrong in plain words, with no path
    of this machine in it.
    """


@dataclass(frozen=True, slots=True)
class Produced:
    """One output of a task, still in the task's work folder.

    ``path`` is a file, or a folder of files for ``thumbnails``; ``entry`` is
    then the file in it that names the others (the .vtt). ``tag`` is the system
    tag, numbered per kind by the output's place in the query's ``format``
    list: ``video-0-0``, ``image-0-1``, ``text-0-0``. ``duration`` is in
    seconds, ``bitrate`` in kbit/s, ``size`` in bytes over all files.
    """

    tag: str
    kind: str
    output: str
    format_index: int
    path: Path
    user_tag: str | None = None
    entry: str | None = None
    size: int = 0
    duration: float | None = None
    bitrate: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What came of a task. ``duration`` is the source's, in seconds."""

    outputs: tuple[Produced, ...]
    duration: float | None = None
    warnings: tuple[str, ...] = ()


class Encoder(Protocol):
    """The media half: one call encodes one task."""

    async def encode(
        self,
        query: EncodeQuery,
        source: Path,
        folder: Path,
        progress: Callable[[Mapping[str, float]], None],
    ) -> Encoded:
        """Turn ``source`` into every output of ``query``, inside ``folder``.

        ``progress`` gets the percent (0 to 100, never falling) of each output
        by its tag, often enough to draw. Raises ``MediaError``. When cancelled,
        no process that it started is left, and ``folder`` may be removed.
        """
