"""The parts that streaming outputs are packaged of: one file a picture, one a sound.

Pictures have a keyframe at each segment's beginning, so that all renditions are
cut at the same moments.
"""

import math
from dataclasses import replace
from fractions import Fraction

from orchestrator.query import WebmDash
from orchestrator.query.outputs import Stream
from orchestrator.query.sound import Sound
from orchestrator.transcoder.plan.codecs import in_two_passes
from orchestrator.transcoder.plan.context import FALLBACK_RATE, Context, Place, Wanted, snapped
from orchestrator.transcoder.plan.files import picture
from orchestrator.transcoder.plan.packings import packing
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import sound_chain
from orchestrator.transcoder.plan.steps import Ladder, Rendition
from orchestrator.transcoder.plan.subtitles import captioned
from orchestrator.transcoder.streams import VideoStream

#: Parts are read again by the packager alone: nothing is moved to their front.
_OPTIONS = {"mp4": ("-map_chapters", "-1", "-write_tmcd", "0", "-f", "mp4"), "webm": ("-f", "webm")}

#: Seconds by which a frame's time, as a floating number, may lie before a moment and be at it.
_SLACK = 1e-6


def picture_part(context: Context, place: Place[Ladder], one: Sized) -> Wanted:
    """The picture of one of the output's streams."""
    asked, stream, video = place.asked, one.place.asked, context.material.picture()
    made = picture(context, one, video, asked.start_time, asked.duration)
    if made.picture is None or not isinstance(stream, Stream):
        raise TypeError(f"{one.place.tag} is no stream")
    if stream.tag_video is not None and packing(asked).segments == "ts":
        context.warn(f"{made.tag}: tag_video has no effect: TS segments have names of their own")
    options = (*made.picture.options, *_keyframes(stream, asked.segment_duration, video))
    chain = replace(made.picture, options=options)
    made = replace(
        made,
        picture=captioned(context, made.tag, stream.video_codec, chain, asked),
        file=f"{one.place.tag}.{_form(asked)}",
        options=_OPTIONS[_form(asked)],
        part=True,
    )
    return Wanted(
        made, snapped(asked.start_time, video), asked.duration, twice=in_two_passes(stream)
    )


def sound_part(
    context: Context, place: Place[Ladder], tag: str, wish: Sound, *, told: bool, track: int = 0
) -> Wanted:
    """A sound of the output, of one of the source's tracks."""
    asked, video = place.asked, context.material.probe.video
    made = Rendition(
        tag=tag,
        kind="audio",
        index=place.index,
        asked=asked,
        file=f"{tag}.{_form(asked)}",
        sound=sound_chain(context, wish, track),
        track=track,
        options=_OPTIONS[_form(asked)],
        seconds=context.heard(tag, asked.start_time, asked.duration, track),
        part=True,
        told=told,
    )
    start = snapped(asked.start_time, video[0]) if video else asked.start_time
    return Wanted(made, start, asked.duration)


def _form(asked: Ladder) -> str:
    return "webm" if isinstance(asked, WebmDash) else "mp4"


def _keyframes(stream: Stream, segment: int, video: VideoStream) -> tuple[str, ...]:
    """Keyframes at segments' beginnings, and each so many seconds where the stream wants them."""
    asked = stream.keyframe.seconds
    if asked is None:
        return ("-force_key_frames", f"expr:gte(t,n_forced*{segment}-{_SLACK:f})")
    # The encoder's own distance must not end just before a forced one.
    longest = math.ceil(Fraction(str(asked)) * (stream.framerate or video.rate or FALLBACK_RATE))
    if (Fraction(segment) / Fraction(str(asked))).denominator == 1:
        where = f"expr:gte(t,n_forced*{asked}-{_SLACK:f})"
    else:
        nexts = (
            f"{each}*(floor((prev_forced_t+{_SLACK:f})/{each})+1)" for each in (segment, asked)
        )
        where = f"expr:isnan(prev_forced_t)+gte(t,min({','.join(nexts)})-{_SLACK:f})"
    return ("-g", str(longest), "-force_key_frames", where)
