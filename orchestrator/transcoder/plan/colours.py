"""Which colours an output has, and the filters that turn the source's into them.

A stream says by four marks how its numbers are colours: matrix (``color_space``),
range, transfer curve and primaries (ITU-T H.273). Marks alone change what players
show, so wherever a mark differs from the source's the pixels are converted too.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.query import Gif, Mp4, Stream, Webm
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.marks import (
    BY_SCALER,
    Colours,
    assumed,
    marked,
    tone_mapped,
    untagged,
)
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import HDR_CURVES, VideoStream

#: What has colours that a query sets.
_Coloured = Mp4 | Webm | Stream

#: The documents' names, where ffmpeg's are others.
_SPACES: Final = {
    "rgb": "gbr",
    "ycocg": "ycgco",
    "bt2020_ncl": "bt2020nc",
    "bt2020_cl": "bt2020c",
}
_RANGES: Final = {"mpeg": "tv", "jpeg": "pc"}
_CURVES: Final = {
    "gamma22": "bt470m",
    "gamma28": "bt470bg",
    "log": "log100",
    "log_sqrt": "log316",
    "iec61966_2_4": "iec61966-2-4",
    "bt1361": "bt1361e",
    "iec61966_2_1": "iec61966-2-1",
    "bt2020_10bit": "bt2020-10",
    "bt2020_12bit": "bt2020-12",
}

#: Nothing here converts to or from these.
_FIXED: Final = frozenset({"gbr", "smpte2085", "bt1361e", "smpte428"})


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the source's colours to ``to``: options of the scaler, then filters."""

    to: Colours
    scaling: str = ""
    filters: tuple[str, ...] = ()


def conversion(
    context: Context, tag: str, asked: _Coloured | Gif, video: VideoStream
) -> Conversion:
    """How an output gets its colours.

    Raises ``MediaError`` for colours that nothing here can convert to. Warns
    where ``hdr_to_sdr`` has nothing to do, and where HDR is kept in 8 bits.
    """
    source = marked(video)
    # A GIF has no marks: all that it can show is SDR.
    to_sdr = video.hdr and (asked.hdr_to_sdr or isinstance(asked, Gif))
    if context.material.mixes_hdr:
        if not asked.hdr_to_sdr:
            context.warn(f"{tag}: some sources are HDR and others are not, so all became SDR")
    elif asked.hdr_to_sdr and not video.hdr:
        context.warn(f"{tag}: hdr_to_sdr changes nothing: the source is not HDR (PQ or HLG)")
    elif video.hdr and not to_sdr:
        context.warn(
            f"{tag}: the source is HDR and is kept so, in 8 bits, where banding may show; "
            "hdr_to_sdr=1 makes SDR of it"
        )
    base = Colours("bt709", source.range, "bt709", "bt709") if to_sdr else source
    to = _wanted(asked, base) if not isinstance(asked, Gif) else base
    if to_sdr:
        if to.trc in HDR_CURVES:
            raise MediaError(f"{tag}: color_trc {to.trc} is HDR, which hdr_to_sdr removes")
        return Conversion(to, filters=tone_mapped(assumed(source, video), to))
    return _converted(tag, assumed(source, video), to, video)


def scaler_matrix(colours: Colours, video: VideoStream) -> str | None:
    """The matrix that the scaler turns RGB into for these colours; None for one it doesn't know."""
    space = colours.space or untagged(video)
    return space if space in BY_SCALER else None


def _wanted(asked: _Coloured, base: Colours) -> Colours:
    full = asked.pix_format.startswith("yuvj")
    ranged = {None: "pc" if full else "tv", "keep": base.range}
    return Colours(
        space=_named(asked.color_space, base.space, _SPACES),
        range=ranged.get(asked.color_range) or _named(asked.color_range, "tv", _RANGES),
        trc=_named(asked.color_trc, base.trc, _CURVES),
        primaries=_named(asked.color_primaries, base.primaries, {}),
    )


def _named(asked: str | None, kept: str, names: dict[str, str]) -> str:
    return kept if asked in (None, "keep") else names.get(asked or "", asked or "")


def _converted(tag: str, source: Colours, to: Colours, video: VideoStream) -> Conversion:
    known = Colours(
        to.space or source.space, to.range, to.trc or source.trc, to.primaries or source.primaries
    )
    matrix = "out_color_matrix=bt709" if video.rgb else ""
    curve = _curve(source.trc) != _curve(known.trc)
    gamut = source.primaries != known.primaries
    recoded = _alike(source.space) != _alike(known.space)
    if not (curve or gamut or recoded):
        return Conversion(to, scaling=f":{matrix}" if matrix else "")
    _refuse_fixed(tag, source, known)
    if not (curve or gamut) and {source.space, known.space} <= BY_SCALER:
        # RGB has no matrix to come from.
        come = "" if video.rgb else f":in_color_matrix={source.space}"
        return Conversion(to, scaling=f"{come}:out_color_matrix={known.space}")
    scaling = f":{matrix}" if matrix else ""
    return Conversion(to, scaling, (_zscale(source, known),))


def _refuse_fixed(tag: str, source: Colours, to: Colours) -> None:
    for name, before, after in (
        ("color_space", source.space, to.space),
        ("color_trc", source.trc, to.trc),
    ):
        if before != after and {before, after} & _FIXED:
            raise MediaError(
                f"{tag}: {name}: nothing here converts colours from {before} to {after}; "
                "leave it out, or set it to 1 to keep the source's"
            )


def _alike(space: str) -> str:
    """BT.601's matrix has two names, for its two television systems."""
    return "smpte170m" if space == "bt470bg" else space


def _curve(trc: str) -> str:
    """The curves of BT.601, BT.709 and BT.2020 are one."""
    return "bt709" if trc in ("smpte170m", "bt2020-10", "bt2020-12") else trc


def _zscale(source: Colours, to: Colours) -> str:
    return (
        f"zscale=min={source.space}:tin={source.trc}:pin={source.primaries}:rin={to.range}:"
        f"m={to.space}:t={to.trc}:p={to.primaries}:r={to.range}:dither=ordered"
    )
