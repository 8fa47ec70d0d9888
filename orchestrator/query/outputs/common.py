"""What outputs have in common."""

import re
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from orchestrator.query.base import Part
from orchestrator.query.places import Url
from orchestrator.query.values import Flag, Moment, Span, Text, Whole, as_text, refuse

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Wanted(Part):
    """Any output. With ``allow_soft_fail`` the others go on when this one fails."""

    allow_soft_fail: Flag = False


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


def _language(value: object) -> str:
    text = as_text(value)
    if not _LANGUAGE.fullmatch(text):
        raise refuse("is not a language's code", 'write it as in "eng" or "en"')
    return text


class SubtitleSource(Part):
    """A file of subtitles (.srt or .ass), and the language that it is in."""

    source: Url = Field(repr=False)
    language: Annotated[str, BeforeValidator(_language)]


class Subtitles(Part):
    """Subtitles that are added, and whether the source's EIA-608/708 captions are copied."""

    sources: Annotated[tuple[SubtitleSource, ...], Field(min_length=1)] = ()
    copy_captions: Flag = Field(default=False, alias="copy")


class Captioned(Part):
    """Subtitles of an output; those of the source are kept unless ``subtitles_copy`` is 0."""

    subtitles: Subtitles | None = None
    subtitles_copy: Flag = True


_CROP = ("full_width", "full_height", "cropped_width", "cropped_height")
_OFFSET = ("cropped_left", "cropped_top")
_Pixels = Annotated[Whole, Field(ge=1, le=1_000_000)]
_Offset = Annotated[Whole, Field(ge=0, le=1_000_000)]


def _word(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class Spherical(Part):
    """How a player is to show a spherical video (Spherical Video V2), sizes in pixels."""

    side_data_type: (
        Annotated[Literal["spherical mapping", "stereo 3d"], BeforeValidator(_word)] | None
    ) = None
    projection: Annotated[Literal["equirectangular", "rectangular"], BeforeValidator(_word)] = (
        "equirectangular"
    )
    vr180: Flag = False
    stereo: Annotated[Literal["none", "left-right", "top-bottom"], BeforeValidator(_word)] = "none"
    full_width: _Pixels | None = None
    full_height: _Pixels | None = None
    cropped_width: _Pixels | None = None
    cropped_height: _Pixels | None = None
    cropped_left: _Offset | None = None
    cropped_top: _Offset | None = None

    @model_validator(mode="after")
    def _crop_is_whole(self) -> Self:
        for name in (*_CROP, *_OFFSET):
            given = getattr(self, name) is not None
            if given and not self.vr180:
                raise refuse("is for VR180 video", "set vr180 to 1", field=name)
            if self.vr180 and not given:
                raise refuse("is required with vr180", field=name)
        for side, offset in (("width", "left"), ("height", "top")):
            end = (getattr(self, f"cropped_{offset}") or 0) + (
                getattr(self, f"cropped_{side}") or 0
            )
            if self.vr180 and end > getattr(self, f"full_{side}"):
                raise refuse(f"reaches beyond full_{side}", field=f"cropped_{side}")
        return self
