"""What the encoders' modules share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator.query import CodecParameters, Mp4, Stream, Webm

#: What has a picture that is encoded.
Film = Mp4 | Webm | Stream

#: Measured on filmed 720p at CRF 23: "faster" takes 55% of the time of
#: "medium" and loses one point of VMAF (93.5, 94.5); "veryfast" loses four.
PRESET: Final = "faster"

#: The encoders' own defaults, written down so that no build changes them.
DEFAULT_CRF: Final = {
    "libx264": 23,
    "libx265": 28,
    "libvpx": 10,
    "libvpx-vp9": 31,
    "libsvtav1": 35,
}

#: Switches of ``flags`` that are no encoder's any more, or that this service sets itself.
_WHY_NOT: Final = {
    "pass1": "two_pass=1 asks for two passes",
    "pass2": "two_pass=1 asks for two passes",
    "qscale": "quality sets a constant quality",
    "global_header": "the container decides it",
    "psnr": "it prints a measure and changes no output",
}


@dataclass(frozen=True, slots=True)
class Coding:
    """How one encoder is told what is asked of it.

    ``options`` are ffmpeg's, ``own`` go to the encoder as they are.
    ``warnings`` tell what has no effect.
    """

    options: tuple[str, ...]
    own: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A video to be encoded: what is asked, and the circumstances.

    ``threads`` limits the encoder (0: it decides). ``cut`` says that it becomes
    segments, which must begin with closed groups of pictures. ``searched`` is a
    constant rate factor that was found for it, in place of what is asked.
    """

    film: Film
    threads: int = 0
    cut: bool = False
    searched: float | None = None

    @property
    def given(self) -> CodecParameters:
        """The ``video_codec_parameters``; none that is set where there are none."""
        return self.film.video_codec_parameters or _NONE

    @property
    def bitrate(self) -> int | None:
        """What the stream should need, in kbit/s; None where a quality is aimed at.

        ``optimize_bitrate`` aims at one and ignores what else is asked (the documents).
        """
        return None if self.film.optimize_bitrate else self.film.bitrate

    @property
    def crf(self) -> float:
        """The constant rate factor: as found or asked, or the encoder's own within its bounds."""
        if self.searched is not None:
            return self.searched
        if self.film.quality is not None and not self.film.optimize_bitrate:
            return self.film.quality
        usual = DEFAULT_CRF[self.film.video_codec]
        highest = self.given.qmax if (self.given.qmax or -1) >= 0 else None
        lowest = self.given.qmin if (self.given.qmin or -1) >= 0 else None
        return max(lowest or 0, min(usual, highest if highest is not None else usual))

    def switched(self, name: str) -> bool | None:
        """Whether ``flags`` switch ``name`` on or off; None where they don't name it."""
        return switched(self.given.flags, name)

    @property
    def opens_groups(self) -> bool:
        """Whether pictures may lean on those before a keyframe: only where none is a cut."""
        return self.switched("cgop") is False and not self.cut

    def rates(self) -> tuple[str, ...]:
        """ffmpeg's options for the highest and lowest bitrate, and the buffer, in bit/s."""
        codec = self.film.video_codec
        wanted = {
            "-maxrate": self.given.max_rate_bps(codec),
            "-minrate": self.given.min_rate_bps(codec),
            "-bufsize": self.given.bufsize_bps(codec),
        }
        return tuple(
            word for name, bps in wanted.items() if bps is not None for word in (name, str(bps))
        )

    @property
    def constant_bitrate(self) -> bool:
        """Whether highest, lowest and wanted bitrate are one."""
        codec = self.film.video_codec
        rates = {self.given.max_rate_bps(codec), self.given.min_rate_bps(codec)}
        return self.bitrate is not None and rates == {self.bitrate * 1000}

    def about_flags(self, *known: str) -> tuple[str, ...]:
        """A warning for each of ``flags`` that does nothing here; ``known`` do something."""
        told = []
        for sent in self.given.flags or ():
            name = sent[1:]
            if name == "cgop" and sent[0] == "-" and self.cut:
                told.append("flags -cgop has no effect: segments begin with closed groups")
            elif name not in (*known, "bitexact", "cgop"):
                why = _WHY_NOT.get(name, f"it means nothing to {self.film.video_codec}")
                told.append(f"flags {sent} has no effect: {why}")
        return tuple(told)

    def about_max_rate(self) -> tuple[str, ...]:
        """A warning where the highest bitrate is less than what is aimed at."""
        most = self.given.max_rate_bps(self.film.video_codec)
        if most is None or self.bitrate is None or most >= self.bitrate * 1000:
            return ()
        return (f"bitrate counts as {most // 1000}: max_rate is no more kbit/s than that",)

    def about_min_rate(self) -> tuple[str, ...]:
        """A warning where the lowest bitrate can't be kept."""
        if self.given.min_rate is None or self.constant_bitrate:
            return ()
        codec = self.film.video_codec
        told = (
            f"min_rate has no effect: {codec} keeps one only if max_rate and bitrate are the same"
        )
        return (told,)


_NONE = CodecParameters()


def switched(switches: tuple[str, ...] | None, name: str) -> bool | None:
    """Whether a list of switches turns ``name`` on or off; the last one counts."""
    found = [sent[0] == "+" for sent in switches or () if sent[1:] == name]
    return found[-1] if found else None


def set_only(**wanted: object) -> dict[str, object]:
    """The parameters that are set, flags as 0 and 1; ``_`` in a name stands for ``-``."""
    return {
        name.replace("_", "-"): int(value) if isinstance(value, bool) else value
        for name, value in wanted.items()
        if value is not None
    }


def bound(quantizer: int | None) -> int | None:
    """A quantizer's bound; -1 leaves it to the encoder."""
    return quantizer if quantizer is not None and quantizer >= 0 else None


def above_hexagon(me_method: str | None, preset: str) -> bool:
    """Whether motion is searched by more than a diamond or a hexagon, so that a range counts."""
    if me_method is not None:
        return me_method in ("umh", "full")
    return preset in ("slower", "veryslow", "placebo")
