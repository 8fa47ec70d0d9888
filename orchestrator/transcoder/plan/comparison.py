"""VMAF in ffmpeg's words: a reference and a distorted video, brought to one frame and one rate.

Netflix's practice (https://github.com/Netflix/vmaf, its FAQ): the distorted
video is scaled up to the reference, bicubic, and frames are compared one by
one. So the reference sets the frame, the rate and the depth of both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from orchestrator.transcoder.plan.context import FALLBACK_RATE
from orchestrator.transcoder.plan.material import Material
from orchestrator.transcoder.plan.steps import Chain, Comparison, Input, Pass, Rendition
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import Probe, VideoStream

#: Seconds by which two videos' ends may differ without a word.
_SAME_END = 0.1
#: From more lines than these on, people look at a frame as at a 4K screen.
_HD_LINES = 1440
#: libvmaf halves a frame four times; one of 16x16 crashes it.
_SMALLEST = 32
_HD_MODEL, _4K_MODEL = "vmaf_v0.6.1", "vmaf_4k_v0.6.1"

#: More than 8 bits: yuv420p10le, gbrp12le, p010le.
_DEEP = re.compile("p0?1[0-6]")

_REFERENCE: Final = "vmaf_reference"
_DISTORTED: Final = "vmaf_distorted"


@dataclass(frozen=True, slots=True)
class Compared:
    """How two videos are compared: the pass whose file holds the scores, and on what terms.

    ``rate`` is in frames per second, ``warnings`` are for the client.
    """

    work: Pass
    model: str
    width: int
    height: int
    rate: Fraction
    warnings: tuple[str, ...]


def compared(step: Comparison, material: Material, distorted: Probe, threads: int) -> Compared:
    """How ``distorted`` is measured against the film.

    Raises ``MediaError`` where it has no picture, or the film's is too small.
    """
    if not distorted.video:
        raise MediaError("distorted has sound but no picture, so nothing can be compared")
    reference = material.picture()
    rate = reference.rate or FALLBACK_RATE
    width, height = _upright(reference)
    if min(width, height) < _SMALLEST:
        raise MediaError(
            f"the source's frame of {width}x{height} is too small to be compared; "
            f"both sides need {_SMALLEST} pixels"
        )
    model = step.asked.vmaf_model or (_4K_MODEL if min(width, height) > _HD_LINES else _HD_MODEL)
    film = material.read(0.0, None, sound=False)
    shape = _Shape(rate, width, height, _pixels(reference), step.asked.duration)
    head = (
        *((film.head,) if film.head else ()),
        f"[{film.picture}]{shape.filters}[{_REFERENCE}]",
        f"[{len(film.inputs)}:{distorted.video[0].index}]{shape.filters}[{_DISTORTED}]",
    )
    reading = replace(
        film,
        inputs=(*film.inputs, Input(step.distorted)),
        picture=_DISTORTED,
        head=";".join(head),
    )
    made = _rendition(step, model, threads)
    ends = (material.probe.picture_end, distorted.picture_end)
    seconds = _seconds(step, ends)
    work = Pass((replace(made, frames=round(seconds * rate) or None),), reading)
    told = tuple(_warnings(step, reference, distorted.video[0], ends))
    return Compared(work, model, width, height, rate, told)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What both videos are brought to."""

    rate: Fraction
    width: int
    height: int
    pixels: str
    duration: float | None

    @property
    def filters(self) -> str:
        limit = "" if self.duration is None else f"trim=duration={self.duration:.6f},"
        return (
            f"setpts=PTS-STARTPTS,fps={self.rate.numerator}/{self.rate.denominator},{limit}"
            f"scale={self.width}:{self.height}:flags=bicubic:out_range=tv,setsar=1,"
            f"format={self.pixels}"
        )


def _rendition(step: Comparison, model: str, threads: int) -> Rendition:
    asked = step.asked
    measure = (
        f"[{_REFERENCE}]libvmaf=model=version={model}:log_fmt=json:log_path={step.file}:"
        f"n_subsample={asked.n_subsample}:n_threads={max(1, threads)}:"
        f"shortest={int(asked.shortest)}"
    )
    return Rendition(
        tag=step.tag,
        kind="text",
        index=step.index,
        asked=asked,
        file=step.file,
        picture=Chain(measure, ("-fps_mode", "passthrough")),
        # The filter writes the file; its pictures are for nobody.
        options=("-f", "null"),
    )


def _upright(video: VideoStream) -> tuple[int, int]:
    """The stored frame, turned as players turn it; its pixels may be oblong, as the other's."""
    width, height = video.width, video.height
    return (height, width) if video.rotation % 180 else (width, height)


def _pixels(video: VideoStream) -> str:
    return "yuv420p10le" if _DEEP.search(video.pix_fmt) else "yuv420p"


def _seconds(step: Comparison, ends: tuple[float | None, float | None]) -> float:
    """How much will be compared; 0 where that can't be known."""
    known = [end for end in ends if end]
    pick = min if step.asked.shortest else max
    whole = pick(known) if known else 0.0
    return min(whole, step.asked.duration or whole)


def _warnings(
    step: Comparison,
    reference: VideoStream,
    distorted: VideoStream,
    ends: tuple[float | None, float | None],
) -> Iterator[str]:
    if reference.rate and distorted.rate and reference.rate != distorted.rate:
        yield (
            f"distorted has {float(distorted.rate):g} frames per second and the source "
            f"{float(reference.rate):g}: frames were compared at the source's rate"
        )
    limit = step.asked.duration or max(filter(None, ends), default=0.0)
    first, second = (min(end or 0.0, limit) for end in ends)
    if all(ends) and abs(first - second) > _SAME_END and not step.asked.shortest:
        yield (
            f"distorted ends at {second:.2f} s and the source at {first:.2f} s: the last frame of "
            "the shorter one was held; shortest=1 stops there"
        )
