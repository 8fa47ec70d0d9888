"""What all parts of a compilation share."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar

from orchestrator.query import EncodeQuery
from orchestrator.query.outputs import kind_of
from orchestrator.transcoder.plan.material import Material
from orchestrator.transcoder.plan.steps import Rendition, Subtitling
from orchestrator.transcoder.ports import MediaError, Notice
from orchestrator.transcoder.streams import VideoStream

#: For a source that names no rate at all: only the keyframes' distance hangs on it.
FALLBACK_RATE = Fraction(25)

#: Seconds, less than half of a frame at 60 a second.
_AHEAD = Fraction(1, 125)

AskedT = TypeVar("AskedT", covariant=True)


@dataclass(frozen=True, slots=True)
class Keyframe:
    """When a keyframe of the source is shown, and where reading must begin to get it.

    In seconds from the source's start.
    """

    shown: float
    read: float


@dataclass(frozen=True, slots=True)
class Means:
    """What a plan may count on.

    ``encoders`` are those that ffmpeg has. ``threads`` limits each codec (0: it
    decides). ``assets`` are the files of the query's further URLs, ``lost`` why others
    are not there, ``earlier`` what incremental chains made before (``ports.Inputs``).
    ``crfs`` are the constant rate factors that were searched for (``optimize_bitrate``),
    by tag.
    ``keyframes`` are those before the starts of what is copied, by start.
    """

    encoders: frozenset[str] = frozenset()
    threads: int = 0
    assets: dict[str, Path] = field(default_factory=dict)
    crfs: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keyframes: Mapping[float, Keyframe] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place(Generic[AskedT]):
    """Something that was asked for: its system tag, and its index in the query's ``format``.

    For a stream of an output, ``asked`` is the stream.
    """

    tag: str
    index: int
    asked: AskedT


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rendition, and the part of the film that it needs.

    ``twice`` encodes it in two passes, alone.
    """

    rendition: Rendition
    start: float = 0.0
    duration: float | None = None
    twice: bool = False


class Context:
    """One compilation: what it is about, and the warnings that it gathers."""

    def __init__(
        self,
        query: EncodeQuery,
        material: Material,
        means: Means,
        without: frozenset[int] = frozenset(),
    ) -> None:
        self.query, self.material, self.means = query, material, means
        self.places = tuple(each for each in places_of(query) if each.index not in without)
        self._warnings: list[str] = []
        self._notices: list[Notice] = []
        self.subtitling: list[Subtitling] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the client should know, each once."""
        return tuple(dict.fromkeys(self._warnings))

    def warn(self, text: str) -> None:
        """Tell the client, with the status."""
        self._warnings.append(text)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Warnings of kinds that the documents name, each once."""
        return tuple(dict.fromkeys(self._notices))

    def notice(self, told: Notice) -> None:
        """Tell the client of something that the documents have a name for."""
        self._notices.append(told)

    def asset(self, url: str, named: str) -> Path:
        """A further file of the query. Raises ``MediaError`` where it could not be had.

        ``named`` is whose it is.
        """
        found = self.means.assets.get(url)
        if found is None:
            raise MediaError(f"{named}: {self.means.lost.get(url, 'its file was not fetched')}")
        return found

    def seconds(self, tag: str, start: float, duration: float | None) -> float | None:
        """How long the picture of a part is; None where it can't be known.

        Raises ``MediaError`` for a part that begins behind the source's end.
        """
        return self._left(tag, start, duration, self.material.probe.picture_end)

    def heard(self, tag: str, start: float, duration: float | None, track: int = 0) -> float | None:
        """How long a sound of a part is; otherwise as ``seconds``."""
        audio = self.material.probe.audio
        end = audio[track].duration if audio else None
        return self._left(tag, start, duration, end or self.material.probe.duration)

    def _left(
        self, tag: str, start: float, duration: float | None, end: float | None
    ) -> float | None:
        whole = self.material.probe.duration
        if whole is not None and start >= whole:
            raise MediaError(
                f"{tag}: start_time {start:g} lies behind the source's end at {whole:g} s"
            )
        if end is None:
            return duration
        left = max(0.0, end - start)
        return min(duration, left) if duration is not None else left


def snapped(start: float, video: VideoStream) -> float:
    """A start moved by less than a frame, to just before the first frame behind it.

    The output's grid begins at the start: halfway between two frames, rounding
    would lose one. A slow source's start is no farther from its frame than a grid of
    60 frames a second bears, or the output would lack as much at its end.
    """
    if not (start and video.constant and video.rate):
        return start
    rate = video.rate
    first = math.ceil((Fraction(start) - Fraction(video.start)) * rate - Fraction(1, 1000))
    return max(0.0, video.start + float(first / rate - min(1 / (4 * rate), _AHEAD)))


def steady_by_count(video: VideoStream) -> bool:
    """Whether a frame's number tells its time; Matroska may claim a rate it does not keep."""
    return bool(video.constant and video.rate and video.frames)


def places_of(query: EncodeQuery) -> Iterator[Place[Any]]:
    """Every output that was asked for, with its system tag: numbered per kind, in their order."""
    seen: Counter[str] = Counter()
    for index, asked in enumerate(query.format):
        kind = kind_of(asked)
        yield Place(f"{kind}-0-{seen[kind]}", index, asked)
        seen[kind] += 1
