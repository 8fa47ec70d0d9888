"""What the service's HTTP half and its media half know of each other."""

from collections.abc import Mapping
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


class EncodingFailed(MediaError):
    """Raised when an encode failed and neither the source nor the query is known to be why.

    It alone is worth another try (``retry_on_error``).
    """


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One source on this machine's disk, and which part of it to take, in seconds."""

    path: Path
    start: float = 0.0
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a task reads, fetched: its one source or its stitch list, in order.

    ``assets`` are the other files that the query names (logos, subtitles), by
    the URL that names them; ``lost`` says why the others could not be had, which only
    outputs need that may fail. ``earlier`` is what an incremental chain made
    before: the ``facts`` of its last output, by ``incremental_tag``.
    """

    sources: tuple[SourceFile, ...]
    assets: Mapping[str, Path] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning of the status: what kind it is, the details, and the output's tag if it has one.

    The documents name four kinds: "Source Video Decoding Errors", "Callback
    Endpoint Errors", "Low Audio Bitrate" and "Errors Ignored by
    'allow_soft_fail'"; others are this service's own words.
    """

    message: str
    details: str = ""
    tag: str | None = None

    def document(self) -> dict[str, Any]:
        """The warning as ``/v1/status`` shows it."""
        told = {"message": self.message, "details": self.details or None, "tag": self.tag}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Member:
    """One stream of an output that has several: a rendition of a ladder, a sound track.

    ``entry`` is its own playlist inside the output's folder, if it has one.
    Units are ``Produced``'s.
    """

    tag: str
    kind: str
    user_tag: str | None = None
    entry: str | None = None
    size: int = 0
    duration: float | None = None
    bitrate: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Produced:
    """One output of a task, still in the task's work folder.

    ``path`` is a file, or a folder of files; ``entry`` is then the file in it
    that names the others (a playlist, a .vtt) and must be seen last. ``tag`` is
    the system tag, numbered per kind by the output's place in the query's
    ``format`` list: ``video-0-0``, ``image-0-1``, ``text-0-0``; a stream of it
    is a ``Member`` with one number more: ``video-0-0-1``. ``duration`` is in
    seconds, ``bitrate`` in kbit/s, ``size`` in bytes over all files. ``facts``
    are what a later task of an incremental chain needs of this one, as JSON.
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
    members: tuple[Member, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missed:
    """An output that failed and may (``allow_soft_fail``). ``reason`` is for the client."""

    tag: str
    format_index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """What came of a task. ``duration`` is the source's, in seconds."""

    outputs: tuple[Produced, ...]
    duration: float | None = None
    warnings: tuple[Notice, ...] = ()
    missed: tuple[Missed, ...] = ()


class Watcher(Protocol):
    """Who is told how far an encode is."""

    def progress(self, percents: Mapping[str, float]) -> None:
        """The percent (0 to 100, never falling) of each output and stream by its tag."""

    async def landed(self, made: Produced) -> None:
        """An output that others may see already, and that will land again with more in it.

        Told of outputs of a query with ``refresh_playlist``, each time that a
        rendition is whole and its manifests name it. Returns when it is stored.
        """


class Encoder(Protocol):
    """The media half: one call encodes one task."""

    async def encode(
        self, query: EncodeQuery, inputs: Inputs, folder: Path, watcher: Watcher
    ) -> Encoded:
        """Turn ``inputs`` into every output of ``query``, inside ``folder``.

        Raises ``MediaError``. When cancelled, no process that it started is
        left, and ``folder`` may be removed.
        """
