"""What manifests say of a ladder, held against what is really there."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8

from tests.media import probed, stream
from tests.transcoder.packaging.media import decoded_frames
from tests.transcoder.packaging.schema import NAMESPACES, read_mpd

#: ``profile_idc`` and the constraint flags as libx264 sets them, in hexadecimal.
_H264 = {"High": "6400", "Main": "4d40", "Constrained Baseline": "42c0"}


def codec_of(found: dict[str, Any]) -> str:
    """The beginning of a codec's name as in RFC 6381, from ffprobe's words."""
    match found["codec_name"]:
        case "h264":
            return f"avc1.{_H264[found['profile']]}{found['level']:02x}"
        case "hevc":
            return f"hvc1.1.6.L{found['level']}"
        case "av1":
            return f"av01.0.{found['level']:02d}"
        case "vp9":
            return "vp09.00."
        case "aac":
            return "mp4a.40.2"
        case other:
            return str(other)


def lengths(playlist: Path) -> list[float]:
    """The segments' lengths in seconds (EXTINF) as a media playlist has them."""
    return [segment.duration for segment in m3u8.load(str(playlist)).segments]


def check_media_playlist(path: Path) -> m3u8.M3U8:
    """Holds a media playlist against RFC 8216, and its files against the disk."""
    found = m3u8.load(str(path))
    assert found.is_endlist
    assert found.playlist_type == "vod"
    for segment in found.segments:
        assert (path.parent / segment.uri).stat().st_size
        assert round(segment.duration) <= found.target_duration
    return found


def bits(path: Path) -> int:
    """How many bits the segments of a media playlist have."""
    return 8 * sum(
        (path.parent / each.uri).stat().st_size for each in m3u8.load(str(path)).segments
    )


def check_master(home: Path, name: str, frames: int, tolerance: float = 1.02) -> m3u8.M3U8:
    """Holds a master playlist against its renditions: each decodes to ``frames`` frames.

    ``tolerance`` is by how much a rate may be above what the files' sizes say.
    """
    master = m3u8.load(str(home / name))
    assert master.playlists
    sounds: dict[str, list[Path]] = {}
    for each in master.media:
        if each.uri and each.type == "AUDIO":
            sounds.setdefault(each.group_id, []).append(home / each.uri)
            check_media_playlist(home / each.uri)
    for variant in master.playlists:
        _check_variant(home / variant.uri, variant.stream_info, frames, sounds, tolerance)
    return master


def _check_variant(
    path: Path, told: Any, frames: int, sounds: dict[str, list[Path]], tolerance: float
) -> None:
    playlist = check_media_playlist(path)
    streams = probed(path)["streams"]
    picture = next(each for each in streams if each["codec_type"] == "video")
    assert told.resolution == (picture["width"], picture["height"])
    above, below = (int(part) for part in picture["avg_frame_rate"].split("/"))
    assert abs(told.frame_rate - above / below) < 0.01 * told.frame_rate
    beside = sounds[told.audio] if told.audio else []
    heard = [each for file in (path, *beside) for each in _sounds(file)]
    codecs = told.codecs.split(",")
    assert codecs[0].startswith(codec_of(picture))
    assert codecs[1:] == sorted({codec_of(each) for each in heard})
    seconds = sum(segment.duration for segment in playlist.segments)
    average = (bits(path) + max(map(bits, beside), default=0)) / seconds
    assert average / 1.05 <= told.average_bandwidth <= average * tolerance
    assert told.bandwidth >= told.average_bandwidth
    assert decoded_frames(path) == frames


def _sounds(path: Path) -> list[dict[str, Any]]:
    return [each for each in probed(path)["streams"] if each["codec_type"] == "audio"]


def check_mpd(home: Path, name: str, frames: int, count: int) -> None:
    """Holds an MPD of ``count`` pictures against the schema, and each against what it names."""
    root = read_mpd((home / name).read_text())
    found = root.findall(".//d:AdaptationSet[@contentType='video']/d:Representation", NAMESPACES)
    assert len(found) == count
    for each in found:
        path = _whole(home, each)
        picture = stream(path, "video")
        assert picture is not None
        assert (int(each.get("width")), int(each.get("height"))) == (
            picture["width"],
            picture["height"],
        )
        assert each.get("codecs").startswith(codec_of(picture))
        seconds = frames / Fraction(each.get("frameRate"))
        assert int(each.get("bandwidth")) >= 0.9 * 8 * _media_size(home, each) / seconds
        assert decoded_frames(path) == frames
        path.unlink()
    assert len({tuple(_timeline(each)) for each in found}) == 1


def _files(representation: Any) -> tuple[str, list[str]]:
    (template,) = representation.iterfind("d:SegmentTemplate", NAMESPACES)
    count = len(list(_timeline(representation)))
    names = [template.get("media").replace("$Number$", str(1 + n)) for n in range(count)]
    return template.get("initialization"), names


def _timeline(representation: Any) -> Iterator[float]:
    (template,) = representation.iterfind("d:SegmentTemplate", NAMESPACES)
    for entry in template.iterfind(".//d:S", NAMESPACES):
        for _ in range(1 + int(entry.get("r", 0))):
            yield int(entry.get("d")) / int(template.get("timescale"))


def _media_size(home: Path, representation: Any) -> int:
    return sum((home / name).stat().st_size for name in _files(representation)[1])


def _whole(home: Path, representation: Any) -> Path:
    """All of a rendition as one file."""
    init, names = _files(representation)
    path = home / f"whole{Path(init).suffix}"
    path.write_bytes(b"".join((home / name).read_bytes() for name in (init, *names)))
    return path
