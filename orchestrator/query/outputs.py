"""The outputs that a query may ask for, one model each.

A further output of the documents is a further class here, made of the same
parts, and a member of ``Format``.
"""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from orchestrator.query.base import Part
from orchestrator.query.destination import StoredFile, StoredFolder
from orchestrator.query.frame import Frame, FrameSides
from orchestrator.query.sound import Sound
from orchestrator.query.values import Moment, Number, Span, Text, Whole, as_text, refuse
from orchestrator.query.video import Video

#: Seconds between interval thumbnails. The documents name no default.
DEFAULT_INTERVAL = 10.0

ImageFormat = Literal["png", "jpg"]


class Tagged(Part):
    """A name of the client's own that status answers give back as ``user_tag``.

    The documents' attribute is ``tag``; their examples send ``user_tag``. Both
    are read.
    """

    tag: Text | None = Field(default=None, validation_alias=AliasChoices("tag", "user_tag"))


class Clip(Part):
    """Which part of the source to take, in seconds; without it, all of it."""

    start_time: Moment = 0.0
    duration: Span | None = None


class Image(FrameSides):
    """How a still image is written. ``quality`` of a jpg is 1 to 100, 100 the best.

    The documents give that quality no range and no default: None leaves it to
    the encoder.
    """

    image_format: ImageFormat = "png"
    quality: Annotated[Whole, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _quality_is_for_jpg(self) -> Self:
        if self.quality is not None and self.image_format != "jpg":
            hint = 'png loses nothing: leave it out, or set image_format to "jpg"'
            raise refuse("is for jpg images", hint, field="quality")
        return self


def _extension(value: object) -> str:
    text = as_text(value)
    if text.isascii() and text.isalnum() and len(text) <= 8:
        return text
    raise refuse("is not a file name's extension", 'write it without the dot, as in "mp4"')


def _version(value: object) -> str:
    text = as_text(value)
    if all(part.isascii() and part.isdigit() for part in text.split(".")):
        return text
    raise refuse("is not a version", 'write it as in "4.1.5"')


class Mp4(Frame, Video, Sound, Clip, Tagged, StoredFile):
    """A video file. ``file_extension`` takes the place of ``mp4`` in its name."""

    output: Literal["mp4"]
    file_extension: Annotated[str, BeforeValidator(_extension)] = "mp4"


class Thumbnail(Image, Tagged, StoredFile):
    """One image, at a fraction of the source, at a second, or at a frame.

    At most one of the three is set; without any it is the first frame. Frames
    count from 0.
    """

    output: Literal["thumbnail"]
    time: Annotated[Number, Field(ge=0, le=1)] | None = None
    start_time: Moment | None = None
    frame_number: Annotated[Whole, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        names = ("time", "start_time", "frame_number")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            hint = "one thumbnail is taken at one moment"
            raise refuse(f"contradicts {given[0]}", hint, field=given[1])
        return self


class Thumbnails(Image, Tagged, StoredFolder):
    """Images all along the source, ``interval`` seconds apart, and a WebVTT file."""

    output: Literal["thumbnails"]
    interval: Span = DEFAULT_INTERVAL


class Metadata(Tagged, StoredFile):
    """A JSON file that describes the source.

    ``metadata_version`` is the ffprobe that a client expects (the documents'
    default is 4.1.5); None leaves it to the service.
    """

    output: Literal["metadata"]
    metadata_version: Annotated[str, BeforeValidator(_version)] | None = None


Format = Annotated[Mp4 | Thumbnail | Thumbnails | Metadata, Field(discriminator="output")]

#: The models by what a client writes as ``output``.
OUTPUTS: dict[str, type[Mp4 | Thumbnail | Thumbnails | Metadata]] = {
    "mp4": Mp4,
    "thumbnail": Thumbnail,
    "thumbnails": Thumbnails,
    "metadata": Metadata,
}
