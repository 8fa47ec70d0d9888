"""Proof that an output is what was asked for, before anybody is told of it.

ffmpeg ends well on a source that is cut off in the middle: what it could read
is encoded. So an output's length is held against what the source promised. A
source whose rate varies may hold its last frame for long, which looks the same:
there, only a decoder that complained makes it an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from orchestrator.query import Thumbnail, Thumbnails
from orchestrator.query.outputs import AudioStream as AskedSound
from orchestrator.query.outputs import Stream
from orchestrator.transcoder import vtt
from orchestrator.transcoder.plan import Rendition
from orchestrator.transcoder.plan.images import IMAGE_NAMES
from orchestrator.transcoder.ports import MediaError, Produced
from orchestrator.transcoder.probe import last_moment, probe
from orchestrator.transcoder.streams import AudioStream, Probe, VideoStream
from orchestrator.transcoder.toolchain import Toolchain

#: The file beside interval thumbnails that names them.
VTT_NAME = "thumbnails.vtt"

#: An output may miss this share of the source's promise: containers round, and
#: a last frame or two may be damaged. At least and at most these seconds.
_SHARE, _LEAST, _MOST = 0.01, 0.5, 5.0

_PNG = (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")
_JPEG = (b"\xff\xd8", b"\xff\xd9")


async def check_media(
    toolchain: Toolchain, made: Rendition, folder: Path, *, complained: bool
) -> Probe:
    """What is in the file that was written; ``complained``: the decoder did, about the source.

    Raises ``MediaError`` where it isn't whole.
    """
    path = folder / made.file
    _written(path)
    found = await probe(toolchain, path)
    if made.sound and not found.audio:
        raise MediaError("the source's sound did not arrive in the output")
    if len(found.video) + len(found.audio) + len(found.subtitles) < len(made.copied):
        raise MediaError("a stream of the source did not arrive in the output")
    if len(found.subtitles) < len(made.further):
        raise MediaError("subtitles did not arrive in the output")
    if made.picture is None:
        _check_length(found.duration or 0.0, made, complained=complained)
        return found
    if not found.video:
        raise MediaError("the video has no picture")
    picture = found.video[0]
    if (picture.width, picture.height) != (made.width, made.height):
        raise MediaError(f"the video is {picture.width}x{picture.height}, not as asked for")
    end = found.picture_end or 0.0
    if _is_short(end, made.seconds):
        end = max(end, await last_moment(toolchain, path, picture.index) or 0.0)
    _check_length(end, made, complained=complained)
    return found


def media_output(made: Rendition, folder: Path, found: Probe) -> Produced:
    """A file of picture or sound as an output; ``found`` is what is in it."""
    if isinstance(made.asked, Stream | AskedSound):
        raise TypeError(f"{made.tag} is no output by itself")
    path = folder / made.file
    return Produced(
        tag=made.tag,
        kind=made.kind,
        output=made.asked.output,
        format_index=made.index,
        path=path,
        user_tag=made.asked.tag,
        size=path.stat().st_size,
        duration=found.duration,
        bitrate=round(found.bitrate / 1000) if found.bitrate else None,
        meta=media_meta(found),
    )


def media_meta(found: Probe) -> dict[str, Any]:
    """The ``meta`` of a file: its picture's, or its sound's where that is all there is."""
    if found.video:
        return video_meta(found, found.video[0])
    return audio_meta(found, found.audio[0])


def _is_short(decoded: float, promised: float | None) -> bool:
    """Whether a picture ends well before its source says it does."""
    if promised is None:
        return False
    return decoded < promised - min(max(_LEAST, promised * _SHARE), _MOST)


def _check_length(decoded: float, made: Rendition, *, complained: bool) -> None:
    if _is_short(decoded, made.seconds) and (made.certain or complained):
        raise MediaError(
            f"decoded only {decoded:.1f} s of {made.seconds:.1f} s: "
            "the source is cut short or damaged"
        )


def check_image(made: Rendition, folder: Path) -> Produced:
    """The image that was written. Blocks. Raises ``MediaError`` where it isn't whole."""
    path = folder / made.file
    whole_image(path)
    return _image(made, path, path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Row:
    """Images all along a source, in order, and where the last of them ends, in seconds."""

    images: tuple[Path, ...]
    end: float


def check_row(made: Rendition, folder: Path, duration: float | None, *, complained: bool) -> Row:
    """The row of images that was written, less those that could never be shown. Blocks.

    ``duration`` is the source's; ``complained`` as for ``check_media``. Raises
    ``MediaError`` where images are missing.
    """
    interval = _thumbnails(made).interval
    pattern = folder / made.file
    names = f"{IMAGE_NAMES.partition('%')[0]}*{pattern.suffix}"
    count = sum(1 for _ in pattern.parent.glob(names))
    if not count:
        raise MediaError("no image could be made")
    _check_length(count * interval, made, complained=complained)
    end = max(max(duration or 0.0, made.seconds or 0.0) or count * interval, 0.001)
    row = Row(vtt.shown(pattern.parent, names, interval, end), end)
    for image in row.images:
        whole_image(image)
    return row


def row_output(made: Rendition, folder: Path, row: Row, references: Sequence[str]) -> Produced:
    """A row of images as an output, with the WebVTT file that names them. Blocks.

    ``references`` are the images as that file names them, one for each.
    """
    home = (folder / made.file).parent
    text = vtt.render(references, _thumbnails(made).interval, row.end)
    (home / VTT_NAME).write_text(text, encoding="utf-8")
    size = sum(file.stat().st_size for file in home.iterdir())
    return _image(made, home, size, entry=VTT_NAME, count=len(references))


def _thumbnails(made: Rendition) -> Thumbnails:
    if not isinstance(made.asked, Thumbnails):
        raise TypeError(f"{made.tag} is no row of images")
    return made.asked


def video_meta(found: Probe, picture: VideoStream) -> dict[str, Any]:
    """A video's ``meta`` as the documents show it in a finished task's status."""
    bitrate = picture.bitrate or found.bitrate
    shape = Fraction(picture.width, picture.height) * picture.sar
    return {
        "width": picture.width,
        "height": picture.height,
        "resolution": min(picture.width, picture.height),
        "resolution_width": picture.width,
        "resolution_height": picture.height,
        "framerate": _ratio(picture.rate, "/") if picture.rate else None,
        "codec": picture.codec,
        "bitrate": str(bitrate) if bitrate else None,
        "dar": _ratio(shape, ":"),
        "sar": _ratio(picture.sar, ":"),
    }


def audio_meta(found: Probe, sound: AudioStream) -> dict[str, Any]:
    """A sound's ``meta`` as the documents show it."""
    return {
        "index": sound.index,
        "channels": sound.channels,
        "bit_rate": found.bitrate,
        "codec": sound.codec,
        "sample_rate": sound.rate,
    }


def _image(
    made: Rendition, path: Path, size: int, *, entry: str | None = None, **more: Any
) -> Produced:
    if not isinstance(made.asked, Thumbnail | Thumbnails):
        raise TypeError(f"{made.tag} is no image")
    return Produced(
        tag=made.tag,
        kind=made.kind,
        output=made.asked.output,
        format_index=made.index,
        path=path,
        user_tag=made.asked.tag,
        entry=entry,
        size=size,
        meta={
            "width": made.width,
            "height": made.height,
            "format": made.asked.image_format,
            **more,
        },
    )


def _written(path: Path) -> None:
    if not path.is_file() or not path.stat().st_size:
        raise MediaError("nothing was written; the source may hold no picture there")


def whole_image(path: Path) -> None:
    """Raise ``MediaError`` unless an image begins and ends as its format says. Blocks."""
    _written(path)
    data = path.read_bytes()
    if not any(data.startswith(first) and data.endswith(last) for first, last in (_PNG, _JPEG)):
        raise MediaError(f"the image {path.name} was not written whole")


def _ratio(value: Fraction, divider: str) -> str:
    return f"{value.numerator}{divider}{value.denominator}"
