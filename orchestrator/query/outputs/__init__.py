"""The outputs that a query may ask for, one model each.

A further output is a further class made of the same parts, and a member of
``Format``.
"""

from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, Field

from orchestrator.query.outputs.common import (
    Captioned,
    Clip,
    Spherical,
    Subtitles,
    SubtitleSource,
    Tagged,
    Wanted,
)
from orchestrator.query.outputs.sounds import Flac, Mp3
from orchestrator.query.outputs.stills import DEFAULT_INTERVAL, Image, Thumbnail, Thumbnails
from orchestrator.query.outputs.streaming import (
    FOR_ALL_STREAMS,
    AdvancedDash,
    AdvancedHls,
    AudioStream,
    HlsAudio,
    Mp4Stream,
    Stream,
    Streaming,
    WebmDash,
    WebmStream,
)
from orchestrator.query.outputs.texts import Metadata, SpeechToText, Vmaf
from orchestrator.query.outputs.videos import Gif, Mp4, Repack, Webm

_Any = (
    Mp4
    | Webm
    | AdvancedHls
    | AdvancedDash
    | WebmDash
    | Repack
    | Mp3
    | HlsAudio
    | Flac
    | Gif
    | Thumbnail
    | Thumbnails
    | Metadata
    | SpeechToText
    | Vmaf
)

Format = Annotated[_Any, Field(discriminator="output")]

#: The models by what a client writes as ``output``.
OUTPUTS: Final[dict[str, type[_Any]]] = {
    "mp4": Mp4,
    "webm": Webm,
    "advanced_hls": AdvancedHls,
    "advanced_dash": AdvancedDash,
    "webm_dash": WebmDash,
    "repack": Repack,
    "mp3": Mp3,
    "hls_audio": HlsAudio,
    "flac": Flac,
    "gif": Gif,
    "thumbnail": Thumbnail,
    "thumbnails": Thumbnails,
    "metadata": Metadata,
    "speech_to_text": SpeechToText,
    "vmaf": Vmaf,
}

#: The lists that status answers sort outputs into, without their plural.
Kind = Literal["video", "audio", "image", "text"]

_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("mp3", "hls_audio", "flac"), "audio"),
    **dict.fromkeys(("thumbnail", "thumbnails"), "image"),
    **dict.fromkeys(("metadata", "speech_to_text", "vmaf"), "text"),
}


def kind_of(asked: _Any) -> Kind:
    """Which of a status answer's lists an output is told of in."""
    return _KINDS.get(asked.output, "video")


def stream_of(model: type[BaseModel]) -> type[BaseModel] | None:
    """The model of a streaming output's streams; None for any other output."""
    field = model.model_fields.get("stream")
    return get_args(field.annotation)[0] if field else None


__all__ = [
    "DEFAULT_INTERVAL",
    "FOR_ALL_STREAMS",
    "OUTPUTS",
    "AdvancedDash",
    "AdvancedHls",
    "AudioStream",
    "Captioned",
    "Clip",
    "Flac",
    "Format",
    "Gif",
    "HlsAudio",
    "Image",
    "Kind",
    "Metadata",
    "Mp3",
    "Mp4",
    "Mp4Stream",
    "Repack",
    "SpeechToText",
    "Spherical",
    "Stream",
    "Streaming",
    "SubtitleSource",
    "Subtitles",
    "Tagged",
    "Thumbnail",
    "Thumbnails",
    "Vmaf",
    "Wanted",
    "Webm",
    "WebmDash",
    "WebmStream",
    "kind_of",
    "stream_of",
]
