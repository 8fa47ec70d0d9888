"""Which videos of a query are made, and how large: the documents' rule for upscaling.

Without ``upscale``, no output or stream is made that has more lines than the
source. If all have, the first one is made at the source's size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.query import Gif, Mp4, Stream, Webm
from orchestrator.transcoder.plan.context import Context, Place
from orchestrator.transcoder.plan.geometry import Fit, fit_video, taller
from orchestrator.transcoder.streams import VideoStream


@dataclass(frozen=True, slots=True)
class Sized:
    """A video that is made, and its frame."""

    place: Place[Mp4 | Webm | Gif | Stream]
    fit: Fit


def sized(
    context: Context, places: Sequence[Place[Mp4 | Webm | Gif | Stream]], video: VideoStream
) -> tuple[tuple[Sized, ...], tuple[str, ...]]:
    """The videos that are made, in their order, and the tags of those left out."""
    upscale = context.query.upscale
    found = [
        Sized(place, fit_video(place.asked, video.display, upscale=upscale)) for place in places
    ]
    if upscale:
        return tuple(found), ()
    fitting = [one for one in found if not taller(one.fit, one.place.asked, video.display)]
    if found and not fitting:
        first = found[0]
        own = fit_video(first.place.asked, video.display, upscale=False, own_size=True)
        _warn(context, first, f"was made at the source's size, {own.width}x{own.height}")
        fitting = [Sized(first.place, own)]
    kept = {one.place.tag for one in fitting}
    left_out = [one for one in found if one.place.tag not in kept]
    for one in left_out:
        _warn(context, one, "was left out")
    return tuple(fitting), tuple(one.place.tag for one in left_out)


def _warn(context: Context, one: Sized, what: str) -> None:
    context.warn(
        f"{one.place.tag} {what}: {one.fit.width}x{one.fit.height} has more lines than the source "
        "(upscale=1 makes it all the same)"
    )
