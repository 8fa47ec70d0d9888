"""Outputs that are images."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.query.destination import StoredFile, StoredFolder
from orchestrator.query.frame import FrameSides
from orchestrator.query.outputs.common import Tagged, Wanted
from orchestrator.query.values import Flag, Moment, Number, Span, Whole, refuse

#: Seconds between interval thumbnails. The documents name no default.
DEFAULT_INTERVAL = 10.0

ImageFormat = Literal["png", "jpg"]


class Image(FrameSides):
    """How a still image is written. ``quality`` of a jpg is 1 to 100, 100 the best.

    ``resize_mode`` is as a video's: the vendor's notes on thumbnails name it. The
    documents give that quality no range and no default: None leaves it to the encoder.
    """

    resize_mode: Literal["scale", "crop"] = "scale"
    image_format: ImageFormat = "png"
    quality: Annotated[Whole, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _quality_is_for_jpg(self) -> Self:
        if self.quality is not None and self.image_format != "jpg":
            hint = 'png loses nothing: leave it out, or set image_format to "jpg"'
            raise refuse("is for jpg images", hint, field="quality")
        return self


class Thumbnail(Image, Tagged, StoredFile, Wanted):
    """One image, at a fraction of the source, at a second, or at a frame.

    Without any of the three it is the first frame. Frames count from 0, and a
    ``frame_number`` takes the place of ``time`` (the documents).
    """

    output: Literal["thumbnail"]
    time: Annotated[Number, Field(ge=0, le=1)] | None = None
    start_time: Moment | None = None
    frame_number: Annotated[Whole, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _frame_comes_first(cls, sent: Any) -> Any:
        if isinstance(sent, Mapping) and sent.get("frame_number") is not None:
            return {name: value for name, value in sent.items() if name != "time"}
        return sent

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        names = ("time", "start_time", "frame_number")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            hint = "one thumbnail is taken at one moment"
            raise refuse(f"contradicts {given[0]}", hint, field=given[1])
        return self


class Thumbnails(Image, Tagged, StoredFolder, Wanted):
    """Images all along the source, ``interval`` seconds apart, and a WebVTT file.

    ``sprite`` puts them into one image, ``columns`` of them in a row.
    """

    output: Literal["thumbnails"]
    interval: Span = DEFAULT_INTERVAL
    sprite: Flag = False
    columns: Annotated[Whole, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _columns_are_of_a_sprite(self) -> Self:
        if self.columns is not None and not self.sprite:
            raise refuse("are those of a sprite", "set sprite to 1", field="columns")
        return self
