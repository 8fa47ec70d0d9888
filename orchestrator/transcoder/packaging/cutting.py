"""Cutting one encoded stream into segments with Shaka Packager."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from orchestrator.transcoder.packaging.drm import packager_flags
from orchestrator.transcoder.packaging.packager import Packager
from orchestrator.transcoder.packaging.packing import Packing
from orchestrator.transcoder.packaging.places import Names
from orchestrator.transcoder.packaging.playlists import read_parts
from orchestrator.transcoder.packaging.rendition import IFrame, Segment

#: Where transport streams begin, so that reordered pictures never need a time below 0.
TS_START_MS = 1400

_MPD = "{urn:mpeg:dash:schema:mpd:2011}"
#: An mp4's own timescale is exact; a playlist's times are read in these.
PLAYLIST_TIMESCALE = 1_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """Segments on disk, in the folder that they were cut in; names as they are to stay."""

    segments: tuple[Segment, ...]
    timescale: int
    init: str | None = None
    i_frames: tuple[IFrame, ...] = ()


async def cut(
    packager: Packager, work: Path, file: str, names: Names, packing: Packing, *, i_frames: bool
) -> Cut:
    """Cut ``file`` (in ``work``) at its keyframes. Raises ``MediaError``.

    The packager sees names of ours alone, for its arguments are a language of
    their own; the segments get their true names afterwards.
    """
    own = Names("s", names.format)
    stream = f"in={file},stream=0,segment_template={own.media},playlist_name=p.m3u8"
    if own.init:
        stream += f",init_segment={own.init}"
    if i_frames:
        stream += ",iframe_playlist_name=i.m3u8"
    flags: dict[str, str | None] = {
        "segment_duration": f"{packing.segment_duration:g}",
        "transport_stream_timestamp_offset_ms": str(TS_START_MS),
        **packager_flags(packing.protection),
    }
    if i_frames:
        # A fragment begins at each keyframe then: in fMP4 one per fragment is told of.
        flags["fragment_duration"] = "0.001"
    if names.format != "webm":
        flags["hls_master_playlist_output"] = "m.m3u8"
    if names.format != "ts":
        flags |= {"mpd_output": "m.mpd", "generate_static_live_mpd": None}
    await packager.run(work, stream, flags)
    return await asyncio.to_thread(_taken, work, own, names, i_frames=i_frames)


def _taken(work: Path, own: Names, names: Names, *, i_frames: bool) -> Cut:
    if names.format == "ts":
        timescale = PLAYLIST_TIMESCALE
        times = [(start, length) for _, start, length in read_parts((work / "p.m3u8").read_text())]
    else:
        timescale, times = _timeline((work / "m.mpd").read_bytes())
    segments = tuple(
        _renamed(work, own, names, number, time) for number, time in enumerate(times, 1)
    )
    if own.init and names.init:
        (work / own.init).rename(work / names.init)
    frames = tuple(_i_frames((work / "i.m3u8").read_text(), own, names)) if i_frames else ()
    return Cut(segments, timescale, names.init, frames)


def _renamed(work: Path, own: Names, names: Names, number: int, time: tuple[int, int]) -> Segment:
    path = (work / own.segment(number)).rename(work / names.segment(number))
    return Segment(path.name, *time, path.stat().st_size)


def _timeline(document: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Timescale, and start and duration of each segment (ISO/IEC 23009-1, 5.3.9.6)."""
    template = ElementTree.fromstring(document).find(f".//{_MPD}SegmentTemplate")  # noqa: S314 - our packager wrote it
    if template is None:
        return 1, []
    times: list[tuple[int, int]] = []
    at = 0
    for entry in template.iter(f"{_MPD}S"):
        at = int(entry.get("t", at))
        length = int(entry.get("d", 0))
        for _ in range(1 + int(entry.get("r", 0))):
            times.append((at, length))
            at += length
    return int(template.get("timescale", 1)), times


def _i_frames(playlist: str, own: Names, names: Names) -> Iterator[IFrame]:
    numbers = {own.segment(number): names.segment(number) for number in range(1, 1 + len(playlist))}
    lines = iter(playlist.splitlines())
    seconds, size, offset = 0.0, 0, 0
    for line in lines:
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            seconds = float(value.rstrip(","))
        elif tag == "#EXT-X-BYTERANGE":
            size, offset = (int(number) for number in value.split("@"))
        elif line in numbers:
            yield IFrame(numbers[line], offset, size, seconds)
