"""Facts about what has been packaged: all that manifests are written from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from orchestrator.transcoder.packaging.packing import check_name
from orchestrator.transcoder.ports import MediaError

Kind = Literal["video", "audio", "text"]
#: The transfer curves of ``VIDEO-RANGE`` (RFC 8216bis, 4.4.6.2) that are no SDR.
Hdr = Literal["PQ", "HLG"]
#: What one segment's file is made of.
Format = Literal["ts", "mp4", "webm", "vtt"]


@dataclass(frozen=True, slots=True)
class Track:
    """One encoded stream that is to become a rendition.

    ``number`` counts from 1 per kind and names the folder (``video_1``). With
    ``sound`` its first audio stream goes into the video's own chunks. Audio of
    one ``group`` are the choices (languages) beside the videos that name the
    same group. ``rung`` is the caller's identity of the rendition over jobs.
    ``duration`` (seconds) is how long a text stays up; else its last cue ends it.
    """

    path: Path
    kind: Kind
    number: int
    sound: Path | None = None
    group: str = "audio"
    language: str | None = None
    title: str | None = None
    default: bool = False
    chunklist_name: str | None = None
    rung: str = ""
    duration: float | None = None

    def __post_init__(self) -> None:
        if self.chunklist_name is not None:
            check_name(self.chunklist_name, "chunklist_name")


@dataclass(frozen=True, slots=True)
class Segment:
    """``start`` and ``duration`` are in the rendition's timescale, ``size`` is in bytes."""

    file: str
    start: int
    duration: int
    size: int


@dataclass(frozen=True, slots=True)
class IFrame:
    """A picture that stands for itself: where its bytes are, and seconds until the next."""

    file: str
    offset: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rendition:
    """One packaged rendition. File names are relative to ``folder`` ("" for the root).

    ``codecs`` are as in RFC 6381: the picture's first, then the sound's where
    both are in the chunks. ``media`` is the segments' name with ``$Number$``.
    ``rate`` is in frames per second as a fraction (``30000/1001``), ``sar`` the
    shape of a pixel, ``hdr`` the curve of a high dynamic range (``PQ``, ``HLG``).
    ``whole`` is a text in one file.
    """

    kind: Kind
    name: str
    folder: str
    format: Format
    codecs: tuple[str, ...]
    timescale: int
    media: str
    segments: tuple[Segment, ...]
    init: str | None = None
    playlist: str | None = None
    i_frames: tuple[IFrame, ...] = ()
    i_playlist: str | None = None
    whole: str | None = None
    width: int = 0
    height: int = 0
    rate: str | None = None
    sar: str = "1:1"
    hdr: Hdr | None = None
    channels: int = 0
    sampling: int = 0
    group: str = "audio"
    language: str | None = None
    title: str | None = None
    default: bool = False
    rung: str = ""

    @property
    def shown(self) -> tuple[int, int]:
        """The frame as players show it: coded pixels need not be square."""
        return round(self.width * Fraction(self.sar.replace(":", "/"))), self.height

    @property
    def number(self) -> int:
        """The number in its name (``video_1``)."""
        return int(self.name.rpartition("_")[2])

    @property
    def seconds(self) -> float:
        """How long it is: the end of its last segment."""
        last = self.segments[-1]
        return (last.start + last.duration) / self.timescale

    @property
    def peak(self) -> int:
        """The peak segment bit rate of RFC 8216, 4.1, in bit/s."""
        return peak(
            [(segment.duration / self.timescale, segment.size) for segment in self.segments]
        )

    @property
    def average(self) -> int:
        """The average segment bit rate, in bit/s."""
        return average(
            [(segment.duration / self.timescale, segment.size) for segment in self.segments]
        )


_RENDITIONS = TypeAdapter(tuple[Rendition, ...])


def record(renditions: Iterable[Rendition]) -> str:
    """The facts as JSON, for a later job that goes on with the same output. No key is in them."""
    return _RENDITIONS.dump_json(tuple(renditions)).decode()


def recall(text: str | bytes) -> tuple[Rendition, ...]:
    """The facts that ``record`` wrote. Raises ``MediaError`` where they can't be read."""
    try:
        return _RENDITIONS.validate_json(text)
    except ValidationError as error:
        raise MediaError("the record of the earlier output can't be read") from error


def peak(parts: Sequence[tuple[float, int]]) -> int:
    """The largest bit rate of neighbours that together last 0.5 to 1.5 target durations.

    ``parts`` are seconds and bytes. RFC 8216, 4.1: so a last segment of some
    milliseconds does not count for itself.
    """
    target = max(seconds for seconds, _ in parts)
    best = 0.0
    for first in range(len(parts)):
        seconds, size = 0.0, 0
        for each_seconds, each_size in parts[first:]:
            seconds, size = seconds + each_seconds, size + each_size
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                best = max(best, 8 * size / seconds)
    return _up(best)


def average(parts: Sequence[tuple[float, int]]) -> int:
    """The bit rate of all ``parts`` (seconds and bytes) together."""
    return _up(8 * sum(size for _, size in parts) / sum(seconds for seconds, _ in parts))


def _up(rate: float) -> int:
    return int(rate) + (rate > int(rate))
