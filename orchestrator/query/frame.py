"""The frame of an output: how large it is, and how the source is fitted into it."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from orchestrator.query.base import Part
from orchestrator.query.values import AspectRatio, Side, Size, as_whole, refuse

Turn = Annotated[Literal[90, 180, 270], BeforeValidator(as_whole)]


class FrameSides(Part):
    """How large an output's frame is, in pixels.

    Without any of them it is as large as the source's. With one side, the other
    follows from the source's proportions. ``resolution`` is the height of a
    source that lies and the width of one that stands; where it is set, the
    documents have the others ignored.
    """

    size: Size | None = None
    width: Side | None = None
    height: Side | None = None
    resolution: Side | None = None

    @property
    def box(self) -> tuple[int | None, int | None]:
        """Width and height as asked for, by ``size`` or by side; None is free."""
        return (self.size.width, self.size.height) if self.size else (self.width, self.height)

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        for side in ("width", "height"):
            asked = getattr(self, side)
            if self.size and asked and asked != getattr(self.size, side):
                contradiction = f"{asked} contradicts the size {self.size}"
                raise refuse(contradiction, "give one of the two", field=side)
        return self


class Frame(FrameSides):
    """How large a video's frame is, and how the source is fitted into it."""

    rotate: Turn | None = None
    aspect_ratio: AspectRatio | None = None
    resize_mode: Literal["scale", "crop"] = "scale"
