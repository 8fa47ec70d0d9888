"""What each output of a job should be, by the job's query. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from orchestrator.model.items import Item, Output
from orchestrator.query.frame import FrameSides
from orchestrator.query.outputs import (
    OUTPUTS,
    AdvancedDash,
    AdvancedHls,
    AudioStream,
    Flac,
    Format,
    Gif,
    HlsAudio,
    Metadata,
    Mp3,
    Mp4,
    Repack,
    SpeechToText,
    Stream,
    Streaming,
    Thumbnail,
    Thumbnails,
    Vmaf,
    Webm,
    WebmDash,
    kind_of,
)
from orchestrator.query.templates import DocumentTemplate


class Shape(StrEnum):
    """What kind of thing an output is."""

    #: One file with streams.
    MEDIA = "media"
    #: One still image.
    IMAGE = "image"
    #: A folder of images and the WebVTT file that names them.
    IMAGES = "images"
    #: A JSON document.
    JSON = "json"
    #: A folder of playlists and segments.
    STREAMING = "streaming"
    #: A folder of what is said in the source, as text and as subtitles.
    TRANSCRIPT = "transcript"


#: What ffprobe calls that which an encoder makes.
_CODECS = {
    "libx264": "h264",
    "libx265": "hevc",
    "libsvtav1": "av1",
    "libvpx": "vp8",
    "libvpx-vp9": "vp9",
    "aac": "aac",
    "libfdk_aac": "aac",
    "mp3": "mp3",
    "libvorbis": "vorbis",
    "libopus": "opus",
    "flac": "flac",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What one output should be.

    ``streams`` holds ffprobe's words for what is in it: ``video`` and the like;
    ``if_in_source`` those that only a source which has them gives. ``frame`` is
    width and height where the query names both; a service that was not asked to
    ``upscale`` may leave a smaller source as it is. ``start`` and ``length`` say
    which part of the source it holds, in seconds; without ``length`` all the rest.
    ``files`` are names that its folder has, a streaming output's master playlist
    first; ``may_be`` are names that it may have. ``picture`` and ``sound`` are
    ffprobe's names of the codecs, "" where the query names none. ``folder`` is a
    name for a ladder, which has no tag of its own: the one that its streams share,
    else the output's (``advanced_hls``, ``advanced_hls-2``).
    """

    shape: Shape
    streams: frozenset[str] = frozenset()
    if_in_source: frozenset[str] = frozenset()
    frame: tuple[int, int] | None = None
    upscale: bool = False
    image_format: str = ""
    start: float = 0.0
    length: float | None = None
    files: tuple[str, ...] = ()
    may_be: tuple[str, ...] = ()
    picture: str = ""
    sound: str = ""
    folder: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The files of a folder in which no file names the others."""
        return self.files if self.shape is Shape.TRANSCRIPT else ()

    def seconds(self, source: float) -> float:
        """How long it should be, of a source of so many seconds."""
        left = max(0.0, source - self.start)
        return left if self.length is None else min(self.length, left)


@dataclass(frozen=True, slots=True)
class _Made:
    """What one output of a status answer was made for."""

    wanted: Format
    tag: str | None
    stream: Stream | AudioStream | None = None
    folder: str = ""


class Expectations:
    """Tells what an item's outputs should be. Made once per job."""

    def __init__(self, query: Mapping[str, Any]) -> None:
        formats = query.get("format")
        wanted = [_telling(each) for each in formats] if isinstance(formats, list) else []
        # Only what an expectation depends on, so that most jobs have one for all items.
        self._query = DocumentTemplate({"format": wanted, "upscale": query.get("upscale", 0)})
        self._same = None if self._query.names else _read(self._query.render({}))

    def of(self, item: Item, output: Output) -> Expected | None:
        """What ``output`` should be; None where the query does not tell."""
        formats, upscale = self._same or _read(self._query.render(item.fields))
        found = _format_of(output, formats)
        return None if found is None else _expected(found, upscale=upscale)


#: Where an output is stored and how it is protected: may be secrets, and say nothing of it.
_UNTOLD = frozenset({"destination", "encryption", "cenc_drm", "fps_drm"})


def _telling(wanted: Any) -> Any:
    """A format as far as it says what the output is."""
    if not isinstance(wanted, Mapping):
        return {}
    return {name: value for name, value in wanted.items() if name not in _UNTOLD}


def _read(query: Mapping[str, Any]) -> tuple[list[Format | None], bool]:
    formats = [_format(wanted) for wanted in query["format"]]
    return formats, query["upscale"] in (1, "1", True, "true")


def _format(wanted: Mapping[str, Any]) -> Format | None:
    model = OUTPUTS.get(str(wanted.get("output")))
    if model is None:
        return None
    try:
        return model.model_validate(wanted)
    except ValidationError:
        # A value that only the service can make sense of, such as a secret's.
        return None


def _format_of(output: Output, formats: Sequence[Format | None]) -> _Made | None:
    """What an output was made for.

    By the client's own tag where that names one; else by its place among those
    of its kind, which a system tag ends in.
    """
    made = _made(formats)
    named = [each for group in made for each in group if each.tag and each.tag == output.user_tag]
    if len(named) == 1:
        return named[0]
    if None in formats:
        return None  # places can't be counted
    return _at_place(
        output.tag, [group for group in made if kind_of(group[0].wanted) == output.kind]
    )


def _at_place(tag: str, groups: Sequence[Sequence[_Made]]) -> _Made | None:
    """What a system tag names among the outputs of its kind, each a group of its streams.

    ``video-0-1-2`` is the third stream of the second output. With one number less
    streams are counted like outputs, where there is nothing else.
    """
    each = [one for group in groups for one in group]
    if len(each) == 1:
        return each[0]
    numbers = [int(part) for part in tag.split("-")[1:] if part.isascii() and part.isdecimal()]
    match numbers:
        case [_, output, stream] if output < len(groups) and stream < len(groups[output]):
            return groups[output][stream]
        case [*_, place] if len(numbers) < 3 and place < len(each):
            ladders = [bool(one.folder) for one in each]
            if all(ladders) or not any(ladders):
                return each[place]
            alone = place < len(groups) and not groups[place][0].folder
            return groups[place][0] if alone else None
    return None


def _made(formats: Sequence[Format | None]) -> list[list[_Made]]:
    """The outputs that status answers tell of: of a streaming one, each of its streams."""
    seen: Counter[str] = Counter()
    found: list[list[_Made]] = []
    for wanted in formats:
        if wanted is None:
            continue
        seen[wanted.output] += 1
        if isinstance(wanted, AdvancedHls | AdvancedDash | WebmDash | HlsAudio):
            folder = _folder(wanted, seen[wanted.output])
            found.append([_Made(wanted, each.tag, each, folder) for each in wanted.stream])
        else:
            found.append([_Made(wanted, wanted.tag)])
    return found


def _folder(wanted: AdvancedHls | AdvancedDash | WebmDash | HlsAudio, number: int) -> str:
    tags = {stream.tag for stream in wanted.stream}
    shared = tags.pop() if len(tags) == 1 else None
    return shared or (wanted.output if number == 1 else f"{wanted.output}-{number}")


def _expected(made: _Made, *, upscale: bool) -> Expected | None:
    match made.wanted:
        case Thumbnail() | Thumbnails() as image:
            shape = Shape.IMAGE if isinstance(image, Thumbnail) else Shape.IMAGES
            kind = image.image_format
            # A sprite's size hangs on how many images there will be.
            frame = None if isinstance(image, Thumbnails) and image.sprite else _frame(image)
            return Expected(shape, frame=frame, upscale=True, image_format=kind)
        case Metadata() | Vmaf():
            return Expected(Shape.JSON)
        case SpeechToText() as text:
            return Expected(Shape.TRANSCRIPT, files=text.files, may_be=_translated(text))
        case Repack() as copied:
            return _repacked(copied)
        case Mp3() | Flac() as sound:
            start, length = sound.start_time, sound.duration
            return Expected(Shape.MEDIA, frozenset({"audio"}), start=start, length=length)
        case _ as moving:
            return replace(_moving(moving, made.stream, upscale=upscale), folder=made.folder)


def _moving(
    wanted: Mp4 | Webm | Gif | AdvancedHls | AdvancedDash | WebmDash | HlsAudio,
    stream: Stream | AudioStream | None,
    *,
    upscale: bool,
) -> Expected:
    made_by = wanted if isinstance(wanted, Mp4 | Webm | Gif) else stream
    sides = made_by if isinstance(made_by, FrameSides) else None
    streaming = isinstance(wanted, Streaming)
    sound = isinstance(wanted, HlsAudio)
    return Expected(
        Shape.STREAMING if streaming else Shape.MEDIA,
        streams=frozenset({"audio" if sound else "video"}),
        if_in_source=frozenset() if sound or isinstance(wanted, Gif) else frozenset({"audio"}),
        frame=_frame(sides) if sides else None,
        upscale=upscale,
        start=wanted.start_time,
        length=wanted.duration,
        files=wanted.playlists if isinstance(wanted, Streaming) else (),
        picture=_codec(made_by, "video_codec"),
        sound=_codec(made_by, "audio_codec"),
    )


def _codec(wanted: Mp4 | Webm | Gif | Stream | AudioStream | None, field: str) -> str:
    """What the query itself names; a default is the service's own affair."""
    if wanted is None or field not in wanted.model_fields_set:
        return ""
    return _CODECS[getattr(wanted, field)]


def _translated(text: SpeechToText) -> tuple[str, ...]:
    """Names of translations: ``subtitles-en.srt``."""
    paths = [PurePath(name) for name in text.files]
    codes = text.translate_languages
    return tuple(f"{path.stem}-{code}{path.suffix}" for code in codes for path in paths)


def _repacked(wanted: Repack) -> Expected | None:
    """None for a clip: streams that are copied begin at a keyframe, nobody knows which."""
    if wanted.start_time or wanted.duration is not None:
        return None
    kept = {"video": wanted.video_copy, "audio": wanted.audio_copy}
    there = frozenset(name for name, copied in kept.items() if copied)
    return Expected(Shape.MEDIA, if_in_source=there)


def _frame(wanted: FrameSides) -> tuple[int, int] | None:
    """``resolution`` overrules the sides, and leaves one of them to the source."""
    width, height = wanted.box
    if width is None or height is None or wanted.resolution is not None:
        return None
    return width, height
