"""The containers that a source can be put into without encoding it, and what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_MPEG_VIDEO: Final = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"})


@dataclass(frozen=True, slots=True)
class Container:
    """``muxer`` is ffmpeg's name; ``video`` and ``sound`` are codecs, None for any.

    ``text`` is what subtitles of text become in it, None where it has no place
    for them; those in ``subtitles`` are copied. ``single`` has room for one
    sound alone.
    """

    muxer: str
    video: frozenset[str] | None
    sound: frozenset[str] | None
    text: str | None = None
    subtitles: frozenset[str] = frozenset()
    single: bool = False
    options: tuple[str, ...] = ()


def _sound(muxer: str, *codecs: str, single: bool = True) -> Container:
    return Container(muxer, frozenset(), frozenset(codecs), single=single)


_MP4: Final = Container(
    "mp4",
    _MPEG_VIDEO | {"av1", "vp9", "vvc", "mjpeg"},
    frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac", "dts", "vorbis", "ac4"}),
    text="mov_text",
    options=("-movflags", "+faststart"),
)
_MOV: Final = Container("mov", None, None, text="mov_text", options=("-movflags", "+faststart"))
_MKV: Final = Container(
    "matroska",
    None,
    None,
    text="srt",
    subtitles=frozenset({"subrip", "ass", "webvtt", "dvd_subtitle", "hdmv_pgs_subtitle"})
    | {"dvb_subtitle", "hdmv_text_subtitle"},
)
_WEBM: Final = Container(
    "webm", frozenset({"vp8", "vp9", "av1"}), frozenset({"vorbis", "opus"}), text="webvtt"
)
_TS: Final = Container(
    "mpegts",
    _MPEG_VIDEO | {"vvc"},
    frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "dts", "opus", "truehd"}),
    subtitles=frozenset({"dvb_subtitle", "dvb_teletext"}),
)
_OGG: Final = _sound("ogg", "vorbis", "opus", "flac", single=False)
_PCM: Final = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8")

#: By what a file's name ends in.
CONTAINERS: Final[Mapping[str, Container]] = {
    "mp4": _MP4,
    "m4v": _MP4,
    "mov": _MOV,
    "mkv": _MKV,
    "webm": _WEBM,
    **dict.fromkeys(("ts", "m2ts", "mts"), _TS),
    "avi": Container("avi", None, None),
    "m4a": Container("ipod", frozenset(), frozenset({"aac", "alac"}), options=_MP4.options),
    "mka": Container("matroska", frozenset(), None),
    **dict.fromkeys(("ogg", "oga", "opus"), _OGG),
    "mp3": _sound("mp3", "mp3"),
    "aac": _sound("adts", "aac"),
    "ac3": _sound("ac3", "ac3"),
    "flac": _sound("flac", "flac"),
    "wav": _sound("wav", *_PCM),
}
