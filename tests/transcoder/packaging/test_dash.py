"""DASH and CMAF outputs: they decode to the last frame, by the standard."""

from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from orchestrator.transcoder.packaging import Caption, Packing, Rendition, Track, manifests
from orchestrator.transcoder.ports import MediaError
from tests.transcoder.packaging.media import (
    FRAMES,
    SECONDS,
    SUBTITLES,
    Tracks,
    decoded_frames,
    files_in,
    package,
    sound_seconds,
)
from tests.transcoder.packaging.schema import NAMESPACES, read_mpd

DASH = Packing(hls=None, dash="playlist.mpd", container="mp4", segment_duration=1)
WEBM = replace(DASH, container="webm")


def _named_files(text: str) -> list[str]:
    """Every segment that a manifest names, as the standard expands its templates (5.3.9.4)."""
    files: list[str] = []
    for template in read_mpd(text).iterfind(".//d:SegmentTemplate", NAMESPACES):
        files.append(str(template.get("initialization")))
        count = sum(1 + int(each.get("r", 0)) for each in template.iterfind(".//d:S", NAMESPACES))
        media = str(template.get("media"))
        files += [media.replace("$Number$", str(number)) for number in range(1, count + 1)]
    return files


async def test_ladder(tmp_path: Path, track_file: Tracks) -> None:
    tracks = (
        Track(track_file("small.mp4"), "video", 1),
        Track(track_file("large.mp4"), "video", 2),
        Track(track_file("hevc.mp4"), "video", 3),
        Track(track_file("aac.mp4"), "audio", 1, language="en", title="English"),
    )
    made = await package(tmp_path, DASH, *tracks)
    text = (tmp_path / "playlist.mpd").read_text()
    root = read_mpd(text)
    sets = root.findall(".//d:AdaptationSet", NAMESPACES)
    assert [each.get("contentType") for each in sets] == ["video", "video", "audio"]
    assert sets[2].get("lang") == "en"
    told = {each.get("id"): each for each in root.iterfind(".//d:Representation", NAMESPACES)}
    assert (told["video_2"].get("width"), told["video_2"].get("frameRate")) == ("320", "25")
    assert told["audio_1"].get("audioSamplingRate") == "48000"
    assert {each.name: str(each.peak) for each in made} == {
        name: each.get("bandwidth") for name, each in told.items()
    }
    assert all((tmp_path / file).is_file() for file in _named_files(text))
    assert not files_in(tmp_path, "*.m3u8")
    assert decoded_frames(tmp_path / "playlist.mpd") == FRAMES
    assert sound_seconds(tmp_path / "playlist.mpd") == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize(
    ("video", "sound"), [("vp9.webm", "opus.webm"), ("vp8.webm", "vorbis.webm")]
)
@pytest.mark.slow
async def test_webm(tmp_path: Path, track_file: Tracks, video: str, sound: str) -> None:
    tracks = Track(track_file(video), "video", 1), Track(track_file(sound), "audio", 1)
    made = await package(tmp_path, WEBM, *tracks)
    text = (tmp_path / "playlist.mpd").read_text()
    kinds = [
        each.get("mimeType") for each in read_mpd(text).iterfind(".//d:Representation", NAMESPACES)
    ]
    assert kinds == ["video/webm", "audio/webm"]
    assert made[0].codecs[0].startswith(("vp09.00.", "vp8"))
    assert made[1].codecs[0] in {"opus", "vorbis"}
    assert all((tmp_path / file).is_file() for file in _named_files(text))
    assert decoded_frames(tmp_path / "playlist.mpd") == FRAMES
    assert sound_seconds(tmp_path / "playlist.mpd") == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.attribute("format[].create_m3u8_playlist")
async def test_cmaf(tmp_path: Path, track_file: Tracks) -> None:
    """Both manifests name the same segments."""
    source = tmp_path / "en.vtt"
    source.write_text(SUBTITLES)
    tracks = (
        Track(track_file("large.mp4"), "video", 1),
        Track(track_file("aac.mp4"), "audio", 1),
        Track(source, "text", 1, language="en", title="English", duration=SECONDS),
    )
    out = tmp_path / "out"
    await package(out, replace(DASH, hls="playlist.m3u8"), *tracks)
    by_dash = set(_named_files((out / "playlist.mpd").read_text()))
    by_hls: set[str] = set()
    master = m3u8.load(str(out / "playlist.m3u8"))
    for uri in [each.uri for each in (*master.playlists, *master.media)]:
        media = m3u8.load(str(out / uri))
        parts = [each.uri for each in (*media.segment_map, *media.segments)]
        by_hls |= {f"{uri.rpartition('/')[0]}/{part}" for part in parts}
    assert {each for each in by_hls if not each.endswith(".vtt")} == by_dash
    for name in ("playlist.mpd", "playlist.m3u8"):
        assert decoded_frames(out / name) == FRAMES
        assert sound_seconds(out / name) == pytest.approx(SECONDS, abs=0.05)
    root = read_mpd((out / "playlist.mpd").read_text())
    text = root.find(".//d:AdaptationSet[@contentType='text']", NAMESPACES)
    assert text.get("lang") == "en"
    assert (out / text.findtext(".//d:BaseURL", None, NAMESPACES)).read_text() == SUBTITLES


@pytest.mark.slow
def test_gaps_and_repeats(made: tuple[Rendition, ...]) -> None:
    """The timeline says every segment's start, however it is written down."""
    sound = made[2]
    late = tuple(replace(each, start=each.start + 1000) for each in sound.segments[1:])
    text = manifests((replace(sound, segments=(sound.segments[0], *late)),), DASH)["playlist.mpd"]
    told: list[tuple[int, int]] = []
    at = 0
    for entry in read_mpd(text).iterfind(".//d:S", NAMESPACES):
        at = int(entry.get("t", at))
        for _ in range(1 + int(entry.get("r", 0))):
            told.append((at, int(entry.get("d"))))
            at += int(entry.get("d"))
    assert told == [(each.start, each.duration) for each in (sound.segments[0], *late)]


@pytest.mark.attribute("format[].subtitles.copy")
@pytest.mark.slow
def test_captions_in_the_picture(made: tuple[Rendition, ...]) -> None:
    captions = (Caption("CC1", "en"), Caption("SERVICE1", "fr"))
    text = manifests(made, replace(DASH, captions=captions))["playlist.mpd"]
    told = read_mpd(text).findall(".//d:Accessibility", NAMESPACES)
    assert [(each.get("schemeIdUri"), each.get("value")) for each in told] == [
        ("urn:scte:dash:cc:cea-608:2015", "CC1=en"),
        ("urn:scte:dash:cc:cea-708:2015", "1=lang:fr"),
    ]


def test_the_main_sound(made: tuple[Rendition, ...]) -> None:
    """The one marked so, else the first: whatever earlier jobs have left out."""
    german = replace(made[2], name="audio_7", language="de")
    english = replace(made[2], name="audio_8", language="en")
    for sounds, expected in (
        ((german, english), ["main", "alternate"]),
        ((german, replace(english, default=True)), ["alternate", "main"]),
    ):
        text = manifests((made[0], *sounds), DASH)["playlist.mpd"]
        roles = read_mpd(text).findall(".//d:Role", NAMESPACES)
        assert [each.get("value") for each in roles] == expected


async def test_sound_stays_apart(tmp_path: Path, track_file: Tracks) -> None:
    track = Track(track_file("small.mp4"), "video", 1, sound=track_file("aac.mp4"))
    with pytest.raises(MediaError, match="DASH keeps every stream apart"):
        await package(tmp_path, DASH, track)


async def test_webm_that_can_not_be(tmp_path: Path, track_file: Tracks) -> None:
    with pytest.raises(MediaError, match="this container can't hold the codec"):
        await package(tmp_path, WEBM, Track(track_file("small.mp4"), "video", 1))
    assert not files_in(tmp_path)
