"""Files of picture and sound: ``mp4``, ``webm``, ``mp3`` and ``flac`` outputs as renditions."""

from dataclasses import replace

from orchestrator.query import Flac, Gif, Mp3, Mp4, Webm
from orchestrator.transcoder.plan.codecs import in_two_passes, video_options
from orchestrator.transcoder.plan.context import Context, Place, Wanted, snapped, steady_by_count
from orchestrator.transcoder.plan.picture import film_filters, output_rate
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import sound_chain
from orchestrator.transcoder.plan.spherical import spherical_boxes
from orchestrator.transcoder.plan.steps import Chain, Rendition
from orchestrator.transcoder.plan.subtitles import captioned, muxed, texts_of
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

_PLAIN: tuple[str, ...] = ("-map_chapters", "-1")
_MP4 = (*_PLAIN, "-write_tmcd", "0", "-movflags", "+faststart", "-f", "mp4")
_WEBM = (*_PLAIN, "-f", "webm")


def video_file(context: Context, one: Sized, video: VideoStream) -> Wanted:
    """One video file, and the part of the source that it is made of."""
    asked = one.place.asked
    if not isinstance(asked, Mp4 | Webm):
        raise TypeError(f"{one.place.tag} is no file of its own")
    made = picture(context, one, video, asked.start_time, asked.duration)
    if isinstance(asked, Mp4):
        boxes = spherical_boxes(context, made.tag, asked, video)
        file = f"{made.tag}.{asked.file_extension}"
        made = replace(made, file=file, options=_MP4, boxes=boxes)
    else:
        made = replace(made, file=f"{made.tag}.webm", options=_WEBM)
    if context.material.probe.audio:
        made = replace(made, sound=sound_chain(context, asked))
    if made.picture is not None:
        chain = captioned(context, made.tag, asked.video_codec, made.picture, asked)
        made = replace(made, picture=chain)
    start = snapped(asked.start_time, video)
    length = context.seconds(made.tag, asked.start_time, asked.duration)
    texts = texts_of(context, made.tag, made.index, asked, asked.start_time, length)
    made = muxed(made, texts, "mov_text" if isinstance(asked, Mp4) else "webvtt")
    return Wanted(made, start, asked.duration, twice=in_two_passes(asked))


def picture(
    context: Context, one: Sized, video: VideoStream, start: float, duration: float | None
) -> Rendition:
    """The picture of an output or a stream; the file's name and options are to be set."""
    tag, asked, fit = one.place.tag, one.place.asked, one.fit
    if isinstance(asked, Gif):
        raise TypeError(f"{tag} is no video of an encoder's")
    rate, steady = output_rate(asked, video)
    seconds = context.seconds(tag, start, duration)
    options = video_options(
        asked,
        rate,
        steady=steady,
        threads=context.means.threads,
        warn=lambda text: context.warn(f"{tag}: {text}"),
        crf=context.means.crfs.get(tag),
    )
    return Rendition(
        tag=tag,
        kind="video",
        index=one.place.index,
        asked=asked,
        file="",
        picture=Chain(film_filters(context, tag, asked, fit, video, start), options),
        width=fit.width,
        height=fit.height,
        seconds=seconds,
        frames=max(1, round(seconds * rate)) if seconds else None,
        certain=steady_by_count(video),
    )


def sound_file(context: Context, place: Place[Mp3 | Flac]) -> Wanted:
    """One file of sound alone."""
    asked = place.asked
    if not context.material.probe.audio:
        raise MediaError(f"{place.tag}: the source has no sound")
    made = Rendition(
        tag=place.tag,
        kind="audio",
        index=place.index,
        asked=asked,
        file=f"{place.tag}.{asked.output}",
        sound=sound_chain(context, asked),
        options=(*_PLAIN, "-f", asked.output),
        seconds=context.heard(place.tag, asked.start_time, asked.duration),
    )
    return Wanted(made, asked.start_time, asked.duration)
