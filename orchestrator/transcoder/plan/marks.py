"""What a stream's marks say of its colours (ITU-T H.273), and SDR of what is HDR."""

from dataclasses import dataclass
from typing import Final

from orchestrator.transcoder.streams import VideoStream

#: Matrices that the scaler converts by itself, at no cost of its own.
BY_SCALER: Final = frozenset({"bt709", "fcc", "smpte170m", "bt470bg", "smpte240m", "bt2020nc"})
#: Lines from which on untagged video is taken for HD, as players do.
_HD_LINES = 720

#: The nominal white of SDR in nits: what is as bright as it stays as it is.
_WHITE = 100
#: Of what ffmpeg has, Mobius leaves what SDR can show as it was: a chart graded
#: for SDR came back from HDR10 within 14 of 255 per channel, with Hable within 30.
_TONE_MAPPING = "tonemap=mobius:desat=0"
_HDR_SIDE_DATA = (
    "MASTERING_DISPLAY_METADATA",
    "CONTENT_LIGHT_LEVEL",
    "DYNAMIC_HDR_PLUS",
    "DOVI_METADATA",
    "DOVI_RPU_BUFFER",
)


@dataclass(frozen=True, slots=True)
class Colours:
    """The four marks in ffmpeg's words; an empty one is not written.

    ``space`` is the matrix, ``trc`` the transfer curve.
    """

    space: str = ""
    range: str = "tv"
    trc: str = ""
    primaries: str = ""

    @property
    def marks(self) -> str:
        """The filter that marks frames so; encoders write what frames say."""
        return (
            f"setparams=range={self.range}:colorspace={self.space or 'unknown'}:"
            f"color_trc={self.trc or 'unknown'}:color_primaries={self.primaries or 'unknown'}"
        )


#: What is made of HDR, if nothing else is asked for.
SDR: Final = Colours("bt709", "tv", "bt709", "bt709")


def watchable(video: VideoStream) -> tuple[str, ...]:
    """The filters that make SDR of an HDR picture, in the limited range; none for any other."""
    if not video.hdr:
        return ()
    return tone_mapped(assumed(marked(video), video), SDR)


def untagged_matrix(video: VideoStream) -> str | None:
    """The matrix that players take a picture's for where it names none; None where it does."""
    return None if video.rgb or video.color_space else untagged(video)


def marked(video: VideoStream) -> Colours:
    """The source's own marks. RGB has no matrix to keep: it becomes BT.709's."""
    return Colours(
        space="bt709" if video.rgb else video.color_space,
        range="pc" if video.color_range == "pc" else "tv",
        trc=video.color_trc,
        primaries=video.color_primaries,
    )


def untagged(video: VideoStream) -> str:
    """The matrix that players take a picture without a mark for."""
    return "bt709" if video.height >= _HD_LINES else "smpte170m"


def assumed(source: Colours, video: VideoStream) -> Colours:
    """The source's colours, with what players take untagged video for."""
    space = source.space or untagged(video)
    wide = space.startswith("bt2020")
    named = {"bt470bg": "bt470bg", "smpte170m": "smpte170m", "smpte240m": "smpte240m"}
    return Colours(
        space,
        source.range,
        source.trc or "bt709",
        source.primaries or ("bt2020" if wide else named.get(space, "bt709")),
    )


def tone_mapped(source: Colours, to: Colours) -> tuple[str, ...]:
    """The filters from a HDR picture, in the range of ``to``, to SDR."""
    removed = tuple(f"sidedata=mode=delete:type={each}" for each in _HDR_SIDE_DATA)
    return (
        (
            f"zscale=min={source.space}:tin={source.trc}:pin={source.primaries}:rin={to.range}:"
            f"t=linear:npl={_WHITE}"
        ),
        "format=gbrpf32le",
        f"zscale=p={to.primaries}",
        _TONE_MAPPING,
        f"zscale=t={to.trc}:m={to.space}:p={to.primaries}:r={to.range}:dither=ordered",
        *removed,
    )
