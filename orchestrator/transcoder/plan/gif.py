"""The ``gif`` output: moving pictures of 256 colours, which play for ever."""

from fractions import Fraction

from orchestrator.query import Gif
from orchestrator.transcoder.plan.context import Context, Wanted, snapped, steady_by_count
from orchestrator.transcoder.plan.geometry import Fit
from orchestrator.transcoder.plan.picture import gif_filters, output_rate
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.steps import Chain, Rendition
from orchestrator.transcoder.streams import VideoStream

#: A frame's time counts hundredths of a second, and players slow down those of
#: fewer than two.
_FASTEST = Fraction(50)
#: One palette for all frames needs all of them in memory at once: four bytes a
#: pixel. Longer ones get a palette for each frame.
_MOST_BYTES = 256 << 20
_PIXEL_BYTES = 4

_ONE_PALETTE = ("palettegen=stats_mode=full", "paletteuse=diff_mode=rectangle")
_A_PALETTE_EACH = ("palettegen=stats_mode=single", "paletteuse=new=1:diff_mode=rectangle")


def moving(context: Context, one: Sized, video: VideoStream) -> Wanted:
    """A moving GIF, and the part of the source that it is made of."""
    tag, asked, fit = one.place.tag, one.place.asked, one.fit
    if not isinstance(asked, Gif):
        raise TypeError(f"{tag} is no GIF")
    rate, steady = output_rate(asked, video)
    if rate > _FASTEST:
        context.warn(f"{tag}: a GIF shows at most {_FASTEST} frames a second: it has those")
        asked, rate, steady = _slowed(asked), _FASTEST, True
    seconds = context.seconds(tag, asked.start_time, asked.duration)
    frames = max(1, round(seconds * rate)) if seconds else None
    drawn = gif_filters(context, tag, asked, fit, video, asked.start_time)
    made = Rendition(
        tag=tag,
        kind="video",
        index=one.place.index,
        asked=one.place.asked,
        file=f"{tag}.gif",
        picture=Chain(
            _with_palette(drawn, tag, fit, frames),
            ("-c:v", "gif", "-fps_mode", "passthrough" if steady else "vfr"),
        ),
        options=("-loop", "0", "-f", "gif"),
        width=fit.width,
        height=fit.height,
        seconds=seconds,
        frames=frames,
        certain=steady_by_count(video),
    )
    return Wanted(made, snapped(asked.start_time, video), asked.duration)


def _slowed(asked: Gif) -> Gif:
    """The same GIF at the fastest rate."""
    return asked.model_copy(update={"framerate": _FASTEST})


def _with_palette(drawn: str, tag: str, fit: Fit, frames: int | None) -> str:
    """Two copies of the picture: one chooses the colours, the other is drawn with them."""
    size = fit.width * fit.height * _PIXEL_BYTES
    small = frames is not None and frames * size <= _MOST_BYTES
    choose, draw = _ONE_PALETTE if small else _A_PALETTE_EACH
    a, b, colours = f"{tag}-film", f"{tag}-seen", f"{tag}-palette"
    return f"{drawn},split[{a}][{b}];[{b}]{choose}[{colours}];[{a}][{colours}]{draw}"
