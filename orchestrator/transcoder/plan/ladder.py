"""Outputs that players choose a stream of: each stream is encoded, then packaged.

Streams are encoded with a keyframe at each segment's beginning, so that all of
them are cut at the same moments. Sounds that are asked for alike are one. What
an earlier job of a chain made (``incremental_tag``) is not made again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from fractions import Fraction

from orchestrator.query import AdvancedHls, HlsAudio, KeyframeInterval, WebmDash
from orchestrator.query.outputs import AudioStream, Stream, Tagged
from orchestrator.query.sound import Sound
from orchestrator.transcoder.packaging import Kind, Protection
from orchestrator.transcoder.packaging import Rendition as Packaged
from orchestrator.transcoder.plan.chain import chain_of, check_length, rung
from orchestrator.transcoder.plan.codecs import in_two_passes
from orchestrator.transcoder.plan.context import Context, Place, Wanted, snapped
from orchestrator.transcoder.plan.files import picture
from orchestrator.transcoder.plan.packings import check_protected, packing
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import sound_chain
from orchestrator.transcoder.plan.steps import Cut, Kept, Ladder, Package, Rendition
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

#: Parts are read again by the packager alone: nothing is moved to their front.
_PART = {"mp4": ("-map_chapters", "-1", "-write_tmcd", "0", "-f", "mp4"), "webm": ("-f", "webm")}

#: Seconds by which a frame's time, as a floating number, may lie before a moment and be at it.
_SLACK = 1e-6

#: What players are told of a stream, and what no segment hangs on.
_NAMES = {"tag", "chunklist_name"}


@dataclass(frozen=True, slots=True)
class Rung:
    """What is encoded and then packaged together."""

    wanted: tuple[Wanted, ...]
    package: Package


def streams_of(place: Place[Ladder]) -> Iterator[Place[Stream | AudioStream]]:
    """A ladder's streams, each with its system tag."""
    streams: Sequence[Stream | AudioStream] = place.asked.stream
    for number, stream in enumerate(streams):
        yield Place(f"{place.tag}-{number}", place.index, stream)


def rungs(
    context: Context,
    place: Place[Ladder],
    sized: Sequence[Sized],
    video: VideoStream | None,
) -> tuple[Rung, ...]:
    """How a ladder is made of the streams that are ``sized``: at once, or rung by rung.

    Rung by rung, the lowest first, where its playlists are to name each as it
    becomes ready (``refresh_playlist``); those that were made before are there
    from the beginning.
    """
    made = _Ladder(context, place, video)
    if isinstance(place.asked, HlsAudio):
        return (made.of_sound(),)
    if not context.query.refresh_playlist:
        return (made.of(sized, last=True),)
    lowest_first = sorted(sized, key=lambda one: one.fit.width * one.fit.height)
    kept = [one for one in lowest_first if made.has(one)]
    fresh = [one for one in lowest_first if one not in kept]
    if not fresh:
        return (made.of(kept, last=True),)
    turns = [[*kept, fresh[0]], *([one] for one in fresh[1:])]
    return tuple(made.of(turn, last=turn is turns[-1]) for turn in turns)


@dataclass(slots=True)
class _Turn:
    """What a rung is gathered in."""

    wanted: list[Wanted] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def films_first(self) -> tuple[Wanted, ...]:
        """ffmpeg tells how far the first of them is: a picture says it best."""
        return tuple(sorted(self.wanted, key=lambda one: one.rendition.picture is None))


class _Ladder:
    """One output on its way to rungs. Sounds are encoded with the first that needs them."""

    def __init__(self, context: Context, place: Place[Ladder], video: VideoStream | None) -> None:
        self._context, self._place, self._video = context, place, video
        self._asked = place.asked
        self._form = "webm" if isinstance(place.asked, WebmDash) else "mp4"
        check_protected(place.tag, place.asked)
        self._packing = packing(place.asked)
        if self._packing.segments != self._packing.container:
            context.warn(f"{place.tag}: cenc_drm is not for TS segments, so fMP4 took their place")
        self._chain = chain_of(context, place)
        self._given = dict(self._chain.used)
        self._sounds: list[tuple[Sound, str, str | None]] = []

    def of(self, sized: Sequence[Sized], *, last: bool) -> Rung:
        """A rung with a picture for each of ``sized``, and the sounds that are new."""
        turn = _Turn()
        for one in sized:
            self._add(one, turn)
        return Rung(turn.films_first(), self._package(turn, last=last))

    def has(self, one: Sized) -> bool:
        """Whether an earlier job made this very picture."""
        return self._picture_rung(one) in self._chain.known

    def of_sound(self) -> Rung:
        """The only rung of an output of sound alone."""
        turn = _Turn()
        if not self._context.material.probe.audio:
            raise MediaError(f"{self._place.tag}: the source has no sound")
        for stream in streams_of(self._place):
            self._add_sound(stream, turn)
        return Rung(tuple(turn.wanted), self._package(turn, last=True))

    def _add(self, one: Sized, turn: _Turn) -> None:
        group, sound = self._heard(one.place, turn)
        identity = self._picture_rung(one)
        known = self._chain.known.get(identity)
        if known is not None:
            seconds = self._context.seconds(
                one.place.tag, self._asked.start_time, self._asked.duration
            )
            check_length(one.place.tag, known, seconds)
            turn.kept.append(self._kept(replace(known, group=group), one.place))
            return
        film = self._film(one)
        turn.wanted.append(film)
        turn.cuts.append(
            Cut(
                one.place.tag,
                "video",
                self._number("video", one.place),
                film.rendition.file,
                sound=None if self._apart else sound,
                group=group,
                rung=identity,
                chunklist_name=_name(one.place.asked),
                user_tag=one.place.asked.tag,
            )
        )

    def _add_sound(self, place: Place[Stream | AudioStream], turn: _Turn) -> None:
        """A stream of an output of sound alone."""
        wish = _sound_of(place.asked)
        identity = self._sound_rung(wish)
        known = self._chain.known.get(identity)
        if known is not None:
            turn.kept.append(self._kept(known, place))
            return
        one = self._sound(place.tag, wish, told=True)
        turn.wanted.append(one)
        number = self._number("audio", place)
        turn.cuts.append(
            Cut(
                place.tag,
                "audio",
                number,
                one.rendition.file,
                default=place.tag.endswith("-0"),
                rung=identity,
                chunklist_name=_name(place.asked),
                user_tag=place.asked.tag,
            )
        )

    def _kept(self, made: Packaged, place: Place[Tagged] | None = None) -> Kept:
        if place is None:
            return Kept(made)
        return Kept(made, place.tag, place.asked.tag, self._chain.metas.get(made.rung, {}))

    def _film(self, one: Sized) -> Wanted:
        if self._video is None:
            raise TypeError("a picture needs a source that has one")
        asked, stream = self._asked, one.place.asked
        made = picture(self._context, one, self._video, asked.start_time, asked.duration)
        if made.picture is None or not isinstance(stream, Stream):
            raise TypeError(f"{one.place.tag} is no stream")
        forced = ("-force_key_frames", _keyframes(asked.segment_duration, stream.keyframe))
        made = replace(
            made,
            picture=replace(made.picture, options=(*made.picture.options, *forced)),
            file=f"{one.place.tag}.{self._form}",
            options=_PART[self._form],
            part=True,
        )
        start = snapped(asked.start_time, self._video)
        return Wanted(made, start, asked.duration, twice=in_two_passes(stream))

    def _heard(self, place: Place[object], turn: _Turn) -> tuple[str, str | None]:
        """The group and the file of a stream's sound; a new one is added to what is made."""
        stream = place.asked
        if not self._context.material.probe.audio or not isinstance(stream, Sound):
            return "audio", None
        wish = _sound_of(stream)
        for known, group, file in self._sounds:
            if known == wish:
                return group, file
        group, file = self._new_sound(wish, turn)
        self._sounds.append((wish, group, file))
        return group, file

    def _new_sound(self, wish: Sound, turn: _Turn) -> tuple[str, str | None]:
        identity = self._sound_rung(wish)
        known = self._chain.known.get(identity) if self._apart else None
        if known is not None:
            turn.kept.append(self._kept(known))
            return known.group, None
        tag = f"{self._place.tag}-sound-{len(self._sounds) + 1}"
        one = self._sound(tag, wish, told=False)
        turn.wanted.append(one)
        if not self._apart:
            return "audio", one.rendition.file
        number = self._number("audio")
        group = "audio" if number == 1 else f"audio-{number}"
        file = one.rendition.file
        turn.cuts.append(
            Cut(tag, "audio", number, file, group=group, default=True, rung=identity, told=False)
        )
        return group, file

    @property
    def _apart(self) -> bool:
        """Whether sound has segments of its own. DASH knows nothing else."""
        return not isinstance(self._asked, AdvancedHls) or self._asked.separate_audio

    def _sound(self, tag: str, wish: Sound, *, told: bool) -> Wanted:
        asked = self._asked
        made = Rendition(
            tag=tag,
            kind="audio",
            index=self._place.index,
            asked=asked,
            file=f"{tag}.{self._form}",
            sound=sound_chain(self._context, wish),
            options=_PART[self._form],
            seconds=self._context.heard(tag, asked.start_time, asked.duration),
            part=True,
            told=told,
        )
        start = asked.start_time if self._video is None else snapped(asked.start_time, self._video)
        return Wanted(made, start, asked.duration)

    def _number(self, kind: Kind, place: Place[object] | None = None) -> int:
        """The number of a new rendition: its stream's, in a chain one that was never given."""
        if place is not None and kind not in self._chain.used:
            return int(place.tag.rpartition("-")[2]) + 1
        self._given[kind] = self._given.get(kind, 0) + 1
        return self._given[kind]

    def _picture_rung(self, one: Sized) -> str:
        stream = one.place.asked
        left_out = _NAMES | (set(Sound.model_fields) if self._apart else set())
        wish = stream.model_dump(mode="json", exclude=left_out)
        return rung("video", wish, one.fit.width, one.fit.height, *self._shared())

    def _sound_rung(self, wish: Sound) -> str:
        return rung("audio", wish.model_dump(mode="json"), *self._shared())

    def _shared(self) -> tuple[object, ...]:
        """What the segments of all renditions of the output hang on."""
        asked, how = self._asked, self._packing
        cut = (asked.start_time, asked.duration, how.segment_duration, how.i_frames_only)
        kinds = (asked.output, how.segments, how.hls is not None)
        return (*cut, *kinds, self._apart, _told(how.protection))

    def _package(self, turn: _Turn, *, last: bool) -> Package:
        place = self._place
        kind = "audio" if isinstance(place.asked, HlsAudio) else "video"
        return Package(
            tag=place.tag,
            kind=kind,
            index=place.index,
            asked=place.asked,
            packing=self._packing,
            cuts=tuple(turn.cuts),
            last=last,
            kept=tuple(turn.kept),
            used=self._chain.used,
        )


def _sound_of(stream: Sound) -> Sound:
    """What a stream asks of its sound, and nothing else of the stream."""
    return Sound.model_validate(stream.model_dump(include=set(Sound.model_fields)))


def _name(stream: object) -> str | None:
    return stream.chunklist_name if isinstance(stream, Stream | AudioStream) else None


def _told(protection: Protection | None) -> tuple[object, ...]:
    """All that protects, keys too: for a digest alone."""
    return (type(protection).__name__, *astuple(protection)) if protection else ()


def _keyframes(segment: int, keyframe: KeyframeInterval) -> str:
    """Where ffmpeg is to force keyframes: at segments' beginnings, and each so many seconds."""
    asked = keyframe.seconds
    if asked is None or (Fraction(segment) / Fraction(str(asked))).denominator == 1:
        return f"expr:gte(t,n_forced*{asked or segment}-{_SLACK:f})"
    nexts = (f"{each}*(floor((prev_forced_t+{_SLACK:f})/{each})+1)" for each in (segment, asked))
    return f"expr:isnan(prev_forced_t)+gte(t,min({','.join(nexts)})-{_SLACK:f})"
