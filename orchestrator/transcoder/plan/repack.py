"""``repack``: the source's streams as they are, in another container.

Nothing is decoded, so a part can only begin at a keyframe: the one before the
moment that was asked for, so that nothing is missing.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from orchestrator.query import Repack
from orchestrator.transcoder.plan.containers import CONTAINERS, Container
from orchestrator.transcoder.plan.context import Context, Keyframe, Place, Wanted
from orchestrator.transcoder.plan.steps import Rendition
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import TEXT_CODECS, AudioStream, SubtitleStream, VideoStream

#: Seconds: reading begins a moment before the keyframe, whose time was rounded.
_BEFORE = 0.001
#: Packets before the part's beginning are dropped, the sound's as well.
_COPY = ("-c", "copy", "-copypriorss", "0")
#: A keyframe as near as this (seconds) is where it was asked to be.
_SAME = 0.05


def repacked(context: Context, place: Place[Repack]) -> Wanted:
    """The output, and the part of the source that it holds.

    Raises ``MediaError`` where the container can't hold what is copied.
    """
    if context.material.stitched:
        raise MediaError(
            f"{place.tag}: repack copies one source as it is, so it can't join several or "
            "cut one inside a stitch list; ask for mp4"
        )
    ending, container = _container(place)
    # A start behind the end is refused as for any output.
    context.seconds(place.tag, place.asked.start_time, place.asked.duration)
    copied, options = _Streams(context, place, ending, container).chosen()
    start, duration = _part(context, place)
    made = Rendition(
        tag=place.tag,
        kind="video",
        index=place.index,
        asked=place.asked,
        file=f"{place.tag}.{ending}",
        copied=copied,
        options=(*options, *_about(place.asked), *container.options, "-f", container.muxer),
        seconds=_length(context, place, start.shown, duration),
    )
    return Wanted(made, max(0.0, start.read - _BEFORE), duration)


def _container(place: Place[Repack]) -> tuple[str, Container]:
    """By the destination's name; by ``file_extension`` where that has no ending."""
    names = (urlsplit(each.url).path for each in place.asked.destination)
    endings = {PurePosixPath(name).suffix[1:].lower() for name in names} - {""}
    if len(endings) > 1:
        told = " and ".join(f".{each}" for each in sorted(endings))
        raise MediaError(f"{place.tag}: the destinations name two containers, {told}")
    field = "destination" if endings else "file_extension"
    ending = next(iter(endings), place.asked.file_extension.lower())
    if ending not in CONTAINERS:
        raise MediaError(
            f"{place.tag}: {field} asks for .{ending}, which is no container that streams are "
            f"copied into here; use {', '.join(CONTAINERS)}"
        )
    return ending, CONTAINERS[ending]


def _part(context: Context, place: Place[Repack]) -> tuple[Keyframe, float | None]:
    """From the keyframe before the start to the end that was asked for."""
    asked = place.asked
    here = Keyframe(asked.start_time, asked.start_time)
    if not context.material.probe.video or not asked.video_copy:
        return here, asked.duration
    before = context.means.keyframes.get(asked.start_time, here)
    if asked.start_time - before.shown <= _SAME:
        return before, asked.duration
    context.warn(
        f"{place.tag} begins at {before.shown:.3f} s of the source, not at "
        f"{asked.start_time:g} s: what is copied can only begin at a keyframe"
    )
    more = asked.start_time - before.shown
    return before, None if asked.duration is None else more + asked.duration


def _length(
    context: Context, place: Place[Repack], start: float, duration: float | None
) -> float | None:
    if context.material.probe.video and place.asked.video_copy:
        return context.seconds(place.tag, start, duration)
    return context.heard(place.tag, start, duration)


def _about(asked: Repack) -> tuple[str, ...]:
    """Titles, languages and chapters: those of the source, or none."""
    return () if asked.metadata_copy else ("-map_metadata", "-1", "-map_chapters", "-1")


class _Streams:
    """The streams that are copied, and their options."""

    def __init__(
        self, context: Context, place: Place[Repack], ending: str, container: Container
    ) -> None:
        self._context, self._place = context, place
        self._ending, self._container = ending, container

    def chosen(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """ffmpeg's names of the streams, and the options that they need."""
        asked, probe = self._place.asked, self._context.material.probe
        video = probe.video if asked.video_copy else ()
        sounds = self._sounds() if asked.audio_copy else ()
        if not video and not sounds:
            raise MediaError(
                f"{self._place.tag}: nothing of the source's picture and sound is left to copy"
            )
        self._check("picture", video, self._container.video)
        self._check("sound", sounds, self._container.sound)
        texts = tuple(self._texts()) if asked.subtitles_copy else ()
        made = [word for n, (_, codec) in enumerate(texts) for word in (f"-c:s:{n}", codec)]
        kept = [each.index for each in video]
        kept += [each.index for each in sounds]
        kept += [text.index for text, _ in texts]
        return tuple(f"0:{index}" for index in kept), (*_COPY, *made, *self._tag(video))

    def _sounds(self) -> tuple[AudioStream, ...]:
        sounds = self._context.material.probe.audio
        if not self._container.single or len(sounds) < 2:
            return sounds
        self._context.warn(
            f"{self._place.tag} holds the first of the source's {len(sounds)} sound tracks: "
            f".{self._ending} has room for one"
        )
        return sounds[:1]

    def _check(
        self,
        what: str,
        streams: Sequence[VideoStream | AudioStream],
        held: frozenset[str] | None,
    ) -> None:
        missing = [each.codec for each in streams if held is not None and each.codec not in held]
        if not missing:
            return
        field = "video_copy" if what == "picture" else "audio_copy"
        raise MediaError(
            f"{self._place.tag}: .{self._ending} can't hold the source's {what} ({missing[0]}): "
            f"take another container, as .mkv, or leave it out with {field} 0"
        )

    def _texts(self) -> Iterator[tuple[SubtitleStream, str]]:
        """The subtitles that the container has a place for, and the codec of each."""
        for each in self._context.material.probe.subtitles:
            if each.codec in self._container.subtitles:
                yield each, "copy"
            elif each.codec in TEXT_CODECS and self._container.text is not None:
                yield each, self._container.text
            else:
                self._context.warn(
                    f"{self._place.tag} is without the source's subtitles in stream {each.index} "
                    f"({each.codec}): .{self._ending} can't hold them"
                )

    def _tag(self, video: Sequence[VideoStream]) -> tuple[str, ...]:
        """Apple's players look for ``hvc1``."""
        hevc = bool(video) and video[0].codec == "hevc"
        return ("-tag:v:0", "hvc1") if hevc and self._container.muxer in ("mp4", "mov") else ()
