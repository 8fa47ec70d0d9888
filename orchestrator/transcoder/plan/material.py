"""What there is to encode: one source, or several that are stitched together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from orchestrator.transcoder.plan.channels import LAYOUTS
from orchestrator.transcoder.plan.steps import Input, Reading
from orchestrator.transcoder.plan.stitching import framed, joined, joined_channels, joined_picture
from orchestrator.transcoder.ports import Inputs, MediaError, SourceFile
from orchestrator.transcoder.streams import Probe, VideoStream

#: Containers without an index: a seek ends anywhere, not at a keyframe. So it
#: aims earlier, by more than keyframes are apart (x264's default is 250 frames).
_SEEKS_BLINDLY = frozenset({"mpegts", "mpeg", "wtv"})
_LEAD = 15.0


@dataclass(frozen=True, slots=True)
class Material:
    """The sources of a task, each with its probe, seen as one film.

    ``probe`` is what ffprobe would say if they were one file.
    """

    files: tuple[SourceFile, ...]
    probes: tuple[Probe, ...]
    probe: Probe

    @property
    def stitched(self) -> bool:
        """Whether several sources, or a part of one, make the film."""
        return len(self.files) > 1 or self.files[0] != SourceFile(self.files[0].path)

    @property
    def mixes_hdr(self) -> bool:
        """Whether sources that are HDR became SDR, because others are not as they are."""
        hdr = any(probe.video[0].hdr for probe in self.probes if probe.video)
        return hdr and not self.probe.video[0].hdr

    @property
    def look_back(self) -> float:
        """How many seconds too late a seek in the one source may end."""
        return _LEAD if self.probe.container in _SEEKS_BLINDLY else 0.0

    def picture(self) -> VideoStream:
        """The picture. Raises ``MediaError`` where there is none."""
        if not self.probe.video:
            raise MediaError(
                "the source has sound but no picture, so no video or image can be made of it"
            )
        return self.probe.video[0]

    def read(
        self, start: float, duration: float | None, *, sound: bool, picture: bool = True
    ) -> Reading:
        """How a pass reads the film from ``start`` on, for ``duration`` seconds or to its end."""
        if self.stitched:
            return joined(self.files, self.probes, start, duration, sound=sound, picture=picture)
        source, lead = _opened(self.files[0].path, self.probe, start, duration)
        return Reading(
            (source,),
            picture=f"0:{self.probe.video[0].index}" if picture and self.probe.video else None,
            sounds=tuple(f"0:{each.index}" for each in self.probe.audio) if sound else (),
            lead=lead,
        )

    def read_near(self, at: float) -> Reading:
        """How a pass reads from the keyframe before ``at`` on, quickly: for one image.

        Of a stitched film, the source that is shown then is read alone.
        """
        return self._of_one_source(at, None, nearby=True)

    def read_before(self, at: float, seconds: float) -> Reading:
        """How a pass reads the last ``seconds`` of picture that there are before ``at``.

        Of a stitched film, no more than the source that is shown then.
        """
        return self._of_one_source(at, seconds, nearby=False)

    def _of_one_source(self, at: float, back: float | None, *, nearby: bool) -> Reading:
        number, start = self._source_at(at)
        file, probe, length = self.files[number], self.probes[number], None
        if not probe.video:
            # A stitched film is black where a source has sound alone.
            return self.read(at, None, sound=False)
        if back is not None:
            until, start = start, max(file.start, min(start, probe.picture_end or start) - back)
            length = (until - start) or None
        source, lead = _opened(file.path, probe, start, length)
        pad = f"0:{probe.video[0].index}"
        reading = Reading((replace(source, nearby=nearby),), picture=pad, lead=lead)
        if not self.stitched:
            return reading
        return replace(
            reading, picture="jv", head=f"[{pad}]{framed(probe.video[0], self.probe.video[0])}[jv]"
        )

    def _source_at(self, at: float) -> tuple[int, float]:
        """The source that is shown at a moment of the film, and that moment in its own time."""
        if not self.stitched:
            return 0, at
        number, left = 0, at
        lengths = [_taken(*each) for each in zip(self.files, self.probes, strict=True)]
        while left >= lengths[number] and number < len(lengths) - 1:
            left -= lengths[number]
            number += 1
        return number, self.files[number].start + min(left, lengths[number])


def _opened(path: Path, probe: Probe, start: float, duration: float | None) -> tuple[Input, float]:
    """A source from ``start`` on, and the seconds that are read before that."""
    lead = min(start, _LEAD) if probe.container in _SEEKS_BLINDLY else 0.0
    return Input(path, start - lead, None if duration is None else lead + duration), lead


def material(inputs: Inputs, probes: Sequence[Probe]) -> Material:
    """The film that these sources are. Raises ``MediaError`` where they make none."""
    if len(probes) == 1 and inputs.sources[0] == SourceFile(inputs.sources[0].path):
        return Material(inputs.sources, tuple(probes), probes[0])
    return Material(inputs.sources, tuple(probes), _as_one(inputs.sources, probes))


def _as_one(files: Sequence[SourceFile], probes: Sequence[Probe]) -> Probe:
    """The probe of the film; its frames are those of the first source's size and rate."""
    length = sum(_taken(file, probe) for file, probe in zip(files, probes, strict=True))
    first = joined_picture(probes)
    video = tuple(
        replace(
            each,
            index=0,
            sar=Fraction(1),
            rotation=0,
            width=int(each.display[0]),
            height=int(each.display[1]),
            constant=True,
            start=0.0,
            duration=length,
            frames=round(length * each.rate) if each.rate else None,
        )
        for each in (first,)
        if each
    )
    heard = [probe.audio[0] for probe in probes if probe.audio]
    count = joined_channels(probes)
    audio = tuple(
        replace(each, index=1, duration=length, channels=count, layout=LAYOUTS[count], bitrate=None)
        for each in heard[:1]
    )
    return Probe(
        "stitched", length, video, audio, document={"sources": [p.document for p in probes]}
    )


def _taken(file: SourceFile, probe: Probe) -> float:
    """How many seconds of a source are in the film. Raises ``MediaError`` for none."""
    if probe.duration is None:
        raise MediaError("a source of a stitch list does not say how long it is")
    left = probe.duration - file.start
    if left <= 0:
        raise MediaError(
            f"a source of the stitch list starts at {file.start:g} s, behind its end at "
            f"{probe.duration:g} s"
        )
    return left if file.duration is None else min(left, file.duration)
