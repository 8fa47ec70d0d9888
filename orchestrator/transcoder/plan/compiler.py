"""From a query and a probe to a plan: pure, so every decision can be tested alone."""

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.query import EncodeQuery, Metadata, Mp4, Thumbnail, Thumbnails
from orchestrator.transcoder.plan import images
from orchestrator.transcoder.plan.geometry import Fit, fit_image, fit_video, taller
from orchestrator.transcoder.plan.steps import Description, Pass, Plan, Rendition
from orchestrator.transcoder.plan.video import picture_filters, sound_options, video_options
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import Probe, VideoStream

_KINDS = {"mp4": "video", "thumbnail": "image", "thumbnails": "image", "metadata": "text"}

#: For a source that names no rate at all: only the keyframes' distance hangs on it.
_FALLBACK_RATE = Fraction(25)

#: Seconds before a moment in which the last frame is taken where the quick seek
#: found none: behind a picture that ends early, or in a file without an index.
_LOOK_BACK = 15.0

#: Containers without an index: a seek ends anywhere, not at a keyframe. So it
#: aims earlier, by more than keyframes are apart (x264's default is 250 frames).
_SEEKS_BLINDLY = frozenset({"mpegts", "mpeg", "wtv"})
_LEAD = 15.0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an output stands: its tag, and its index in the query's ``format``."""

    tag: str
    index: int


def compile_plan(query: EncodeQuery, probe: Probe, encoders: Collection[str]) -> Plan:
    """How to make every output of ``query`` from a source like ``probe``.

    ``encoders`` are those that ffmpeg has. Raises ``MediaError`` where the
    source can't give what is asked: no picture, a start behind its end.
    """
    return _Compiler(query, probe, frozenset(encoders)).plan()


class _Compiler:
    """One compilation; it exists so that what it leaves out has one place."""

    def __init__(self, query: EncodeQuery, probe: Probe, encoders: frozenset[str]) -> None:
        self._query, self._probe, self._encoders = query, probe, encoders
        self._places = tuple(_places(query))
        self._warnings: list[str] = []
        self._left_out: list[str] = []

    def plan(self) -> Plan:
        formats = tuple(zip(self._places, self._query.format, strict=True))
        descriptions = tuple(
            Description(place.tag, place.index, asked, f"{place.tag}.json")
            for place, asked in formats
            if isinstance(asked, Metadata)
        )
        if any(each.asked.metadata_version for each in descriptions):
            self._warnings.append(
                "metadata_version is not kept to: this service describes with its own ffprobe"
            )
        passes: tuple[Pass, ...] = ()
        if len(descriptions) < len(formats):
            passes = (*self._moving(self._video()), *self._stills(self._video()))
        warnings = tuple(dict.fromkeys(self._warnings))
        return Plan(passes, descriptions, tuple(self._left_out), warnings)

    def _video(self) -> VideoStream:
        if not self._probe.video:
            raise MediaError(
                "the source has sound but no picture, so no video or image can be made of it"
            )
        return self._probe.video[0]

    def _moving(self, video: VideoStream) -> Iterator[Pass]:
        """Videos and interval thumbnails: those of one window share a decode."""
        windows: dict[tuple[float, float | None], list[Rendition]] = {}
        audio = self._probe.audio[0].index if self._probe.audio else None
        for place, mp4, fit in self._fitting(video):
            made = self._mp4(place, mp4, fit, video)
            start, duration = mp4.start_time, mp4.duration
            start = _snapped(start, video)
            if mp4.two_pass:
                lead = self._lead(start)
                yield Pass((made,), video.index, audio, start, duration, lead, twice=True)
            else:
                windows.setdefault((start, duration), []).append(made)
        for place, asked in zip(self._places, self._query.format, strict=True):
            if isinstance(asked, Thumbnails):
                windows.setdefault((0.0, None), []).append(self._row(place, asked, video))
        for (start, duration), renditions in windows.items():
            sounds = audio if any(made.sound for made in renditions) else None
            lead = self._lead(start)
            yield Pass(tuple(renditions), video.index, sounds, start, duration, lead)

    def _fitting(self, video: VideoStream) -> Iterator[tuple[_Place, Mp4, Fit]]:
        """The videos that are made: without ``upscale``, none that is taller than the source.

        If all are taller, the documents have the first one made at the source's size.
        """
        upscale = self._query.upscale
        found = [
            (place, mp4, fit_video(mp4, video.display, upscale=upscale))
            for place, mp4 in zip(self._places, self._query.format, strict=True)
            if isinstance(mp4, Mp4)
        ]
        if upscale:
            yield from found
            return
        fitting = [one for one in found if not taller(one[2], one[1], video.display)]
        if found and not fitting:
            place, mp4, fit = found[0]
            own = fit_video(mp4, video.display, upscale=False, own_size=True)
            self._warn(place, fit, f"was made at the source's size, {own.width}x{own.height}")
            fitting = [(place, mp4, own)]
        kept = {place.tag for place, _, _ in fitting}
        for place, _, fit in found:
            if place.tag not in kept:
                self._left_out.append(place.tag)
                self._warn(place, fit, "was left out")
        yield from fitting

    def _warn(self, place: _Place, fit: Fit, what: str) -> None:
        self._warnings.append(
            f"{place.tag} {what}: {fit.width}x{fit.height} has more lines than the source "
            "(upscale=1 makes it all the same)"
        )

    def _lead(self, start: float) -> float:
        return min(start, _LEAD) if self._probe.container in _SEEKS_BLINDLY else 0.0

    def _mp4(self, place: _Place, mp4: Mp4, fit: Fit, video: VideoStream) -> Rendition:
        steady = video.rate if video.constant else None
        rate = mp4.framerate or video.rate or _FALLBACK_RATE
        seconds = self._seconds(place, mp4.start_time, mp4.duration)
        return Rendition(
            tag=place.tag,
            kind="video",
            index=place.index,
            asked=mp4,
            file=f"{place.tag}.{mp4.file_extension}",
            width=fit.width,
            height=fit.height,
            filters=picture_filters(mp4, fit, steady),
            options=video_options(mp4, rate, steady=bool(mp4.framerate or steady)),
            sound=sound_options(mp4, self._audio_encoder(mp4)) if self._probe.audio else (),
            seconds=seconds,
            frames=max(1, round(seconds * rate)) if seconds else None,
            certain=_steady_by_count(video),
        )

    def _audio_encoder(self, mp4: Mp4) -> str:
        if mp4.audio_codec in self._encoders:
            return mp4.audio_codec
        self._warnings.append(
            f"{mp4.audio_codec} is not part of this transcoder's ffmpeg; aac took its place"
        )
        return "aac"

    def _seconds(self, place: _Place, start: float, duration: float | None) -> float | None:
        end, picture_end = self._probe.duration, self._probe.picture_end
        if end is not None and start >= end:
            raise MediaError(
                f"{place.tag}: start_time {start:g} lies behind the source's end at {end:g} s"
            )
        if picture_end is None:
            return duration
        left = max(0.0, picture_end - start)
        return min(duration, left) if duration is not None else left

    def _row(self, place: _Place, asked: Thumbnails, video: VideoStream) -> Rendition:
        fit = fit_image(asked, video.display)
        count = images.image_count(asked, self._probe.duration)
        return Rendition(
            tag=place.tag,
            kind="image",
            index=place.index,
            asked=asked,
            file=f"{place.tag}/{images.IMAGE_NAMES}.{asked.image_format}",
            width=fit.width,
            height=fit.height,
            filters=images.frames_apart(fit, asked),
            options=images.image_options(asked, count or images.MOST_IMAGES),
            seconds=self._probe.picture_end,
            frames=count,
            certain=_steady_by_count(video),
        )

    def _stills(self, video: VideoStream) -> Iterator[Pass]:
        """Single images: each its own quick seek, or a count where the rate varies."""
        for place, asked in zip(self._places, self._query.format, strict=True):
            if not isinstance(asked, Thumbnail):
                continue
            fit = fit_image(asked, video.display)
            if asked.frame_number is not None and not _steady_by_count(video):
                counted = images.frame_numbered(fit, asked, asked.frame_number)
                yield Pass((self._still(place, asked, fit, counted, 1),), video.index)
                continue
            at = self._moment(place, asked, video)
            lead = self._lead(at)
            quick = self._still(place, asked, fit, images.frame_shown(fit, asked, lead), 1)
            last = self._still(place, asked, fit, images.frame_last(fit, asked), None)
            early = max(0.0, min(at, self._probe.picture_end or at) - _LOOK_BACK)
            before = Pass((last,), video.index, start=early, duration=(at - early) or None)
            yield Pass((quick,), video.index, start=at, lead=lead, nearby=True, otherwise=before)

    def _still(
        self, place: _Place, asked: Thumbnail, fit: Fit, filters: str, most: int | None
    ) -> Rendition:
        return Rendition(
            tag=place.tag,
            kind="image",
            index=place.index,
            asked=asked,
            file=f"{place.tag}.{asked.image_format}",
            width=fit.width,
            height=fit.height,
            filters=filters,
            options=images.image_options(asked, most),
            frames=1,
        )

    def _moment(self, place: _Place, asked: Thumbnail, video: VideoStream) -> float:
        """Seconds from the source's start; never behind its last frame."""
        rate = video.rate or _FALLBACK_RATE
        at = asked.start_time or 0.0
        if asked.time is not None:
            at = asked.time * self._length_for(place)
        elif asked.frame_number is not None:
            at = video.start + float((asked.frame_number + Fraction(1, 2)) / rate)
        end = self._probe.duration
        if end is None or at < end:
            return at
        if asked.time is None:
            self._warnings.append(
                f"{place.tag} shows the source's last frame: {at:g} s lies behind its end "
                f"at {end:g} s"
            )
        return max(0.0, end - float(1 / (2 * rate)))

    def _length_for(self, place: _Place) -> float:
        if self._probe.duration is None:
            raise MediaError(
                f"{place.tag}: the source does not say how long it is, so a fraction of it is "
                "no moment; ask for a start_time"
            )
        return self._probe.duration


def _snapped(start: float, video: VideoStream) -> float:
    """A start moved by less than a frame, to just before the first frame behind it.

    The output's grid begins at the start: halfway between two frames, rounding
    would lose one.
    """
    if not (start and video.constant and video.rate):
        return start
    rate = video.rate
    first = math.ceil((Fraction(start) - Fraction(video.start)) * rate - Fraction(1, 1000))
    return max(0.0, video.start + float((first - Fraction(1, 4)) / rate))


def _steady_by_count(video: VideoStream) -> bool:
    """Whether a frame's number tells its time; Matroska may claim a rate it does not keep."""
    return bool(video.constant and video.rate and video.frames)


def _places(query: EncodeQuery) -> Iterator[_Place]:
    """The system tags, numbered per kind by the order in ``format``."""
    seen: Counter[str] = Counter()
    for index, asked in enumerate(query.format):
        kind = _KINDS[asked.output]
        yield _Place(f"{kind}-0-{seen[kind]}", index)
        seen[kind] += 1
