"""An output's video in ffmpeg's words: its filters and its encoder."""

from fractions import Fraction

from orchestrator.query import Mp4
from orchestrator.transcoder.plan.geometry import Fit

#: Measured on filmed 720p at CRF 23: "faster" takes 55% of the time of
#: "medium" and loses one point of VMAF (93.5, 94.5); "veryfast" loses four.
PRESET = "faster"

#: The encoders' own defaults, written down so that no build changes them.
_DEFAULT_CRF = {"libx264": 23, "libx265": 28}

_TURNS = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}


def picture_filters(mp4: Mp4, fit: Fit, source_rate: Fraction | None) -> str:
    """From the source's picture to the output's.

    A steady source is put on its exact grid, so that timestamps rounded by its
    container do not end up as jitter; one whose rate varies keeps its times.
    """
    rate = mp4.framerate or source_rate
    steps = [f"fps={rate.numerator}/{rate.denominator}"] if rate else []
    if mp4.rotate:
        steps.append(_TURNS[mp4.rotate])
    steps.append(fit.filters("pc" if mp4.pix_format.startswith("yuvj") else "tv"))
    steps.append(f"format={mp4.pix_format}")
    return ",".join(steps)


def video_options(mp4: Mp4, rate: Fraction, *, steady: bool, threads: int) -> tuple[str, ...]:
    """The options of a video stream; ``rate`` is the output's."""
    return (
        *("-c:v", mp4.video_codec, "-preset", PRESET),
        *_rate_control(mp4),
        *_profile(mp4),
        *_keyframes(mp4, rate),
        *(("-color_range", "pc") if mp4.pix_format.startswith("yuvj") else ()),
        # hvc1 is what Apple's players look for.
        *(("-tag:v", "hvc1") if mp4.video_codec == "libx265" else ()),
        *("-fps_mode", "passthrough" if steady else "vfr"),
        *_x265_params(mp4, threads),
    )


def _x265_params(mp4: Mp4, threads: int) -> tuple[str, ...]:
    """What libx265 takes only as its own parameters: closed GOPs, threads, its silence."""
    if mp4.video_codec != "libx265":
        return ()
    pools = f":pools={threads}" if threads else ""
    return ("-x265-params", f"log-level=error:open-gop=0{pools}")


def _rate_control(mp4: Mp4) -> tuple[str, ...]:
    if mp4.bitrate is not None:
        return ("-b:v", f"{mp4.bitrate}k")
    crf = mp4.quality if mp4.quality is not None else _DEFAULT_CRF[mp4.video_codec]
    return ("-crf", str(crf))


def _profile(mp4: Mp4) -> tuple[str, ...]:
    """``main`` where it can hold the video; else the encoder takes one that can."""
    if mp4.profile is not None:
        return ("-profile:v", mp4.profile)
    beyond_main = "422" in mp4.pix_format or (mp4.video_codec == "libx264" and mp4.quality == 0)
    return () if beyond_main else ("-profile:v", "main")


def _keyframes(mp4: Mp4, rate: Fraction) -> tuple[str, ...]:
    longest = ("-g", str(mp4.keyframe.in_frames(rate)))
    if mp4.keyframe.seconds is None:
        return longest
    return (*longest, "-force_key_frames", f"expr:gte(t,n_forced*{mp4.keyframe.seconds:g})")
