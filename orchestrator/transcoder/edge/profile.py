"""A transcoding profile: what a job of an order makes of its origin.

The fields, their values and their defaults are those of the service's documents
and of its clients; what can't be made is refused when a profile is stored, so
that no order fails for it later.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from orchestrator.query import QueryError
from orchestrator.query.base import Part
from orchestrator.query.outputs.streaming import HlsName
from orchestrator.query.places import Url
from orchestrator.query.problems import Path, nearest, problems_in
from orchestrator.query.values import FrameRate, Number, Side, Text, Whole, as_text, refuse
from orchestrator.query.video import PixelFormat

VideoFormat = Literal["mp4", "mpegts", "rawvideo"]
VideoCodec = Literal["h264", "webm", "libx264", "mpeg2video", "copy"]
AudioCodec = Literal["ac3", "mp3", "mp2", "libfdk_aac", "copy"]
Aspect = Literal["16:9", "9:16", "4:3"]

#: What ``allowed_values`` answers.
ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "video_formats": ("mp4", "mpegts", "rawvideo"),
    "video_codecs": ("h264", "webm", "libx264", "mpeg2video", "copy"),
    "audio_codecs": ("ac3", "mp3", "mp2", "libfdk_aac", "copy"),
    "video_aspect": ("16:9", "9:16", "4:3"),
}
H264: Final = ("h264", "libx264")

#: In an answer beside the profile's own fields; clients send them back.
_OURS: Final = ("id", "company")
_UNITS: Final[Mapping[str, int]] = {"k": 1, "m": 1000}


def _switch(value: object) -> bool:
    """Forms have words for what JSON has true and false for."""
    words = {"true": True, "1": True, "false": False, "0": False}
    found = words.get(str(value).lower()) if isinstance(value, str | int) else None
    if found is None:
        raise refuse("is not a switch", "write true or false")
    return found


def _rate(value: object) -> object:
    """kbit/s, or with ffmpeg's letter: ``1200``, ``"1200k"``, ``"1.2M"``."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if text[-1:] in _UNITS:
        try:
            return round(float(text[:-1]) * _UNITS[text[-1]])
        except ValueError:
            raise refuse("is not a bitrate", 'write kbit/s, or as in "1200k"') from None
    return value


def _level(value: object) -> object:
    """``3.1`` and ``31`` are the same level."""
    return str(value).replace(".", "") if isinstance(value, str | int | float) else value


def _name(value: object) -> str:
    text = as_text(value)
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise refuse("must be a line of at most 200 characters")
    return text


Switch = Annotated[bool, BeforeValidator(_switch)]
Kbps = Annotated[Whole, BeforeValidator(_rate), Field(ge=1, le=1_000_000)]
_Offset = Annotated[Whole, Field(ge=0, le=16384)]


class Overlay(Part):
    """An image over the picture; sizes and offsets in pixels, from the edges it is near to.

    A profile with one keeps the source's size, so ``before`` and ``after`` (the
    scaling) come to the same.
    """

    profile_type: Literal["overlay"]
    position: Literal["before", "after"] = "after"
    url: Url = Field(repr=False)
    scale_width: Side = 128
    scale_height: Side = 128
    opacity: Annotated[Number, Field(ge=0, le=1)] = 0.8
    horizontal: Literal["left", "center", "right"] = "right"
    vertical: Literal["top", "center", "bottom"] = "top"
    offset_x: _Offset = 44
    offset_y: _Offset = 44


class Hls(Part):
    """Segments of MPEG-TS and their playlists; ``hls_time`` in seconds, rates in kbit/s."""

    profile_type: Literal["hls"]
    hls_time: Annotated[Whole, Field(ge=1, le=300)] = 5
    hls_list_size: Whole = 0
    master_pl_name: HlsName = "master.m3u8"
    pix_fmt: PixelFormat = "yuv420p"
    framerate: FrameRate | None = None
    h264_profile: Literal["baseline", "main", "high"] | None = None
    h264_level: Annotated[Literal["30", "31", "40", "41", "42"], BeforeValidator(_level)] | None = (
        None
    )
    h264_preset: (
        Literal[
            "ultrafast",
            "superfast",
            "veryfast",
            "faster",
            "fast",
            "medium",
            "slow",
            "slower",
            "veryslow",
            "placebo",
        ]
        | None
    ) = None
    maxrate: Kbps | None = None
    bufsize: Kbps | None = None
    refs: Annotated[Whole, Field(ge=0, le=16)] | None = None
    sc_threshold: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    coder: Annotated[Whole, Field(ge=0, le=1)] | None = None
    b_strategy: Annotated[Whole, Field(ge=0, le=2)] | None = None
    hls_flags: Text | None = None

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if self.hls_list_size:
            hint = "leave it at 0: all segments are listed"
            raise refuse("shortens the list of a live stream", hint, field="hls_list_size")
        if self.hls_flags not in (None, "", "independent_segments"):
            hint = "leave it out, or write independent_segments"
            raise refuse("can't be had here", hint, field="hls_flags")
        if self.maxrate is not None and self.bufsize is None:
            hint = "set bufsize: a rate is kept over a buffer"
            raise refuse("requires bufsize", hint, field="maxrate")
        return self


Custom = Annotated[Overlay | Hls, Field(discriminator="profile_type")]


class Profile(Part):
    """A profile. Sides in pixels, bitrates in kbit/s.

    Decided where the documents are silent: ``webm`` is VP9 and Opus in a WebM
    file, ``rawvideo`` the bare stream of the picture, and ``segmentation`` HLS
    with the defaults of its custom profile.
    """

    name: Annotated[str, BeforeValidator(_name)]
    video_format: VideoFormat
    video_codec: VideoCodec
    video_width: Side | None = None
    video_height: Side | None = None
    video_bitrate: Kbps = 1000
    video_aspect: Aspect | None = None
    audio_codec: AudioCodec = "libfdk_aac"
    audio_bitrate: Annotated[Whole, BeforeValidator(_rate), Field(ge=8, le=640)] = 96
    segmentation: Switch = False
    restrict_bitrate: Switch = False
    custom_profiles: tuple[Custom, ...] = ()

    @property
    def overlay(self) -> Overlay | None:
        """The image over the picture, if there is one."""
        return next((each for each in self.custom_profiles if isinstance(each, Overlay)), None)

    @property
    def hls(self) -> Hls | None:
        """How HLS is made, where it is."""
        own = next((each for each in self.custom_profiles if isinstance(each, Hls)), None)
        return own or (Hls(profile_type="hls") if self.segmentation else None)

    @model_validator(mode="after")
    def _customs_fit(self) -> Self:
        kinds = [each.profile_type for each in self.custom_profiles]
        if len(kinds) != len(set(kinds)):
            raise refuse("has two of one profile_type", "keep one", field="custom_profiles")
        if self.overlay and (self.video_width or self.video_height):
            hint = "leave out video_width and video_height, or the overlay"
            raise refuse("an overlay goes with no size", hint, field="custom_profiles")
        if self.overlay and self.overlay.position == "before" and self.video_aspect:
            hint = 'set position to "after", or leave out video_aspect'
            raise refuse("an overlay can't go below another aspect", hint, field="custom_profiles")
        if self.segmentation and "hls" in kinds:
            raise refuse("contradicts the hls profile", "leave one out", field="segmentation")
        return self

    @model_validator(mode="after")
    def _codecs_fit(self) -> Self:
        if self.video_codec == "copy":
            shaped = ("video_width", "video_height", "video_aspect", "restrict_bitrate")
            given = next((name for name in shaped if getattr(self, name)), None)
            if given or self.overlay:
                hint = "choose a codec to encode with"
                field = given or "custom_profiles"
                raise refuse("can't change a picture that is copied", hint, field=field)
        if self.video_codec == "webm":
            self._webm_fits()
        if self.hls and (self.video_codec not in H264 or self.audio_codec != "libfdk_aac"):
            field = "audio_codec" if self.video_codec in H264 else "video_codec"
            raise refuse("HLS is made of h264 and libfdk_aac", field=field)
        if self.hls and self.video_format == "rawvideo":
            raise refuse("HLS is made of mp4 or mpegts", field="video_format")
        return self

    def _webm_fits(self) -> None:
        if self.video_format != "mp4":
            hint = "set video_format to mp4, and name the job's file .webm"
            raise refuse("webm is a container of its own", hint, field="video_format")
        if self.audio_codec != "libfdk_aac":
            hint = "leave audio_codec out: its sound is Opus"
            raise refuse("does not fit into WebM", hint, field="audio_codec")

    def document(self) -> dict[str, Any]:
        """All fields, as they are stored."""
        return self.model_dump(mode="json")


_PARTS: Final[Mapping[str, type[Part]]] = {"overlay": Overlay, "hls": Hls}


def parse_profile(sent: Mapping[str, Any]) -> Profile:
    """Read a profile as a client sends it. Raises ``QueryError`` with every problem."""
    doc = {name: value for name, value in sent.items() if name not in _OURS}
    try:
        return Profile.model_validate(doc)
    except ValidationError as error:
        raise QueryError(problems_in(error, doc, "profile", "profile", unknown=_unknown)) from None


def _unknown(path: Path, _doc: Any) -> tuple[str, str]:
    model = next((_PARTS[str(step)] for step in path if step in _PARTS), Profile)
    return "unknown attribute", nearest(str(path[-1]), model.model_fields)
