"""Outputs that players choose a stream of: each stream is encoded, then packaged.

Sounds that are asked for alike are one, and of every track of the source. What
an earlier job of a chain made (``incremental_tag``) is not made again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.query import HlsAudio
from orchestrator.query.outputs import AudioStream, Stream, Tagged
from orchestrator.query.sound import Sound
from orchestrator.transcoder.languages import shortest
from orchestrator.transcoder.packaging import Kind
from orchestrator.transcoder.packaging import Rendition as Packaged
from orchestrator.transcoder.plan.chain import (
    chain_of,
    check_length,
    picture_rung,
    sound_rung,
    text_rung,
)
from orchestrator.transcoder.plan.context import Context, Place, Wanted
from orchestrator.transcoder.plan.packings import check_protected, packing, sound_is_apart
from orchestrator.transcoder.plan.parts import picture_part, sound_part
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import SoundTrack, sound_tracks
from orchestrator.transcoder.plan.steps import Cut, Kept, Ladder, Package
from orchestrator.transcoder.plan.subtitles import texts_of
from orchestrator.transcoder.ports import MediaError


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


def films_of(context: Context, place: Place[Ladder]) -> Iterator[Place[Stream]]:
    """A ladder's pictures. Raises ``MediaError`` where the source has none."""
    for each in streams_of(place):
        if not isinstance(each.asked, Stream):
            return
        if not context.material.probe.video:
            raise MediaError(
                f"{place.tag}: the source has no picture; hls_audio makes playlists of sound alone"
            )
        yield Place(each.tag, each.index, each.asked)


def rungs(context: Context, place: Place[Ladder], sized: Sequence[Sized]) -> tuple[Rung, ...]:
    """How a ladder is made of the streams that are ``sized``: at once, or rung by rung.

    Rung by rung, the lowest first, where its playlists are to name each as it
    becomes ready (``refresh_playlist``); those that were made before are there
    from the beginning.
    """
    made = _Ladder(context, place)
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

    def __init__(self, context: Context, place: Place[Ladder]) -> None:
        self._context, self._place = context, place
        self._asked = place.asked
        check_protected(place.tag, place.asked)
        self._packing = packing(place.asked)
        self._apart = sound_is_apart(place.asked)
        if self._packing.segments != self._packing.container:
            context.warn(f"{place.tag}: cenc_drm is not for TS segments, so fMP4 took their place")
        self._chain = chain_of(context, place)
        self._given = dict(self._chain.used)
        self._sounds: list[tuple[Sound, str, str | None]] = []
        self._unnamed = 0
        self._with_texts = False

    def of(self, sized: Sequence[Sized], *, last: bool) -> Rung:
        """A rung with a picture for each of ``sized``, and the sounds that are new."""
        turn = _Turn()
        for one in sized:
            self._add(one, turn)
        self._add_texts(turn)
        return Rung(turn.films_first(), self._package(turn, last=last))

    def has(self, one: Sized) -> bool:
        """Whether an earlier job made this very picture."""
        return picture_rung(self._asked, self._packing, one) in self._chain.known

    def of_sound(self) -> Rung:
        """The only rung of an output of sound alone."""
        turn = _Turn()
        if not self._context.material.probe.audio:
            raise MediaError(f"{self._place.tag}: the source has no sound")
        for stream in streams_of(self._place):
            self._add_sound(stream, turn)
        return Rung(tuple(turn.wanted), self._package(turn, last=True))

    def _add(self, one: Sized, turn: _Turn) -> None:
        identity = picture_rung(self._asked, self._packing, one)
        known = self._chain.known.get(identity)
        if known is not None:
            self._go_on(known, one.place, turn)
            return
        group, sound = self._heard(one.place, turn)
        film = picture_part(self._context, self._place, one)
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

    def _go_on(self, known: Packaged, place: Place[Tagged], turn: _Turn) -> None:
        """A picture that is there already, beside the sound that is asked for now."""
        asked = self._asked
        seconds = self._context.seconds(place.tag, asked.start_time, asked.duration)
        check_length(place.tag, known, seconds)
        group = self._heard(place, turn)[0] if self._apart else known.group
        turn.kept.append(self._kept(replace(known, group=group), place))

    def _add_sound(self, place: Place[Stream | AudioStream], turn: _Turn) -> None:
        """A stream of an output of sound alone."""
        wish = _sound_of(place.asked)
        identity = sound_rung(self._asked, self._packing, wish)
        known = self._chain.known.get(identity)
        if known is not None:
            turn.kept.append(self._kept(known, place))
            return
        one = sound_part(self._context, self._place, place.tag, wish, told=True)
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

    def _add_texts(self, turn: _Turn) -> None:
        """The output's subtitles, with the first of its rungs."""
        asked, tag = self._asked, self._place.tag
        if isinstance(asked, HlsAudio) or self._with_texts:
            return
        self._with_texts = True
        length = self._context.seconds(tag, asked.start_time, asked.duration)
        where = (self._context, tag, self._place.index, asked)
        alike: Counter[tuple[str | None, str | None]] = Counter()
        for text in texts_of(*where, asked.start_time, length):
            # Made again each time, in its own place: the file may have been mended.
            alike[text.language, text.title] += 1
            identity = text_rung(text, alike[text.language, text.title])
            known = self._chain.known.get(identity)
            number = known.number if known else self._number("text")
            cut = Cut(text.file, "text", number, text.file, rung=identity, told=False)
            language = shortest(text.language) if text.language else None
            turn.cuts.append(replace(cut, language=language, title=text.title, duration=length))

    def _kept(self, made: Packaged, place: Place[Tagged] | None = None) -> Kept:
        if place is None:
            return Kept(made)
        return Kept(made, place.tag, place.asked.tag, self._chain.metas.get(made.rung, {}))

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
        """A sound as asked, of every track of the source; inside the pictures' of the first."""
        tracks = sound_tracks(self._context)
        if not self._apart:
            if len(tracks) > 1:
                self._context.warn(
                    f"{self._place.tag}: the source has {len(tracks)} sound tracks; only the first "
                    "fits into the pictures' segments (separate_audio 1 keeps all)"
                )
            one = sound_part(self._context, self._place, self._sound_tag(), wish, told=False)
            turn.wanted.append(one)
            return "audio", one.rendition.file
        identities = [sound_rung(self._asked, self._packing, wish, each) for each in tracks]
        earlier = [self._chain.known[each] for each in identities if each in self._chain.known]
        group = earlier[0].group if earlier else ""
        for track, identity in zip(tracks, identities, strict=True):
            if identity in self._chain.known:
                turn.kept.append(self._kept(self._chain.known[identity]))
                continue
            number = self._number("audio")
            group = group or ("audio" if number == 1 else f"audio-{number}")
            self._add_track(wish, track, turn, identity, group, number)
        return group, None

    def _add_track(
        self,
        wish: Sound,
        track: SoundTrack,
        turn: _Turn,
        identity: str,
        group: str,
        number: int,
    ) -> None:
        one = sound_part(
            self._context, self._place, self._sound_tag(), wish, told=False, track=track.track
        )
        turn.wanted.append(one)
        made = one.rendition
        turn.cuts.append(
            Cut(
                made.tag,
                "audio",
                number,
                made.file,
                group=group,
                language=shortest(track.language) if track.language else None,
                title=track.title,
                default=track.default,
                rung=identity,
                told=False,
            )
        )

    def _sound_tag(self) -> str:
        """The next name of a sound that no client knows."""
        self._unnamed += 1
        return f"{self._place.tag}-sound-{self._unnamed}"

    def _number(self, kind: Kind, place: Place[object] | None = None) -> int:
        """The number of a new rendition: its stream's, in a chain one that was never given."""
        if place is not None and kind not in self._chain.used:
            return int(place.tag.rpartition("-")[2]) + 1
        self._given[kind] = self._given.get(kind, 0) + 1
        return self._given[kind]

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
            captioned=self._chain.captioned,
        )


def _sound_of(stream: Sound) -> Sound:
    """What a stream asks of its sound, and nothing else of the stream."""
    return Sound.model_validate(stream.model_dump(include=set(Sound.model_fields)))


def _name(stream: object) -> str | None:
    return stream.chunklist_name if isinstance(stream, Stream | AudioStream) else None
