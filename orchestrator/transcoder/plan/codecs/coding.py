"""The options of a video stream, whichever encoder it has."""

from collections.abc import Callable
from fractions import Fraction

from orchestrator.query import Stream, Webm
from orchestrator.query.outputs.streaming import WebmStream
from orchestrator.transcoder.plan.codecs import svtav1, vpx, x264, x265
from orchestrator.transcoder.plan.codecs.common import Coding, Film, Task
from orchestrator.transcoder.ports import MediaError

_ENCODERS: dict[str, tuple[Callable[[Task], Coding], str]] = {
    "libx264": (x264.coding, "-x264-params"),
    "libx265": (x265.coding, "-x265-params"),
    "libvpx": (vpx.coding, ""),
    "libvpx-vp9": (vpx.coding, ""),
    "libsvtav1": (svtav1.coding, "-svtav1-params"),
}

#: What an mp4 may call a stream (ISO/IEC 14496-15; the AV1 binding): by any other name
#: nobody would know it.
_TAGS = {"libx264": ("avc1", "avc3"), "libx265": ("hvc1", "hev1"), "libsvtav1": ("av01",)}


def video_options(
    film: Film,
    rate: Fraction,
    *,
    steady: bool,
    threads: int,
    warn: Callable[[str], None],
    crf: float | None = None,
) -> tuple[str, ...]:
    """The options of a video stream; ``rate`` is the output's in frames per second.

    ``threads`` limits the encoder (0: it decides). ``crf`` is a rate factor that
    was searched for. ``warn`` is told of what was asked and has no effect. Raises
    ``MediaError`` for a ``tag_video`` that is another codec's.
    """
    coding, option = _ENCODERS[film.video_codec]
    told = coding(Task(film, threads, cut=isinstance(film, Stream), searched=crf))
    for text in told.warnings:
        warn(text)
    own = ":".join(f"{name}={_safe(value)}" for name, value in told.own.items())
    return (
        *("-c:v", film.video_codec),
        *told.options,
        *((option, own) if own else ()),
        *_keyframes(film, rate),
        *_flags(film),
        *_tag(film, warn),
        *("-fps_mode", "passthrough" if steady else "vfr"),
    )


def in_two_passes(film: Film) -> bool:
    """Whether it is encoded twice: SVT-AV1 has no first pass that ffmpeg could keep."""
    return film.two_pass and film.video_codec != "libsvtav1"


def _safe(value: object) -> str:
    """A value that holds no separator of the list it goes into."""
    return str(value).replace(":", "\\:")


def _keyframes(film: Film, rate: Fraction) -> tuple[str, ...]:
    longest = ("-g", str(film.keyframe.in_frames(rate)))
    if film.keyframe.seconds is None:
        return longest
    return (*longest, "-force_key_frames", f"expr:gte(t,n_forced*{film.keyframe.seconds:g})")


def _flags(film: Film) -> tuple[str, ...]:
    """Flags that ffmpeg itself heeds, whatever the encoder."""
    given = film.video_codec_parameters
    return ("-flags:v", "+bitexact") if given and "+bitexact" in (given.flags or ()) else ()


def _tag(film: Film, warn: Callable[[str], None]) -> tuple[str, ...]:
    """The four characters by which an mp4 names what is in a stream."""
    if isinstance(film, Webm | WebmStream):
        if film.tag_video is not None:
            warn("tag_video has no effect: WebM has names of its own")
        return ()
    if film.tag_video is not None:
        known = _TAGS[film.video_codec]
        if film.tag_video not in known:
            told = f"tag_video: {film.tag_video} names no stream of {film.video_codec}"
            raise MediaError(f"{told}: use {' or '.join(known)}")
        return ("-tag:v", film.tag_video)
    # hvc1 is what Apple's players look for.
    return ("-tag:v", "hvc1") if film.video_codec == "libx265" else ()
