"""What a media file is made of, typed: ffprobe's JSON, read and judged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from orchestrator.query.values import MAX_SIDE
from orchestrator.transcoder.ports import MediaError

#: A frame may have no more pixels than this: each costs memory many times over.
MAX_PIXELS = 8192 * 8192

#: Transfer curves of high dynamic range: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG).
HDR_CURVES = frozenset({"smpte2084", "arib-std-b67"})

_RIGHT_ANGLES = (90, 270)
#: How names of pixel formats without luma begin.
_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
#: Subtitles that are text, in ffprobe's words; others are images, or data.
TEXT_CODECS = frozenset({"subrip", "ass", "ssa", "mov_text", "webvtt", "text"})
#: A pixel that is more oblong than this is a broken header, not a picture.
_OBLONG = 8


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A moving picture. ``width`` and ``height`` are as stored.

    ``sar`` is the shape of a stored pixel, ``rotation`` the degrees (0, 90,
    180, 270) by which players turn the picture. ``rate`` is in frames per
    second; ``constant`` says that it holds throughout. ``start`` counts from
    the file's own start. Times are in seconds, ``bitrate`` is in bit/s. The
    ``color_*`` and ``field_order`` are ffprobe's words, empty where the file
    does not say. ``spherical`` and ``stereo`` are ffprobe's side data of a
    spherical video, empty for any other.
    """

    index: int
    codec: str
    width: int
    height: int
    sar: Fraction = Fraction(1)
    rotation: int = 0
    rate: Fraction | None = None
    constant: bool = True
    start: float = 0.0
    duration: float | None = None
    frames: int | None = None
    pix_fmt: str = ""
    bitrate: int | None = None
    color_space: str = ""
    color_range: str = ""
    color_trc: str = ""
    color_primaries: str = ""
    field_order: str = ""
    spherical: Mapping[str, Any] = field(default_factory=dict)
    stereo: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hdr(self) -> bool:
        """Whether the curve is one of high dynamic range: PQ (HDR10) or HLG."""
        return self.color_trc in HDR_CURVES

    @property
    def rgb(self) -> bool:
        """Whether pixels are stored as red, green and blue."""
        return self.color_space == "gbr" or self.pix_fmt.startswith(_RGB)

    @property
    def display(self) -> tuple[Fraction, Fraction]:
        """Width and height as seen: with square pixels, and turned."""
        width, height = self.width * self.sar, Fraction(self.height)
        return (height, width) if self.rotation in _RIGHT_ANGLES else (width, height)


@dataclass(frozen=True, slots=True)
class AudioStream:
    """A sound track. ``rate`` is in Hz, ``duration`` in seconds, ``bitrate`` in bit/s.

    ``bits`` is how deep samples are that are stored without loss, 0 for others.
    ``language`` and ``title`` are what the file says, None where it doesn't.
    """

    index: int
    codec: str
    channels: int
    layout: str = ""
    rate: int = 0
    duration: float | None = None
    bitrate: int | None = None
    bits: int = 0
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A track of subtitles; ``codec`` is ffprobe's word for what it is made of."""

    index: int
    codec: str
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A media file. ``document`` is ffprobe's own answer, without our paths.

    ``duration`` (seconds) is None only for a file that does not say and whose
    packets have no times. The first stream of a kind is the one to encode.
    Cover art and other stills are no video. ``bitrate`` is in bit/s.
    """

    container: str
    duration: float | None
    video: tuple[VideoStream, ...] = ()
    audio: tuple[AudioStream, ...] = ()
    bitrate: int | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    subtitles: tuple[SubtitleStream, ...] = ()

    @property
    def picture_end(self) -> float | None:
        """Where the picture ends, in seconds from the file's start."""
        if not self.video or self.video[0].duration is None:
            return self.duration
        return self.video[0].start + self.video[0].duration


def read_probe(document: Mapping[str, Any], name: str) -> Probe:
    """ffprobe's JSON, typed. ``name`` replaces the path that it holds.

    Raises ``MediaError`` where there is neither picture nor sound.
    """
    container = document.get("format") or {}
    streams = sorted(document.get("streams") or [], key=_is_spare)
    start = _seconds(container.get("start_time")) or 0.0
    video = tuple(_video(stream, start) for stream in streams if _is_video(stream))
    audio = tuple(_audio(stream) for stream in streams if _is_audio(stream))
    if not video and not audio:
        raise MediaError("the file holds neither a picture nor sound that can be read")
    return Probe(
        container=str(container.get("format_name", "")),
        duration=_seconds(container.get("duration")) or _longest((*video, *audio)),
        video=video,
        audio=audio,
        bitrate=_whole(container.get("bit_rate")),
        document={**document, "format": {**container, "filename": name}},
        subtitles=tuple(_subtitle(each) for each in streams if _is_subtitle(each)),
    )


def _longest(streams: Sequence[VideoStream | AudioStream]) -> float | None:
    return max((stream.duration for stream in streams if stream.duration), default=None)


def _is_spare(stream: Mapping[str, Any]) -> bool:
    """Whether players would not choose it by themselves."""
    return not (stream.get("disposition") or {}).get("default")


def _is_video(stream: Mapping[str, Any]) -> bool:
    marks = stream.get("disposition") or {}
    still = any(marks.get(mark) for mark in ("attached_pic", "timed_thumbnails", "still_image"))
    return stream.get("codec_type") == "video" and not still


def _is_audio(stream: Mapping[str, Any]) -> bool:
    """Whether it is sound that can be decoded; a broken track has no channels."""
    return stream.get("codec_type") == "audio" and bool(_whole(stream.get("channels")))


def _is_subtitle(stream: Mapping[str, Any]) -> bool:
    return stream.get("codec_type") == "subtitle"


def _subtitle(stream: Mapping[str, Any]) -> SubtitleStream:
    return SubtitleStream(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "unknown")),
        language=_language(stream),
        title=_title(stream),
    )


def _video(stream: Mapping[str, Any], origin: float) -> VideoStream:
    width, height = _frame(stream)
    average, base = _rate(stream.get("avg_frame_rate")), _rate(stream.get("r_frame_rate"))
    constant = bool(average and base and abs(average / base - 1) < Fraction(1, 100))
    started = _seconds(stream.get("start_time"))
    return VideoStream(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "unknown")),
        width=width,
        height=height,
        sar=_pixel_shape(stream.get("sample_aspect_ratio")),
        rotation=_rotation(stream),
        rate=base if constant else average or base,
        constant=constant,
        start=max(0.0, started - origin) if started is not None else 0.0,
        duration=_length(stream),
        frames=_whole(stream.get("nb_frames")),
        pix_fmt=str(stream.get("pix_fmt", "")),
        bitrate=_whole(stream.get("bit_rate")),
        color_space=_told(stream, "color_space"),
        color_range=_told(stream, "color_range"),
        color_trc=_told(stream, "color_transfer"),
        color_primaries=_told(stream, "color_primaries"),
        field_order=_told(stream, "field_order"),
        spherical=_side_data(stream, "Spherical Mapping"),
        stereo=_side_data(stream, "Stereo 3D"),
    )


def _told(stream: Mapping[str, Any], name: str) -> str:
    value = stream.get(name)
    return "" if value in (None, "unknown", "reserved") else str(value)


def _side_data(stream: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    for side in stream.get("side_data_list") or []:
        if side.get("side_data_type") == kind:
            return dict(side)
    return {}


def _frame(stream: Mapping[str, Any]) -> tuple[int, int]:
    width, height = _whole(stream.get("width")) or 0, _whole(stream.get("height")) or 0
    if not width or not height:
        raise MediaError("the source's picture has no readable size; the file may be cut short")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise MediaError(f"the source's frame of {width}x{height} is larger than is taken here")
    return width, height


def _audio(stream: Mapping[str, Any]) -> AudioStream:
    return AudioStream(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "unknown")),
        channels=_whole(stream.get("channels")) or 0,
        layout=str(stream.get("channel_layout", "")),
        rate=_whole(stream.get("sample_rate")) or 0,
        duration=_length(stream),
        bitrate=_bitrate(stream),
        bits=_depth(stream),
        language=_language(stream),
        title=_title(stream),
    )


def _depth(stream: Mapping[str, Any]) -> int:
    told = (_whole(stream.get(name)) for name in ("bits_per_raw_sample", "bits_per_sample"))
    return next(filter(None, told), 0)


def _bitrate(stream: Mapping[str, Any]) -> int | None:
    """In bit/s; Matroska keeps it in a tag, if at all."""
    return _whole(stream.get("bit_rate")) or _whole((stream.get("tags") or {}).get("BPS"))


def _language(stream: Mapping[str, Any]) -> str | None:
    """A code as the file has it; ``und`` is how files say that they don't know."""
    code = str((stream.get("tags") or {}).get("language", "")).strip().lower()
    return code if code not in ("", "und") else None


def _title(stream: Mapping[str, Any]) -> str | None:
    """The name of a track; an mp4's ``handler_name`` names the program that wrote it."""
    return str((stream.get("tags") or {}).get("title", "")).strip() or None


def _length(stream: Mapping[str, Any]) -> float | None:
    """A stream's duration; Matroska keeps it in a tag (``00:00:05.280000000``)."""
    if told := _seconds(stream.get("duration")):
        return told if told > 0 else None
    parts = str((stream.get("tags") or {}).get("DURATION", "")).split(":")
    times = [_seconds(part) for part in parts]
    if len(times) != 3 or None in times:
        return None
    hours, minutes, seconds = (time or 0.0 for time in times)
    return (hours * 60 + minutes) * 60 + seconds or None


def _rotation(stream: Mapping[str, Any]) -> int:
    for side in stream.get("side_data_list") or []:
        if (turn := _seconds(side.get("rotation"))) is not None:
            return round(turn / 90) * 90 % 360
    return 0


def _pixel_shape(value: object) -> Fraction:
    shape = _rate(str(value).replace(":", "/")) if value else None
    return shape if shape and Fraction(1, _OBLONG) <= shape <= _OBLONG else Fraction(1)


def _rate(value: object) -> Fraction | None:
    """A positive fraction as ffprobe writes it (``25/1``); ``0/0`` is none."""
    above, _, below = str(value).partition("/")
    if not (above.isdecimal() and below.isdecimal()) or not int(below):
        return None
    return Fraction(int(above), int(below)) or None


def _seconds(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> int | None:
    number = _seconds(value)
    return None if number is None else int(number)
