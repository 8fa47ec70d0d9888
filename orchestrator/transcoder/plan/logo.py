"""Images laid over a video, as side chains of its filter graph.

An image is a stranger's file. It is opened by what its first bytes say it is,
PNG or JPEG alone, so that no playlist or SVG named ``logo.png`` makes ffmpeg
read another file; its size is bounded before anything decodes it.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.query import Logo
from orchestrator.transcoder.ports import MediaError

#: Bytes of the file, and pixels of the image: four bytes each while it is drawn.
_LARGEST_FILE, _MOST_PIXELS = 32 << 20, 4096 * 4096
_LONGEST_SIDE = 8192

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_END: Final = b"IEND"
_JPEG: Final = b"\xff\xd8\xff"
#: Markers of JPEG that stand alone, and those that begin a frame (ITU-T T.81, B.1.1.3).
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SCAN = 0xDA


def laid_over(
    logos: Sequence[tuple[Logo, Path]],
    tag: str,
    *,
    pixels: str,
    colours: str,
    marks: str,
    lead: float,
) -> str:
    """The filters that draw ``logos`` onto a picture, the first one lowest.

    ``pixels`` is the overlay's format (``yuv420``, ``yuv422``, ``rgb``),
    ``colours`` are the scaler's options that make RGB the picture's colours
    and ``marks`` the filter that marks them as such. ``lead`` is the second of
    the chain at which the output begins. Raises ``MediaError`` for a file that
    is no PNG or JPEG, or too large a one.
    """
    chain = "null"
    for number, (logo, path) in enumerate(logos):
        below, image = f"{tag}-below-{number}", f"{tag}-logo-{number}"
        fade = f",colorchannelmixer=aa={logo.opacity:g}" if logo.opacity < 1 else ""
        drawn = f",scale={colours},format={_WITH_ALPHA[pixels]},{marks}" if colours else ""
        chain += (
            f"[{below}];movie=filename={_quoted(path)}:format_name={_demuxer(path, tag)},"
            f"format=rgba{fade}{drawn}[{image}];"
            f"[{below}][{image}]overlay=x={_from('x', logo.x)}:y={_from('y', logo.y)}:"
            f"format={pixels}{_shown(logo, lead)}"
        )
    return chain


_WITH_ALPHA: Final = {"yuv420": "yuva420p", "yuv422": "yuva422p", "rgb": "rgba"}


def _from(axis: str, offset: int) -> str:
    """The place of an image along an axis; a negative one counts from the far end."""
    far = {"x": "main_w-overlay_w", "y": "main_h-overlay_h"}[axis]
    return str(offset) if offset >= 0 else f"{far}{offset}"


def _shown(logo: Logo, lead: float) -> str:
    """When it is shown: from its start on, up to but not at its end."""
    if not logo.start_time and logo.duration is None:
        return ""
    begin = lead + logo.start_time
    # Times of frames are rounded: a frame belongs to the moment it is closest to.
    shown = f"gte(t,{begin - _ROUNDED:.6f})"
    if logo.duration is not None:
        shown += f"*lt(t,{begin + logo.duration - _ROUNDED:.6f})"
    return f":enable='{shown}'"


#: Seconds; less than a tenth of the shortest frame that the query allows.
_ROUNDED = 0.0002


def _quoted(path: Path) -> str:
    """A path as an option of a filter: escaped for the option, then for the graph."""
    text = str(path.absolute())
    for special in ("\\", "'", ":"):
        text = text.replace(special, "\\" + special)
    for special in ("\\", "'", "[", "]", ",", ";"):
        text = text.replace(special, "\\" + special)
    return text


def _demuxer(path: Path, tag: str) -> str:
    """ffmpeg's name for what the file is. Blocks for as long as a small file takes."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise MediaError(f"{tag}: logo: the file has more than {_LARGEST_FILE >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{tag}: logo: the file can't be read: {error.strerror}") from error
    if data.startswith(_PNG):
        kind, size = "png_pipe", _png_size(data)
    elif data.startswith(_JPEG):
        kind, size = "jpeg_pipe", _jpeg_size(data)
    else:
        raise MediaError(f"{tag}: logo: the file is neither a PNG nor a JPEG image")
    if size is None:
        raise MediaError(f"{tag}: logo: the image is damaged or cut short")
    width, height = size
    if max(size) > _LONGEST_SIDE or width * height > _MOST_PIXELS:
        raise MediaError(
            f"{tag}: logo: the image has {width}x{height} pixels; at most {_MOST_PIXELS} are "
            f"taken, and {_LONGEST_SIDE} on a side"
        )
    return kind


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a whole PNG: every chunk there, with the checksum it claims."""
    size, at = None, len(_PNG)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        claimed = int.from_bytes(data[at + 8 + length : at + 12 + length])
        if len(body) < length or zlib.crc32(kind + body) != claimed:
            return None
        if kind == b"IHDR" and length == 13:
            size = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
        if kind == _PNG_END:
            return size if size and all(size) else None
        at += 12 + length
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that has its end."""
    at = 2
    if b"\xff\xd9" not in data[-1024:]:
        return None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SCAN:
            return None
        if marker in _FRAMES:
            height, width = (int.from_bytes(data[at + n : at + n + 2]) for n in (5, 7))
            return (width, height) if width and height else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
