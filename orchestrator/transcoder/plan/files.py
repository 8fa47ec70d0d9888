"""Video files: ``mp4`` outputs as renditions."""

from orchestrator.transcoder.plan.context import (
    FALLBACK_RATE,
    Context,
    Wanted,
    snapped,
    steady_by_count,
)
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import sound_chain
from orchestrator.transcoder.plan.steps import Chain, Rendition
from orchestrator.transcoder.plan.video import picture_filters, video_options
from orchestrator.transcoder.streams import VideoStream

_MP4 = ("-map_chapters", "-1", "-write_tmcd", "0", "-movflags", "+faststart", "-f", "mp4")


def video_file(context: Context, one: Sized, video: VideoStream) -> Wanted:
    """One video file, and the part of the source that it is made of."""
    place, mp4, fit = one.place, one.place.asked, one.fit
    steady = video.rate if video.constant else None
    rate = mp4.framerate or video.rate or FALLBACK_RATE
    seconds = context.seconds(place.tag, mp4.start_time, mp4.duration)
    options = video_options(
        mp4, rate, steady=bool(mp4.framerate or steady), threads=context.means.threads
    )
    made = Rendition(
        tag=place.tag,
        kind="video",
        index=place.index,
        asked=mp4,
        file=f"{place.tag}.{mp4.file_extension}",
        picture=Chain(picture_filters(mp4, fit, steady), options),
        sound=sound_chain(context, mp4) if context.material.probe.audio else None,
        options=_MP4,
        width=fit.width,
        height=fit.height,
        seconds=seconds,
        frames=max(1, round(seconds * rate)) if seconds else None,
        certain=steady_by_count(video),
    )
    return Wanted(made, snapped(mp4.start_time, video), mp4.duration, twice=mp4.two_pass)
