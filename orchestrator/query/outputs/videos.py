"""Outputs that are one file with a picture that moves."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from orchestrator.query import sound, video
from orchestrator.query.destination import StoredFile
from orchestrator.query.frame import Frame
from orchestrator.query.outputs.common import Captioned, Clip, Spherical, Tagged, Wanted
from orchestrator.query.picture import Picture
from orchestrator.query.places import Extension
from orchestrator.query.sound import Sound
from orchestrator.query.values import Flag, refuse
from orchestrator.query.video import Video

WebmCodec = Annotated[Literal["libvpx", "libvpx-vp9", "libsvtav1"], video.CODEC]
WebmSound = Annotated[Literal["libvorbis", "libopus"], sound.CODEC]


class Mp4(Frame, Video, Sound, Captioned, Clip, Tagged, StoredFile, Wanted):
    """A video file. ``file_extension`` takes the place of ``mp4`` in its name.

    The source's metadata of a spherical video are left out unless
    ``keep_360_metadata`` is set; ``inject_360_metadata`` takes their place.
    """

    output: Literal["mp4"]
    video_codec: Annotated[Literal["libx264", "libx265", "libsvtav1"], video.CODEC] = "libx264"
    audio_codec: Annotated[Literal["aac", "libfdk_aac", "mp3"], sound.CODEC] = "aac"
    file_extension: Extension = "mp4"
    keep_360_metadata: Flag = False
    inject_360_metadata: Spherical | None = None


class Webm(Frame, Video, Sound, Captioned, Clip, Tagged, StoredFile, Wanted):
    """A WebM file. The documents name no defaults of its own: VP9 and Opus are the usual."""

    output: Literal["webm"]
    video_codec: WebmCodec = "libvpx-vp9"
    audio_codec: WebmSound = "libopus"


class Gif(Frame, Picture, Clip, Tagged, StoredFile, Wanted):
    """A moving GIF."""

    output: Literal["gif"]


class Repack(Clip, Tagged, StoredFile, Wanted):
    """The source's streams as they are, in another container: nothing is encoded.

    The destination's name says which container; ``file_extension`` does where
    there is none.
    """

    output: Literal["repack"]
    video_copy: Flag = True
    audio_copy: Flag = True
    subtitles_copy: Flag = True
    metadata_copy: Flag = True
    file_extension: Extension = "mp4"

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if not (self.video_copy or self.audio_copy or self.subtitles_copy):
            hint = "keep one of video_copy, audio_copy and subtitles_copy"
            raise refuse("leaves nothing of the source", hint, field="video_copy")
        return self
