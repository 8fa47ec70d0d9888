"""What is done to the picture on its way from the source to an output."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WrapSerializer,
)

from orchestrator.query.base import Part
from orchestrator.query.places import Url
from orchestrator.query.values import Flag, FrameRate, Moment, Number, Span, Whole

_FARTHEST = 16384


class Logo(Part):
    """An image laid over the video, PNG or JPEG.

    ``x`` and ``y`` are in pixels of the output from its left and its top;
    negative ones count from the right and the bottom. Times are in seconds of
    the output; without ``duration`` it stays to the end.
    """

    source: Url = Field(repr=False)
    x: Annotated[Whole, Field(ge=-_FARTHEST, le=_FARTHEST)] = 0
    y: Annotated[Whole, Field(ge=-_FARTHEST, le=_FARTHEST)] = 0
    opacity: Annotated[Number, Field(ge=0, le=1)] = 1.0
    start_time: Moment = 0.0
    duration: Span | None = None


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, Mapping) else value


def _as_sent(logos: tuple[Logo, ...], handler: SerializerFunctionWrapHandler) -> Any:
    dumped = list(handler(logos))
    return dumped[0] if len(dumped) == 1 else dumped


#: One object, or a list of them.
Logos = Annotated[
    tuple[Logo, ...],
    BeforeValidator(_as_list, json_schema_input_type=Logo | list[Logo]),
    WrapSerializer(_as_sent),
]


class Picture(Part):
    """What is done to the picture. Both rates are frames per second.

    ``framerate_limit`` lowers a faster source's rate to it; ``framerate`` has
    the say where both are there (the documents). Without either the source's
    rate stays.
    """

    framerate: FrameRate | None = None
    framerate_limit: FrameRate | None = None
    deinterlace: Flag = False
    hdr_to_sdr: Flag = False
    logo: Logos = ()


def _kept(value: object) -> object:
    return "keep" if value in (1, "1") and not isinstance(value, bool | float) else value


_KEEP = (BeforeValidator(_kept), PlainSerializer(lambda value: 1 if value == "keep" else value))

#: ``keep`` is sent as 1: the source's own value is kept.
ColorSpace = Annotated[
    Literal[
        "keep",
        "rgb",
        "bt709",
        "fcc",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "ycocg",
        "bt2020nc",
        "bt2020_ncl",
        "bt2020c",
        "bt2020_cl",
        "smpte2085",
    ],
    *_KEEP,
]
ColorRange = Annotated[Literal["keep", "tv", "mpeg", "pc", "jpeg"], *_KEEP]
ColorTransfer = Annotated[
    Literal[
        "keep",
        "bt709",
        "gamma22",
        "gamma28",
        "smpte170m",
        "smpte240m",
        "linear",
        "log",
        "log100",
        "log_sqrt",
        "log316",
        "iec61966_2_4",
        "bt1361",
        "iec61966_2_1",
        "bt2020_10bit",
        "bt2020_12bit",
        "smpte2084",
        "smpte428",
        "arib-std-b67",
    ],
    *_KEEP,
]
ColorPrimaries = Annotated[
    Literal[
        "keep",
        "bt709",
        "bt470m",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "film",
        "bt2020",
        "smpte428",
        "smpte431",
        "smpte432",
        "jedec-p22",
    ],
    *_KEEP,
]


class Color(Part):
    """The colours of an encoded video; None leaves each to follow from the rest."""

    color_space: ColorSpace | None = None
    color_range: ColorRange | None = None
    color_trc: ColorTransfer | None = None
    color_primaries: ColorPrimaries | None = None
