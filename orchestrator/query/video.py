"""How an output's video is encoded."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.query.base import Part
from orchestrator.query.values import Flag, FrameRate, Keyframe, KeyframeInterval, Whole, refuse

VideoCodec = Literal["libx264", "libx265"]
Profile = Literal["baseline", "main", "high"]
PixelFormat = Literal["yuv420p", "yuv422p", "yuvj420p", "yuvj422p"]


class Video(Part):
    """How an output's video is encoded.

    ``quality`` is the constant rate factor, ``bitrate`` is in kbit/s; without
    either the encoder's own quality holds. Defaults are the documents', save
    ``profile``: None means ``main`` (the documents' default) where that can
    hold what is asked, else the lowest one that can.
    """

    framerate: FrameRate | None = None
    keyframe: Keyframe = KeyframeInterval(frames=90)
    quality: Annotated[Whole, Field(ge=0, le=51)] | None = None
    bitrate: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    two_pass: Flag = False
    pix_format: PixelFormat = "yuv420p"
    video_codec: VideoCodec = "libx264"
    profile: Profile | None = None

    @model_validator(mode="after")
    def _rate_control_is_one(self) -> Self:
        if self.quality is not None and self.bitrate is not None:
            hint = "quality asks for a varying bitrate: leave out one of the two"
            raise refuse("contradicts bitrate", hint, field="quality")
        if self.two_pass and self.bitrate is None:
            raise refuse("two passes aim at a bitrate", "set bitrate", field="two_pass")
        return self

    @model_validator(mode="after")
    def _profile_holds_the_video(self) -> Self:
        if self.profile is None:
            return self
        if self.video_codec != "libx264":
            hint = "leave it out"
            raise refuse(f"is for libx264, not for {self.video_codec}", hint, field="profile")
        if "422" in self.pix_format:
            hint = "leave it out, and one that can is taken"
            raise refuse(f"{self.profile} can't hold {self.pix_format}", hint, field="profile")
        if self.quality == 0:
            hint = "leave it out, and one that can is taken"
            raise refuse(f"{self.profile} can't hold lossless video", hint, field="profile")
        return self
