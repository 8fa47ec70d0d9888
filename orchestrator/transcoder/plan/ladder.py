"""Outputs that players choose a stream of: each stream is encoded, then packaged.

Streams are encoded with a keyframe at each segment's beginning, so that all of
them are cut at the same moments. Sounds that are asked for alike are one.
"""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.query import AdvancedDash, AdvancedHls, HlsAudio, WebmDash
from orchestrator.query.outputs import AudioStream, Stream
from orchestrator.query.outputs.streaming import HLS_NAME
from orchestrator.query.sound import Sound
from orchestrator.transcoder.packaging import Aes128, Cenc, FairPlay, Packing, Protection, from_hex
from orchestrator.transcoder.plan.context import Context, Place, Wanted, snapped
from orchestrator.transcoder.plan.files import picture
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import sound_chain
from orchestrator.transcoder.plan.steps import Cut, Ladder, Package, Rendition
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

#: Parts are read again by the packager alone: nothing is moved to their front.
_PART = {"mp4": ("-map_chapters", "-1", "-write_tmcd", "0", "-f", "mp4"), "webm": ("-f", "webm")}


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
    becomes ready (``refresh_playlist``).
    """
    made = _Ladder(context, place, video)
    if isinstance(place.asked, HlsAudio):
        return (made.of_sound(),)
    if not context.query.refresh_playlist:
        return (made.of(sized, last=True),)
    lowest_first = sorted(sized, key=lambda one: one.fit.width * one.fit.height)
    return tuple(made.of([one], last=one is lowest_first[-1]) for one in lowest_first)


class _Ladder:
    """One output on its way to rungs. Sounds are encoded with the first that needs them."""

    def __init__(self, context: Context, place: Place[Ladder], video: VideoStream | None) -> None:
        self._context, self._place, self._video = context, place, video
        self._asked = place.asked
        self._form = "webm" if isinstance(place.asked, WebmDash) else "mp4"
        self._sounds: list[tuple[Sound, Cut]] = []

    def of(self, sized: Sequence[Sized], *, last: bool) -> Rung:
        """A rung with a picture for each of ``sized``, and the sounds that are new."""
        wanted: list[Wanted] = []
        cuts: list[Cut] = []
        for one in sized:
            film = self._film(one)
            group, sound = self._heard(one.place, wanted, cuts)
            wanted.append(film)
            cuts.append(self._cut(one.place, film.rendition, group, sound))
        return Rung(tuple(wanted), self._package(tuple(cuts), last=last))

    def of_sound(self) -> Rung:
        """The only rung of an output of sound alone."""
        wanted: list[Wanted] = []
        cuts: list[Cut] = []
        if not self._context.material.probe.audio:
            raise MediaError(f"{self._place.tag}: the source has no sound")
        for number, stream in enumerate(streams_of(self._place), 1):
            one = self._sound(stream.tag, stream.asked, told=True)
            wanted.append(one)
            cut = Cut(stream.tag, "audio", number, one.rendition.file, default=number == 1)
            cuts.append(_named(cut, stream.asked))
        return Rung(tuple(wanted), self._package(tuple(cuts), last=True))

    def _film(self, one: Sized) -> Wanted:
        if self._video is None:
            raise TypeError("a picture needs a source that has one")
        asked, stream = self._asked, one.place.asked
        made = picture(self._context, one, self._video, asked.start_time, asked.duration)
        if made.picture is None or not isinstance(stream, Stream):
            raise TypeError(f"{one.place.tag} is no stream")
        every = f"expr:gte(t,n_forced*{asked.segment_duration})"
        chain = replace(made.picture, options=(*made.picture.options, "-force_key_frames", every))
        made = replace(
            made,
            picture=chain,
            file=f"{one.place.tag}.{self._form}",
            options=_PART[self._form],
            part=True,
        )
        start = snapped(asked.start_time, self._video)
        return Wanted(made, start, asked.duration, twice=stream.two_pass)

    def _heard(
        self, place: Place[object], wanted: list[Wanted], cuts: list[Cut]
    ) -> tuple[str, str | None]:
        """The group and the file of a stream's sound; a new one is added to what is made."""
        stream = place.asked
        if not self._context.material.probe.audio or not isinstance(stream, Sound):
            return "audio", None
        wish = Sound.model_validate(stream.model_dump(include=set(Sound.model_fields)))
        for known, cut in self._sounds:
            if known == wish:
                return cut.group, cut.file
        number = len(self._sounds) + 1
        tag = f"{self._place.tag}-sound-{number}"
        one = self._sound(tag, wish, told=False)
        group = "audio" if number == 1 else f"audio-{number}"
        cut = Cut(tag, "audio", number, one.rendition.file, group=group, default=True, told=False)
        self._sounds.append((wish, cut))
        wanted.append(one)
        if self._apart:
            cuts.append(cut)
        return group, cut.file

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

    def _cut(self, place: Place[object], made: Rendition, group: str, sound: str | None) -> Cut:
        number = int(place.tag.rpartition("-")[2]) + 1
        inside = None if self._apart else sound
        cut = Cut(place.tag, "video", number, made.file, sound=inside, group=group)
        return _named(cut, place.asked)

    def _package(self, cuts: tuple[Cut, ...], *, last: bool) -> Package:
        place = self._place
        kind = "audio" if isinstance(place.asked, HlsAudio) else "video"
        return Package(place.tag, kind, place.index, place.asked, packing(place.asked), cuts, last)


def packing(asked: Ladder) -> Packing:
    """How an output is cut, named and protected. Raises ``MediaError``."""
    seconds = float(asked.segment_duration)
    match asked:
        case AdvancedDash():
            return Packing(
                hls=HLS_NAME if asked.create_m3u8_playlist else None,
                dash=asked.playlist_name,
                container="mp4",
                segment_duration=seconds,
                protection=_protection(asked),
            )
        case WebmDash():
            return Packing(
                hls=None, dash=asked.playlist_name, container="webm", segment_duration=seconds
            )
        case _:
            return Packing(
                hls=asked.playlist_name,
                container="mp4" if asked.fmp4 else "ts",
                segment_duration=seconds,
                i_frames_only=isinstance(asked, AdvancedHls) and asked.i_frames_only,
                single_folder=asked.single_folder,
                protection=_protection(asked),
            )


def _protection(asked: AdvancedHls | HlsAudio | AdvancedDash) -> Protection | None:
    if asked.cenc_drm is not None:
        drm = asked.cenc_drm
        return Cenc(
            key=from_hex(drm.key.get_secret_value(), "cenc_drm.key"),
            key_id=from_hex(drm.key_id, "cenc_drm.key_id"),
            pssh=b64decode(drm.pssh),
            iv=from_hex(drm.iv, "cenc_drm.iv") if drm.iv else None,
            la_url=drm.la_url,
        )
    if isinstance(asked, AdvancedDash):
        return None
    if asked.encryption is not None:
        aes = asked.encryption
        key = from_hex(aes.key.get_secret_value(), "encryption.key")
        return Aes128(key, from_hex(aes.iv, "encryption.iv"), aes.key_url)
    if asked.fps_drm is not None:
        fps = asked.fps_drm
        key = from_hex(fps.key.get_secret_value(), "fps_drm.key")
        return FairPlay(key, from_hex(fps.iv, "fps_drm.iv"), fps.key_url)
    return None


def _named(cut: Cut, asked: object) -> Cut:
    """With the names that the client gave the stream."""
    if not isinstance(asked, Stream | AudioStream):
        return cut
    return replace(cut, chunklist_name=asked.chunklist_name, user_tag=asked.tag)
