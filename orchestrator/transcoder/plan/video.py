"""An output's video in ffmpeg's words: its filters and its encoder."""

from fractions import Fraction

from orchestrator.query import Mp4, Stream, Webm
from orchestrator.transcoder.plan.geometry import Fit

#: What has a picture that is encoded.
Film = Mp4 | Webm | Stream

#: Measured on filmed 720p at CRF 23: "faster" takes 55% of the time of
#: "medium" and loses one point of VMAF (93.5, 94.5); "veryfast" loses four.
PRESET = "faster"

#: The encoders' own defaults, written down so that no build changes them.
DEFAULT_CRF = {"libx264": 23, "libx265": 28, "libvpx": 10, "libvpx-vp9": 31, "libsvtav1": 35}

_TURNS = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}


def picture_filters(film: Film, fit: Fit, source_rate: Fraction | None) -> str:
    """From the source's picture to the output's.

    A steady source is put on its exact grid, so that timestamps rounded by its
    container do not end up as jitter; one whose rate varies keeps its times.
    """
    rate = film.framerate or source_rate
    steps = [f"fps={rate.numerator}/{rate.denominator}"] if rate else []
    if film.rotate:
        steps.append(_TURNS[film.rotate])
    steps.append(fit.filters("pc" if film.pix_format.startswith("yuvj") else "tv"))
    steps.append(f"format={film.pix_format}")
    return ",".join(steps)


def video_options(
    film: Film, rate: Fraction, *, steady: bool, threads: int, crf: float | None = None
) -> tuple[str, ...]:
    """The options of a video stream; ``rate`` is the output's, ``crf`` one that was searched for."""
    return (
        *("-c:v", film.video_codec),
        *_speed(film),
        *_rate_control(film, crf),
        *_profile(film),
        *_keyframes(film, rate),
        *(("-color_range", "pc") if film.pix_format.startswith("yuvj") else ()),
        # hvc1 is what Apple's players look for.
        *(("-tag:v", "hvc1") if film.video_codec == "libx265" else ()),
        *("-fps_mode", "passthrough" if steady else "vfr"),
        *_x265_params(film, threads),
    )


def _x265_params(film: Film, threads: int) -> tuple[str, ...]:
    """What libx265 takes only as its own parameters: closed GOPs, threads, its silence."""
    if film.video_codec != "libx265":
        return ()
    pools = f":pools={threads}" if threads else ""
    return ("-x265-params", f"log-level=error:open-gop=0{pools}")


def _speed(film: Film) -> tuple[str, ...]:
    match film.video_codec:
        case "libx264" | "libx265":
            return ("-preset", PRESET)
        case "libsvtav1":
            return ("-preset", "8")
        case _:
            return ("-deadline", "good", "-cpu-used", "4", "-row-mt", "1")


def _rate_control(film: Film, found: float | None) -> tuple[str, ...]:
    if film.optimize_bitrate:
        # Quality and bitrate are ignored beside it, as the API has it.
        return ("-crf", f"{DEFAULT_CRF[film.video_codec] if found is None else found:g}")
    if film.bitrate is not None:
        return ("-b:v", f"{film.bitrate}k")
    crf = film.quality if film.quality is not None else DEFAULT_CRF[film.video_codec]
    if film.video_codec == "libvpx":
        # VP8 knows a constant quality only below a bitrate: one that never binds.
        return ("-crf", str(crf), "-b:v", "50M")
    if film.video_codec == "libvpx-vp9":
        return ("-crf", str(crf), "-b:v", "0")
    return ("-crf", str(crf))


def _profile(film: Film) -> tuple[str, ...]:
    """``main`` where it can hold the video; else the encoder takes one that can."""
    if film.video_codec not in ("libx264", "libx265"):
        return ()
    if film.profile is not None:
        return ("-profile:v", film.profile)
    beyond_main = "422" in film.pix_format or (film.video_codec == "libx264" and film.quality == 0)
    return () if beyond_main else ("-profile:v", "main")


def _keyframes(film: Film, rate: Fraction) -> tuple[str, ...]:
    longest = ("-g", str(film.keyframe.in_frames(rate)))
    if film.keyframe.seconds is None:
        return longest
    return (*longest, "-force_key_frames", f"expr:gte(t,n_forced*{film.keyframe.seconds:g})")
