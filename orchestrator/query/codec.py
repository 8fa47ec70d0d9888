"""``video_codec_parameters``: what an encoder is told beyond the common settings."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, model_validator

from orchestrator.query.base import Part
from orchestrator.query.values import Flag, Number, Text, Whole, as_text, as_whole, refuse, shown

VideoCodec = Literal["libx264", "libx265", "libvpx", "libvpx-vp9", "libsvtav1"]
Profile = Literal["baseline", "main", "high"]

#: Attributes of LCEVC's encoders alone, which this product does not carry.
OF_LCEVC: Final = frozenset(
    {
        "lcevc_tune",
        "scaling_mode_level0",
        "dc_dithering_type",
        "dc_dithering_strength",
        "dc_dithering_qp_start",
        "dc_dithering_qp_saturate",
        "m_ad_mode",
        "m_hf_strength",
        "m_lf_strength",
    }
)

_X26X_PRESETS: Final = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
_PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    "libx264": _X26X_PRESETS,
    "libx265": _X26X_PRESETS,
    "libvpx": ("best", "good", "realtime"),
    "libvpx-vp9": ("best", "good", "realtime"),
    "libsvtav1": tuple(map(str, range(14))),
}

_OF_ALL: Final = frozenset(
    {"max_rate", "min_rate", "bufsize", "sws_flags", "preset", "flags", "qmin", "qmax"}
    | {"rc_lookahead"}
)
_OF_X265: Final = _OF_ALL | {
    *("level", "me_method", "subq", "refs", "me_range", "sc_threshold"),
    *("i_qfactor", "b_strategy", "qcomp", "qdiff"),
}
_OF_X264: Final = _OF_X265 | {
    *("vprofile", "coder", "flags2", "partitions", "directpred", "trellis", "cmp"),
}
_OF_SVT: Final = _OF_ALL | {
    *("tune", "aq_mode", "film_grain", "fast_decode", "enable_dlf"),
    *("enable_restoration", "hierarchical_levels", "pred_struct"),
}

#: The attributes that mean something to each encoder.
MEANT_FOR: Final[Mapping[str, frozenset[str]]] = {
    "libx264": _OF_X264,
    "libx265": _OF_X265,
    "libvpx": _OF_ALL,
    "libvpx-vp9": _OF_ALL,
    "libsvtav1": _OF_SVT,
}

#: What an encoder takes less of than the documents' widest range.
_MOST: Final[Mapping[str, Mapping[str, int]]] = {
    "libx265": {"subq": 7},
    "libvpx": {"qmin": 63, "qmax": 63, "rc_lookahead": 25},
    "libvpx-vp9": {"qmin": 63, "qmax": 63, "rc_lookahead": 25},
    "libsvtav1": {"qmin": 63, "qmax": 63, "rc_lookahead": 120},
}

#: Bits per second: what fits the 31 bits that encoders keep rates in.
_FASTEST_BPS: Final = 2_000_000_000

_SWITCH = re.compile(r"([+-]?)([a-z0-9_]+)")


def _switches(*known: str) -> PlainValidator:
    """Names that are switched on (+) or off (-): ``+bpyramid-fastpskip``."""

    def read(value: object) -> tuple[str, ...]:
        sent = "".join(value) if isinstance(value, tuple) else as_text(value)
        text = sent.replace("×", "x").replace(",", " ").replace("|", " ").strip()
        found = _SWITCH.findall(text)
        if not found or _SWITCH.sub("", text).strip():
            hint = f'write them as in "+{known[0]}"'
            raise refuse(f"{shown(sent)} is no list of switches", hint)
        for _, name in found:
            if name not in known:
                raise refuse(f"{shown(name)} is none of its switches", f"use {', '.join(known)}")
        return tuple((sign or "+") + name for sign, name in found)

    return PlainValidator(read, json_schema_input_type=str)


_AS_SENT = PlainSerializer("".join, return_type=str)

#: Each entry is a name with its sign: ``("+bpyramid", "-fastpskip")``.
Flags2 = Annotated[
    tuple[str, ...],
    _switches("bpyramid", "wpred", "mixed_refs", "dct8x8", "fastpskip", "aud"),
    _AS_SENT,
]
Partitions = Annotated[
    tuple[str, ...],
    _switches("partp8x8", "partp4x4", "partb8x8", "parti8x8", "parti4x4"),
    _AS_SENT,
]
CodecFlags = Annotated[
    tuple[str, ...],
    _switches(
        *("mv4", "qpel", "loop", "qscale", "pass1", "pass2", "gray", "emu_edge", "psnr"),
        *("truncated", "ildct", "low_delay", "global_header", "bitexact", "aic", "cbp"),
        *("qprd", "ilme", "cgop"),
    ),
    _AS_SENT,
]
#: Of ffmpeg's compare functions H.264's encoder knows one: whether colour counts too.
Compare = Annotated[tuple[str, ...], _switches("chroma"), _AS_SENT]

Scaler = Literal[
    "fast_bilinear",
    "bilinear",
    "bicubic",
    "neighbor",
    "area",
    "bicublin",
    "gauss",
    "sinc",
    "lanczos",
    "spline",
]


def _preset(value: object) -> object:
    """Presets are words to some encoders and numbers to others: text holds both."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: In Mbit/s for libx264, in kbit/s for the others.
CodedRate = Annotated[Number, Field(gt=0, le=2_000_000)]


class CodecParameters(Part):
    """What an encoder is told beyond the common settings; None leaves it to the encoder.

    ``max_rate``, ``min_rate`` and ``bufsize`` are as sent, in Mbit/s for libx264
    and kbit/s for the others (the documents' units): read them with
    ``max_rate_bps`` and its sisters. Which encoder knows which: ``MEANT_FOR``.
    """

    vprofile: Profile | None = None
    level: Annotated[Literal[30, 31, 40, 41, 42], BeforeValidator(as_whole)] | None = None
    coder: Flag | None = None
    flags2: Flags2 | None = None
    partitions: Partitions | None = None
    directpred: Annotated[Whole, Field(ge=0, le=3)] | None = None
    me_method: Literal["epzs", "hex", "umh", "full"] | None = None
    subq: Annotated[Whole, Field(ge=0, le=11)] | None = None
    trellis: Annotated[Whole, Field(ge=0, le=2)] | None = None
    refs: Annotated[Whole, Field(ge=0, le=16)] | None = None
    cmp: Compare | None = None
    me_range: Annotated[Whole, Field(ge=4, le=1023)] | None = None
    sc_threshold: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    i_qfactor: Annotated[Number, Field(ge=0.1, le=10)] | None = None
    b_strategy: Annotated[Whole, Field(ge=0, le=2)] | None = None
    qcomp: Annotated[Number, Field(ge=0, le=1)] | None = None
    qmin: Annotated[Whole, Field(ge=-1, le=69)] | None = None
    qmax: Annotated[Whole, Field(ge=-1, le=1024)] | None = None
    qdiff: Annotated[Whole, Field(ge=0, le=69)] | None = None
    max_rate: CodedRate | None = None
    min_rate: CodedRate | None = None
    bufsize: CodedRate | None = None
    sws_flags: Scaler | None = None
    preset: Annotated[Text, BeforeValidator(_preset)] | None = None
    flags: CodecFlags | None = None
    rc_lookahead: Annotated[Whole, Field(ge=0, le=250)] | None = None
    tune: Annotated[Whole, Field(ge=0, le=2)] | None = None
    aq_mode: Annotated[Whole, Field(ge=0, le=3)] | None = None
    film_grain: Flag | None = None
    fast_decode: Flag | None = None
    enable_dlf: Flag | None = None
    enable_restoration: Flag | None = None
    hierarchical_levels: Annotated[Whole, Field(ge=0, le=3)] | None = None
    pred_struct: Annotated[Whole, Field(ge=0, le=2)] | None = None

    def max_rate_bps(self, codec: VideoCodec) -> int | None:
        """The highest bitrate in bit/s; None where none is set."""
        return _in_bps(self.max_rate, codec)

    def min_rate_bps(self, codec: VideoCodec) -> int | None:
        """The lowest bitrate in bit/s; None where none is set."""
        return _in_bps(self.min_rate, codec)

    def bufsize_bps(self, codec: VideoCodec) -> int | None:
        """The size in bits of the buffer that the rates are kept over."""
        return _in_bps(self.bufsize, codec)

    @model_validator(mode="after")
    def _rates_agree(self) -> "CodecParameters":
        if self.max_rate is not None and self.bufsize is None:
            hint = "set bufsize: a rate is kept over a buffer"
            raise refuse("requires bufsize", hint, field="max_rate")
        if (
            self.max_rate is not None
            and self.min_rate is not None
            and (self.min_rate > self.max_rate)
        ):
            raise refuse("is more than max_rate", field="min_rate")
        if self.qmin is not None and self.qmax is not None and self.qmin > self.qmax >= 0:
            raise refuse("is more than qmax", field="qmin")
        return self

    def faults(self, codec: VideoCodec) -> Iterator[tuple[str, str, str]]:
        """The name, what is wrong and what to do, of each attribute that ``codec`` can't take."""
        for name in type(self).model_fields:
            if name not in self.model_fields_set:
                continue
            if name not in MEANT_FOR[codec]:
                takers = ", ".join(each for each, names in MEANT_FOR.items() if name in names)
                yield name, f"means nothing to {codec}", f"it is for {takers}"
            most = _MOST.get(codec, {}).get(name)
            if most is not None and getattr(self, name) > most:
                yield name, f"must be at most {most} with {codec}", ""
        if self.preset is not None and self.preset not in _PRESETS[codec]:
            known = _PRESETS[codec]
            choice = ", ".join(known) if not known[0].isdigit() else f"{known[0]} to {known[-1]}"
            yield "preset", f"{shown(self.preset)} is no preset of {codec}", f"use {choice}"
        for name in ("max_rate", "min_rate", "bufsize"):
            if (_in_bps(getattr(self, name), codec) or 0) > _FASTEST_BPS:
                unit = "Mbit/s" if codec == "libx264" else "kbit/s"
                yield name, "is more than any encoder takes", f"{codec} has it in {unit}"


def _in_bps(rate: float | None, codec: VideoCodec) -> int | None:
    if rate is None:
        return None
    return round(rate * (1_000_000 if codec == "libx264" else 1000))
