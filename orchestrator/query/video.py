"""How an output's video is encoded."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.query.codec import CodecParameters, Profile, VideoCodec
from orchestrator.query.picture import Color, Picture
from orchestrator.query.values import Flag, Keyframe, KeyframeInterval, Whole, as_text, refuse

PixelFormat = Literal["yuv420p", "yuv422p", "yuvj420p", "yuvj422p"]

#: The lowest and the highest constant rate factor of each encoder.
QUALITIES: Final[Mapping[str, tuple[int, int]]] = {
    "libx264": (0, 51),
    "libx265": (0, 51),
    "libvpx": (4, 63),
    "libvpx-vp9": (0, 63),
    "libsvtav1": (0, 63),
}

#: The encoders that an optimal rate factor is searched with (the documents).
PER_TITLE: Final = ("libx264", "libx265")

_FOUR = re.compile(r"[\x21-\x7e]{4}")
_WITH_PER_TITLE: Final = ("min_crf", "max_crf", "adjust_crf")


def _codec(value: object) -> object:
    if value in ("lcevc_h264", "lcevc_hevc"):
        hint = "use libx264 or libx265"
        raise refuse("needs an LCEVC encoder, which this product does not carry", hint)
    return value


def _tag(value: object) -> str:
    text = as_text(value)
    if not _FOUR.fullmatch(text):
        raise refuse("is not a stream's tag", 'write four characters, as in "hvc1"')
    return text


#: Before the list of codecs that an output knows.
CODEC: Final = BeforeValidator(_codec)
Crf = Annotated[Whole, Field(ge=0, le=51)]


class Video(Picture, Color):
    """How an output's video is encoded.

    ``quality`` is the constant rate factor, ``bitrate`` is in kbit/s; without
    either the encoder's own quality holds. With ``optimize_bitrate`` the API
    ignores both. Defaults are the documents', save ``profile``: None means
    ``main`` (the documents' default) where that can hold what is asked, else
    the lowest one that can.
    """

    keyframe: Keyframe = KeyframeInterval(frames=90)
    quality: Annotated[Whole, Field(ge=0, le=63)] | None = None
    bitrate: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    two_pass: Flag = False
    pix_format: PixelFormat = "yuv420p"
    video_codec: Annotated[VideoCodec, CODEC] = "libx264"
    profile: Profile | None = None
    video_codec_parameters: CodecParameters | None = None
    tag_video: Annotated[str, BeforeValidator(_tag)] | None = None
    optimize_bitrate: Flag = False
    min_crf: Crf = 0
    max_crf: Crf = 51
    adjust_crf: Annotated[Whole, Field(ge=-10, le=10)] = 0

    @model_validator(mode="after")
    def _rate_control_is_one(self) -> Self:
        lowest, highest = QUALITIES[self.video_codec]
        if self.quality is not None and not lowest <= self.quality <= highest:
            bound = f"least {lowest}" if self.quality < lowest else f"most {highest}"
            raise refuse(f"must be at {bound} with {self.video_codec}", field="quality")
        if self.optimize_bitrate:
            return self
        if self.quality is not None and self.bitrate is not None:
            hint = "quality asks for a varying bitrate: leave out one of the two"
            raise refuse("contradicts bitrate", hint, field="quality")
        if self.two_pass and self.bitrate is None:
            raise refuse("two passes aim at a bitrate", "set bitrate", field="two_pass")
        return self

    @model_validator(mode="after")
    def _per_title_can_be(self) -> Self:
        if not self.optimize_bitrate:
            for name in _WITH_PER_TITLE:
                if name in self.model_fields_set:
                    hint = "set optimize_bitrate to 1, or leave it out"
                    raise refuse("bounds what optimize_bitrate finds", hint, field=name)
            return self
        if self.video_codec not in PER_TITLE:
            hint = f"it is for {', '.join(PER_TITLE)}"
            raise refuse(f"is not for {self.video_codec}", hint, field="optimize_bitrate")
        if self.two_pass:
            hint = "one aims at a quality, the other at a bitrate: leave out one of the two"
            raise refuse("contradicts optimize_bitrate", hint, field="two_pass")
        if self.min_crf > self.max_crf:
            raise refuse(f"is more than max_crf, {self.max_crf}", field="min_crf")
        return self

    @model_validator(mode="after")
    def _profile_holds_the_video(self) -> Self:
        if self.profile is not None and self.video_codec != "libx264":
            hint = "leave it out"
            raise refuse(f"is for libx264, not for {self.video_codec}", hint, field="profile")
        given = self.video_codec_parameters
        field, profile = "profile", self.profile
        if given and given.vprofile and self.video_codec == "libx264":
            field, profile = "video_codec_parameters.vprofile", given.vprofile
            if self.profile not in (None, profile):
                raise refuse("contradicts profile", "the two are one: keep profile", field=field)
        hint = "leave it out, and one that can is taken"
        if profile and "422" in self.pix_format:
            raise refuse(f"{profile} can't hold {self.pix_format}", hint, field=field)
        if profile and self.quality == 0:
            raise refuse(f"{profile} can't hold lossless video", hint, field=field)
        return self

    @model_validator(mode="after")
    def _parameters_fit_the_codec(self) -> Self:
        if self.video_codec_parameters is None:
            return self
        for name, fault, hint in self.video_codec_parameters.faults(self.video_codec):
            raise refuse(fault, hint, field=f"video_codec_parameters.{name}")
        return self
