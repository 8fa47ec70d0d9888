"""Looking into media files with ffprobe.

A source may be hostile. Only demuxers that read one file and nothing else are
let near it: playlists, ``concat`` scripts and image patterns name other files,
and a service that follows them hands out whatever it can read itself.
"""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.streams import MAX_PIXELS, Probe, read_probe
from orchestrator.transcoder.toolchain import Toolchain

#: Containers that hold their media themselves (names of ``ffmpeg -demuxers``).
_DEMUXERS = (
    "aac,ac3,aiff,amr,asf,avi,caf,dv,eac3,flac,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,"
    "mp3,mpeg,mpegts,mpegvideo,mxf,nut,ogg,rm,wav,w64,wtv,yuv4mpegpipe"
)

#: Options of every input, ffprobe's and ffmpeg's alike: both must look equally
#: far into a file, or they number its streams differently.
INPUT_GUARDS = (
    *("-protocol_whitelist", "file"),
    *("-format_whitelist", _DEMUXERS),
    *("-probesize", "20M", "-analyzeduration", "20M"),
)
#: ffmpeg's own guard: a stream may grow after its header was probed.
DECODER_GUARDS = ("-max_pixels", str(MAX_PIXELS))

#: What is asked of a file; the ``metadata`` output gives all of it to clients.
_SHOWN = ("-show_format", "-show_streams", "-show_chapters", "-show_programs")

_PLAYLIST_NAMES = frozenset(
    {".m3u", ".m3u8", ".mpd", ".ffconcat", ".concat", ".ffcat", ".pls", ".xspf", ".asx", ".sdp"}
)
_PLAYLIST_SHAPES = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat\s|<\?xml|<MPD|<smil|\[playlist\]|\[reference\]|"
    rb"v=0\r?\no=|(?:#[^\n]*\n\s*)*(?:file|stream)\s+[\w'\"./])",
    re.IGNORECASE,
)

_TIME_LIMIT = 60.0
#: The longest source, and how few bytes a second of a long one may have.
_MOST_HOURS, _FEWEST_BYTES = 48, 10
_LONGEST_ANSWER = 64 << 20


async def probe_source(toolchain: Toolchain, path: Path, *, limit: float = _TIME_LIMIT) -> Probe:
    """Look into a file that a client sent; takes at most ``limit`` seconds.

    Raises ``MediaError`` where it is empty, no media file, cut short, has
    neither picture nor sound, names other files, or claims to last so long
    that nobody could encode it.
    """
    size = await asyncio.to_thread(_refuse_by_looks, path)
    found = await probe(toolchain, path, limit=limit)
    _refuse_by_length(found.duration or 0.0, size)
    return found


async def probe(toolchain: Toolchain, path: Path, *, limit: float = _TIME_LIMIT) -> Probe:
    """Look into a media file by its content alone. Raises ``MediaError``."""
    try:
        async with asyncio.timeout(limit):
            answer = await _ask(toolchain, path, *_SHOWN, "-of", "json")
            found = read_probe(_parsed(answer), path.name)
            return found if found.duration else await _measured(toolchain, path, found)
    except TimeoutError:
        raise MediaError(f"looking into the file took longer than {limit:g} seconds") from None


def input_name(path: Path) -> str:
    """How ffmpeg is told of a file, so that no name is an option, a URL or a pattern."""
    return f"file:{path.absolute()}"


def _refuse_by_length(duration: float, size: int) -> None:
    """A picture held for years costs a few bytes to claim, and years to encode."""
    hours = duration / 3600
    if hours > _MOST_HOURS:
        raise MediaError(
            f"the source lasts {hours:,.0f} hours, and at most {_MOST_HOURS} are taken; "
            "if it should be shorter, its times are damaged"
        )
    if hours > 1 and size / duration < _FEWEST_BYTES:
        raise MediaError(
            f"the source claims to last {hours:,.0f} hours in {size} bytes: its times are damaged"
        )


def _refuse_by_looks(path: Path) -> int:
    """The file's size, if it may be looked into."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise MediaError(f"the source can't be read: {error.strerror}") from error
    if not head:
        raise MediaError("the source is empty: it has 0 bytes")
    if path.suffix.lower() in _PLAYLIST_NAMES or _PLAYLIST_SHAPES.match(head):
        raise MediaError(
            "the source is a playlist or a script that names other files, not a media file; "
            "send the media itself"
        )
    return size


async def _ask(toolchain: Toolchain, path: Path, *wanted: str) -> bytes:
    command = (str(toolchain.ffprobe), "-v", "error", *INPUT_GUARDS, *wanted)
    async with child((*command, "-i", input_name(path))) as process:
        answer, errors = await process.communicate()
    if process.returncode or len(answer) > _LONGEST_ANSWER:
        reason = in_plain_words(errors.decode(errors="replace").splitlines(), path)
        raise MediaError(f"the file can't be used: {reason}")
    return answer


async def last_moment(toolchain: Toolchain, path: Path, stream: int) -> float | None:
    """Where the last frame of a stream begins, in seconds; reads the whole file.

    The truth where a header can't be trusted: an mp4's duration of a varying
    rate counts decoding times, and misses what is held at the end.
    """
    times = await _packets(toolchain, path, stream)
    return max((time for time in times if time is not None), default=None)


async def has_captions(toolchain: Toolchain, path: Path) -> bool:
    """Whether there are EIA-608/708 captions in a picture, by its first seconds.

    Where there are any, each frame has room for them (ANSI/CTA-708, 4.3).
    """
    entries = ("-show_entries", "frame_side_data=side_data_type", "-of", "csv=p=0")
    wanted = ("-select_streams", "v:0", "-read_intervals", "%+5", *entries)
    return b"ATSC A53" in await _ask(toolchain, path, *wanted)


async def keyframe_before(
    toolchain: Toolchain, path: Path, found: Probe, at: float, look_back: float
) -> tuple[float, float]:
    """When the picture's last keyframe at or before ``at`` is shown, and when it is decoded.

    In seconds from the file's start. ``look_back`` is how much earlier a search
    must begin, in files without an index.
    """
    origin = float((found.document.get("format") or {}).get("start_time") or 0.0)
    interval = f"{max(0.0, at - look_back) + origin:.6f}%{at + origin + 0.001:.6f}"
    wanted = ("-read_intervals", interval, "-select_streams", str(found.video[0].index))
    entries = ("-show_entries", "packet=pts_time,dts_time,flags", "-of", "csv=p=0")
    told = (await _ask(toolchain, path, *wanted, *entries)).decode()
    keys = re.findall(r"^(-?[0-9.]+),(-?[0-9.]+|N/A),K", told, re.MULTILINE)
    times = [(float(pts), float(pts if dts == "N/A" else dts)) for pts, dts in keys]
    near = [time for time in times if time[0] - origin <= at + 0.001]
    shown, decoded = max(near, default=(origin, origin))
    return shown - origin, max(0.0, decoded - origin)


async def _packets(toolchain: Toolchain, path: Path, stream: int) -> list[float | None]:
    """When each packet of a stream is shown; None for those that do not say."""
    entries = ("-select_streams", str(stream), "-show_entries", "packet=pts_time")
    told = (await _ask(toolchain, path, *entries, "-of", "csv=p=0")).decode().split()
    return [float(time.strip(",")) if re.match(r"-?[0-9]", time) else None for time in told]


async def _measured(toolchain: Toolchain, path: Path, found: Probe) -> Probe:
    """The probe of a file that does not say how long it is: its packets do."""
    index = found.video[0].index if found.video else found.audio[0].index
    packets = await _packets(toolchain, path, index)
    times = [time for time in packets if time is not None]
    if len(times) > 1:
        span = max(times) - min(times)
        return replace(found, duration=span + span / (len(times) - 1))
    rate = found.video[0].rate if found.video else None
    return replace(found, duration=float(len(packets) / rate)) if rate and packets else found


def _parsed(answer: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError):
        document = json.loads(answer)
        if isinstance(document, dict):
            return document
    raise MediaError("the file can't be used: what ffprobe says of it can't be read")
