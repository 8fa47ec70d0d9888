"""Several sources as one film: the beginning of a filter graph that joins them.

Sources differ in size, rate, colours and sound. The first one sets the frame and
the rate (the documents); the others are scaled into that frame with bars, put on
its rate and into its colours, and given silence where they have no sound. Where
some are HDR and others are not, or not in the same way, all become SDR.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from orchestrator.transcoder.plan.channels import LAYOUTS, mixed
from orchestrator.transcoder.plan.marks import BY_SCALER, SDR, marked, untagged, watchable
from orchestrator.transcoder.plan.steps import Input, Reading
from orchestrator.transcoder.ports import SourceFile
from orchestrator.transcoder.streams import Probe, VideoStream

_FALLBACK_RATE = Fraction(25)
#: What all sound is turned into before it is joined, in one layout.
_SOUND = "aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts="


def joined(
    files: Sequence[SourceFile],
    probes: Sequence[Probe],
    start: float,
    duration: float | None,
    *,
    sound: bool,
    picture: bool,
) -> Reading:
    """How a pass reads the sources as one, from ``start`` on for ``duration`` seconds."""
    film = joined_picture(probes)
    picture = picture and film is not None
    sound = sound and any(probe.audio for probe in probes)
    layout = LAYOUTS[joined_channels(probes)]
    parts: list[str] = []
    pads = ""
    for number, (file, probe) in enumerate(zip(files, probes, strict=True)):
        length = _length(file, probe)
        if picture and film is not None:
            parts.append(_picture(number, probe, film, length))
            pads += f"[jv{number}]"
        if sound:
            parts.append(_sound(number, probe, length, layout))
            pads += f"[ja{number}]"
    ends = ("[jv]" if picture else "") + ("[ja]" if sound else "")
    parts.append(f"{pads}concat=n={len(files)}:v={int(picture)}:a={int(sound)}{ends}")
    v, a = "jv", "ja"
    if start or duration is not None:
        window = f"start={start:.6f}" + ("" if duration is None else f":duration={duration:.6f}")
        if picture:
            parts.append(f"[jv]trim={window},setpts=PTS-STARTPTS[jvw]")
            v = "jvw"
        if sound:
            parts.append(f"[ja]atrim={window},asetpts=PTS-STARTPTS[jaw]")
            a = "jaw"
    return Reading(
        tuple(Input(file.path, file.start, file.duration) for file in files),
        picture=v if picture else None,
        sounds=(a,) if sound else (),
        head=";".join(parts),
    )


def joined_channels(probes: Sequence[Probe]) -> int:
    """How many channels the joined sound has: as many as the source with the most, 2 to 8."""
    most = max((probe.audio[0].channels for probe in probes if probe.audio), default=2)
    return min(max(2, most), max(LAYOUTS))


def joined_picture(probes: Sequence[Probe]) -> VideoStream | None:
    """The first source's picture, with the colours and the fields of the joined one."""
    videos = [probe.video[0] for probe in probes if probe.video]
    if not videos:
        return None
    first, curves = videos[0], {each.color_trc if each.hdr else "" for each in videos}
    colours = marked(first) if len(curves) == 1 else SDR
    fields = [each.field_order for each in videos if each.field_order != "progressive"]
    return replace(
        first,
        pix_fmt="yuv420p",
        color_space=colours.space,
        color_range=colours.range,
        color_trc=colours.trc,
        color_primaries=colours.primaries,
        field_order=fields[0] if fields else "progressive",
    )


def framed(video: VideoStream, film: VideoStream) -> str:
    """The filters from a source's picture into the film's frame and colours.

    It gets bars where it has another shape.
    """
    return ",".join(_framed(video, film))


def _framed(video: VideoStream, film: VideoStream) -> Iterator[str]:
    width, height = _even(film)
    if video.field_order != "progressive" and video.display != film.display:
        # Scaled lines can't be told apart as fields any more.
        yield "bwdif=mode=send_frame:deint=interlaced"
    to_sdr = watchable(video) if not film.hdr else ()
    matrices = "" if to_sdr else _matrices(video, film)
    out_range = "tv" if to_sdr else film.color_range
    yield (
        f"scale={width}:{height}:force_original_aspect_ratio=decrease:reset_sar=1:"
        f"out_range={out_range}{matrices}"
    )
    yield f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1"
    yield from to_sdr
    yield "format=yuv420p"
    yield marked(film).marks


def _matrices(video: VideoStream, film: VideoStream) -> str:
    """The scaler's options where the source's matrix is not the film's."""
    here = None if video.rgb else video.color_space or untagged(video)
    there = film.color_space or untagged(film)
    if here == there or not {here or there, there} <= BY_SCALER:
        return ""
    come = f":in_color_matrix={here}" if here else ""
    return f"{come}:out_color_matrix={there}"


def _even(film: VideoStream) -> tuple[int, int]:
    width, height = (max(2, round(side / 2) * 2) for side in film.display)
    return width, height


def _length(file: SourceFile, probe: Probe) -> float:
    left = (probe.duration or 0.0) - file.start
    return left if file.duration is None else min(left, file.duration)


def _picture(number: int, probe: Probe, film: VideoStream, length: float) -> str:
    width, height = _even(film)
    rate = film.rate or _FALLBACK_RATE
    steady = f"fps={rate.numerator}/{rate.denominator}"
    if not probe.video:
        black = f"color=black:s={width}x{height}:r={rate.numerator}/{rate.denominator}"
        ranged = f"scale=out_range={film.color_range},format=yuv420p,{marked(film).marks}"
        return f"{black}:d={length:.6f},setsar=1,{ranged}[jv{number}]"
    video = probe.video[0]
    return (
        f"[{number}:{video.index}]setpts=PTS-STARTPTS,{steady},{framed(video, film)},"
        f"tpad=stop_mode=clone:stop_duration={length:.6f},trim=duration={length:.6f}"
        f"[jv{number}]"
    )


def _sound(number: int, probe: Probe, length: float, layout: str) -> str:
    if not probe.audio:
        silence = f"anullsrc=r=48000:cl={layout},atrim=duration={length:.6f}"
        return f"{silence},{_SOUND}{layout}[ja{number}]"
    heard = probe.audio[0]
    # Mono is on both sides, as where no source has more than two channels.
    placed = mixed(heard, min(max(2, heard.channels), max(LAYOUTS)))
    return (
        f"[{number}:{heard.index}]aresample=async=1:first_pts=0,"
        f"{placed},{_SOUND}{layout},"
        f"apad=whole_dur={length:.6f},atrim=duration={length:.6f}[ja{number}]"
    )
