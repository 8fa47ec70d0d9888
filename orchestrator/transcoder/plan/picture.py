"""What is done to a picture between the source and an output's encoder.

The order matters: fields are joined before anything mixes their lines, the
picture is made smaller before its colours are worked on, and logos are drawn
in the output's own pixels and colours.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from orchestrator.query import Gif, Logo, Mp4, Stream, Webm
from orchestrator.transcoder.plan.colours import Conversion, conversion, scaler_matrix
from orchestrator.transcoder.plan.context import FALLBACK_RATE, Context, snapped
from orchestrator.transcoder.plan.geometry import Fit
from orchestrator.transcoder.plan.logo import laid_over
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

_TURNS = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}

#: The encoders that know four to two chroma samples.
_WITH_422 = ("libx264", "libx265", "libvpx-vp9")
#: What the documents call pixel formats of full range: the range is a mark by itself.
_PLAIN = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p"}


def output_rate(asked: Mp4 | Webm | Stream | Gif, video: VideoStream) -> tuple[Fraction, bool]:
    """The output's frames per second, and whether they are evenly spaced.

    A steady source is put on its exact grid, so that timestamps rounded by its
    container do not end up as jitter; one whose rate varies keeps its times.
    """
    if asked.framerate is not None:
        return asked.framerate, True
    rate = video.rate or FALLBACK_RATE
    limit = asked.framerate_limit
    if limit is not None and rate > limit:
        return limit, True
    return rate, bool(video.constant and video.rate)


def film_filters(
    context: Context,
    tag: str,
    film: Mp4 | Webm | Stream,
    fit: Fit,
    video: VideoStream,
    start: float,
) -> str:
    """From the source's picture, read from ``start`` on, to a video's.

    Raises ``MediaError`` for colours or logos that can't be had.
    """
    if "422" in film.pix_format and film.video_codec not in _WITH_422:
        raise MediaError(
            f"{tag}: pix_format: {film.video_codec} knows 4:2:0 alone, so no {film.pix_format}"
        )
    become = conversion(context, tag, film, video)
    scaler = film.video_codec_parameters and film.video_codec_parameters.sws_flags
    plain = _PLAIN.get(film.pix_format, film.pix_format)
    steps = [
        *_framed(context, tag, film, fit, video, become, f":flags={scaler}" if scaler else ""),
        f"format={plain}",
    ]
    if film.logo:
        matrix = scaler_matrix(become.to, video)
        if matrix is None:
            raise MediaError(f"{tag}: logo: none can be drawn with color_space {become.to.space}")
        drawn = laid_over(
            _opened(context, tag, film.logo),
            tag,
            pixels=plain.removesuffix("p"),
            colours=f"out_color_matrix={matrix}:out_range={become.to.range}",
            marks=become.to.marks,
            lead=_lead(context, video, start),
        )
        steps += [become.to.marks, drawn]
    return ",".join((*steps, become.to.marks))


def gif_filters(
    context: Context, tag: str, gif: Gif, fit: Fit, video: VideoStream, start: float
) -> str:
    """From the source's picture, read from ``start`` on, to what a GIF's palette is made of."""
    steps = list(_framed(context, tag, gif, fit, video, conversion(context, tag, gif, video), ""))
    if gif.logo:
        lead = _lead(context, video, start)
        logos = _opened(context, tag, gif.logo)
        drawn = laid_over(logos, tag, pixels="rgb", colours="", marks="", lead=lead)
        steps += ["format=rgba", drawn]
    return ",".join(steps)


def _framed(
    context: Context,
    tag: str,
    asked: Mp4 | Webm | Stream | Gif,
    fit: Fit,
    video: VideoStream,
    become: Conversion,
    scaler: str,
) -> Iterator[str]:
    """Joined, timed, turned, scaled and coloured."""
    if asked.deinterlace:
        if video.field_order == "progressive":
            context.warn(f"{tag}: deinterlace changes nothing: the source is not interlaced")
        # Frames say by themselves whether they are of two fields; others pass untouched.
        yield "bwdif=mode=send_frame:deint=interlaced"
    rate, steady = output_rate(asked, video)
    if steady:
        yield f"fps={rate.numerator}/{rate.denominator}"
    if asked.rotate:
        yield _TURNS[asked.rotate]
    yield fit.filters(become.to.range, scaler + become.scaling)
    yield from become.filters


def _lead(context: Context, video: VideoStream, start: float) -> float:
    """The second of a pass at which the output begins, where it is read from ``start`` on."""
    return context.material.read(snapped(start, video), None, sound=False).lead


def _opened(context: Context, tag: str, logos: tuple[Logo, ...]) -> tuple[tuple[Logo, Path], ...]:
    return tuple((logo, context.asset(logo.source, f"{tag}: logo")) for logo in logos)
