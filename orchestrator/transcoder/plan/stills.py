"""Still images: single ones by a quick seek, rows of them with the videos' decode."""

from fractions import Fraction

from orchestrator.query import Thumbnail, Thumbnails
from orchestrator.transcoder.plan import images
from orchestrator.transcoder.plan.context import (
    FALLBACK_RATE,
    Context,
    Place,
    Wanted,
    steady_by_count,
)
from orchestrator.transcoder.plan.geometry import Fit, fit_image
from orchestrator.transcoder.plan.sprites import grid
from orchestrator.transcoder.plan.steps import Chain, Pass, Rendition
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

#: Seconds before a moment in which the last frame is taken where the quick seek
#: found none: behind a picture that ends early, or in a file without an index.
_LOOK_BACK = 15.0


def row(context: Context, place: Place[Thumbnails], video: VideoStream) -> Wanted:
    """Images all along the source, for the pass that decodes all of it."""
    asked = place.asked
    fit = fit_image(asked, video.display)
    probe = context.material.probe
    count = images.image_count(asked, probe.duration)
    if asked.sprite:
        _refuse_too_wide(place, fit)
    cells = images.cells(asked)
    options = images.image_options(cells, count or images.MOST_IMAGES)
    made = Rendition(
        tag=place.tag,
        kind="image",
        index=place.index,
        asked=asked,
        file=f"{place.tag}/{images.IMAGE_NAMES}.{cells.image_format}",
        picture=Chain(
            images.frames_apart(images.painted(fit, cells, video), asked.interval), options
        ),
        width=fit.width,
        height=fit.height,
        seconds=probe.picture_end,
        frames=count,
        certain=steady_by_count(video),
    )
    return Wanted(made)


def _refuse_too_wide(place: Place[Thumbnails], fit: Fit) -> None:
    try:
        grid(place.asked, fit.width, fit.height)
    except MediaError as error:
        raise MediaError(f"{place.tag}: {error}") from error


def still(context: Context, place: Place[Thumbnail], video: VideoStream) -> Pass:
    """One image: a quick seek, or a count where the rate varies."""
    asked = place.asked
    fit = fit_image(asked, video.display)
    paint = images.painted(fit, asked, video)
    if asked.frame_number is not None and not steady_by_count(video):
        counted = images.frame_numbered(paint, asked.frame_number)
        return Pass(
            (_image(place, fit, counted, 1),), context.material.read(0.0, None, sound=False)
        )
    at = _moment(context, place, video)
    near = context.material.read_near(at)
    quick = _image(place, fit, images.frame_shown(paint, near.lead), 1)
    # Each image replaces the one before, so the last one stays.
    last = _image(place, fit, paint, None)
    before = context.material.read_before(at, _LOOK_BACK)
    return Pass((quick,), near, otherwise=Pass((last,), before))


def _image(place: Place[Thumbnail], fit: Fit, filters: str, most: int | None) -> Rendition:
    return Rendition(
        tag=place.tag,
        kind="image",
        index=place.index,
        asked=place.asked,
        file=f"{place.tag}.{place.asked.image_format}",
        picture=Chain(filters, images.image_options(place.asked, most)),
        width=fit.width,
        height=fit.height,
        frames=1,
    )


def _moment(context: Context, place: Place[Thumbnail], video: VideoStream) -> float:
    """Seconds from the source's start; never behind its last frame."""
    asked, rate = place.asked, video.rate or FALLBACK_RATE
    at = asked.start_time or 0.0
    if asked.time is not None:
        at = asked.time * _length_for(context, place)
    elif asked.frame_number is not None:
        at = video.start + float((asked.frame_number + Fraction(1, 2)) / rate)
    end = context.material.probe.duration
    if end is None or at < end:
        return at
    if asked.time is None:
        context.warn(
            f"{place.tag} shows the source's last frame: {at:g} s lies behind its end at {end:g} s"
        )
    return max(0.0, end - float(1 / (2 * rate)))


def _length_for(context: Context, place: Place[Thumbnail]) -> float:
    if context.material.probe.duration is None:
        raise MediaError(
            f"{place.tag}: the source does not say how long it is, so a fraction of it is "
            "no moment; ask for a start_time"
        )
    return context.material.probe.duration
