"""HLS outputs: they decode to the last frame, and their playlists tell the truth."""

import re
from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from orchestrator.transcoder.packaging import Caption, Packing, Rendition, Track, manifests
from orchestrator.transcoder.ports import MediaError
from tests.media import ffmpeg, frame_times, probed
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


def _ladder(track_file: Tracks) -> tuple[Track, ...]:
    return (
        Track(track_file("small.mp4"), "video", 1),
        Track(track_file("large.mp4"), "video", 2),
        Track(track_file("aac.mp4"), "audio", 1, language="en", title="English"),
    )


def _check_media(folder: Path, uri: str) -> m3u8.M3U8:
    """A media playlist whose segments are all there and as long as it says."""
    path = folder / uri
    media = m3u8.load(str(path))
    assert media.is_endlist
    assert media.playlist_type == "vod"
    assert all(round(each.duration) <= media.target_duration for each in media.segments)
    assert all((path.parent / each.uri).is_file() for each in media.segments)
    return media


def _peak_and_average(path: Path) -> tuple[int, int]:
    """Rates of a playlist whose segments are all of nearly one length, counted apart."""
    media = m3u8.load(str(path))
    sizes = [(path.parent / each.uri).stat().st_size for each in media.segments]
    lengths = [each.duration for each in media.segments]
    rates = [8 * size / length for size, length in zip(sizes, lengths, strict=True)]
    return int(max(rates)), int(8 * sum(sizes) / sum(lengths))


@pytest.mark.attribute("format[].fmp4", "format[].segment_duration", "format[].separate_audio")
@pytest.mark.parametrize("container", ["ts", "mp4"])
async def test_ladder(tmp_path: Path, track_file: Tracks, container: str) -> None:
    packing = Packing(container=container, segment_duration=1)
    await package(tmp_path, packing, *_ladder(track_file))
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))

    assert master.is_independent_segments
    assert [each.stream_info.resolution for each in master.playlists] == [(160, 90), (320, 180)]
    (sound,) = master.media
    assert (sound.type, sound.language, sound.name) == ("AUDIO", "en", "English")
    assert (sound.default, sound.channels) == ("YES", "2")
    loud, middle = _peak_and_average(tmp_path / sound.uri)
    for each in master.playlists:
        media = _check_media(tmp_path, each.uri)
        assert [part.duration for part in media.segments] == [1.0] * SECONDS
        assert bool(media.segment_map) == (container == "mp4")
        info = each.stream_info
        assert re.fullmatch(r"avc1\.6400[0-9a-f]{2},mp4a\.40\.2", info.codecs)
        assert (info.frame_rate, info.audio) == (25.0, "audio")
        peak, average = _peak_and_average(tmp_path / each.uri)
        assert info.bandwidth == pytest.approx(peak + loud, abs=3)
        assert info.average_bandwidth == pytest.approx(average + middle, abs=3)
        assert decoded_frames(tmp_path / each.uri) == FRAMES
    assert decoded_frames(tmp_path / "playlist.m3u8") == FRAMES
    assert sound_seconds(tmp_path / "playlist.m3u8") == pytest.approx(SECONDS, abs=0.05)
    assert not files_in(tmp_path, ".*")


async def test_codec_strings_are_the_streams_own(tmp_path: Path, track_file: Tracks) -> None:
    """The profile, the constraints and the level stand in the avcC box."""
    (made,) = await package(tmp_path, Packing(), Track(track_file("large.mp4"), "video", 1))
    data = track_file("large.mp4").read_bytes()
    at = data.index(b"avcC") + 5
    assert made.codecs == (f"avc1.{data[at : at + 3].hex()}",)


@pytest.mark.parametrize(
    ("name", "kind", "codec"),
    [
        ("hevc.mp4", "video", r"hvc1\.1\.6\.L\d+\.90"),
        ("av1.mp4", "video", r"av01\.0\.\d\dM\.08"),
        ("opus.mp4", "audio", "opus"),
        ("flac.mp4", "audio", "flac"),
        ("mp3.mp4", "audio", r"mp4a\.40\.34"),
    ],
)
async def test_codecs_of_fmp4(
    tmp_path: Path, track_file: Tracks, name: str, kind: str, codec: str
) -> None:
    packing = Packing(container="mp4", segment_duration=1)
    (made,) = await package(tmp_path, packing, Track(track_file(name), kind, 1))
    assert re.fullmatch(codec, made.codecs[0])
    if kind == "video":
        assert decoded_frames(tmp_path / "playlist.m3u8") == FRAMES
    else:
        assert sound_seconds(tmp_path / "playlist.m3u8") == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.attribute("format[].separate_audio", "format[].i_frames_only")
@pytest.mark.parametrize(
    ("container", "video"), [("ts", "large.mp4"), ("mp4", "large.mp4"), ("ts", "hevc.mp4")]
)
@pytest.mark.slow
async def test_sound_in_the_chunks(
    tmp_path: Path, track_file: Tracks, container: str, video: str
) -> None:
    packing = Packing(container=container, segment_duration=1, i_frames_only=True)
    track = Track(track_file(video), "video", 1, sound=track_file("aac.mp4"))
    await package(tmp_path, packing, track)
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))

    assert not master.media
    (variant,) = master.playlists
    assert variant.stream_info.codecs.endswith(",mp4a.40.2")
    assert variant.stream_info.audio is None
    media = _check_media(tmp_path, variant.uri)
    assert len(media.segments) == SECONDS
    assert decoded_frames(tmp_path / "playlist.m3u8") == FRAMES
    assert sound_seconds(tmp_path / "playlist.m3u8") == pytest.approx(SECONDS, abs=0.05)
    _check_i_frames(tmp_path, master)


@pytest.mark.attribute("format[].i_frames_only")
@pytest.mark.parametrize("container", ["ts", "mp4"])
async def test_i_frames(tmp_path: Path, track_file: Tracks, container: str) -> None:
    packing = Packing(container=container, segment_duration=3, i_frames_only=True)
    await package(tmp_path, packing, Track(track_file("large.mp4"), "video", 1))
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))
    _check_i_frames(tmp_path, master)
    assert decoded_frames(tmp_path / "playlist.m3u8") == FRAMES


def _check_i_frames(folder: Path, master: m3u8.M3U8) -> None:
    """Each range holds a picture by itself, with the bytes that all of them share before it."""
    (trick,) = master.iframe_playlists
    path = folder / trick.uri
    frames = m3u8.load(str(path))
    assert frames.is_i_frames_only
    assert sum(each.duration for each in frames.segments) == pytest.approx(SECONDS)
    assert len(frames.segments) == SECONDS
    rates = []
    for each in frames.segments:
        size, offset = (int(number) for number in each.byterange.split("@"))
        rates.append(8 * size / each.duration)
        data = (path.parent / each.uri).read_bytes()
        if each.init_section:
            shared = (path.parent / each.init_section.uri).read_bytes()
        else:
            shared = data[: 2 * 188 if data[188 * 2 + 1] & 0x40 else 3 * 188]
        picture = folder / "picture.bin"
        picture.write_bytes(shared + data[offset : offset + size])
        shown = ffmpeg("-i", picture, "-frames:v", "2", "-f", "framecrc", "-")
        assert sum(not line.startswith(b"#") for line in shown.splitlines()) == 1
    info = trick.iframe_stream_info
    assert info.resolution in {(320, 180), (160, 90)}
    assert info.bandwidth == pytest.approx(max(rates), abs=2)


@pytest.mark.attribute("format[].single_folder", "format[].stream[].chunklist_name")
async def test_one_folder_and_names(tmp_path: Path, track_file: Tracks) -> None:
    small, large, sound = _ladder(track_file)
    named = Track(small.path, "video", 1, chunklist_name="low quality.m3u8")
    packing = Packing(single_folder=True, segment_duration=1)
    await package(tmp_path, packing, named, large, sound)
    names = files_in(tmp_path)
    assert not [name for name in names if "/" in name]
    assert {"low quality.m3u8", "low quality_1.ts", "video_2.m3u8", "audio_1_3.ts"} <= {*names}
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))
    assert [each.uri for each in master.playlists] == ["low%20quality.m3u8", "video_2.m3u8"]
    assert "low%20quality_1.ts" in (tmp_path / "low quality.m3u8").read_text()


@pytest.mark.attribute("format[].stream[].chunklist_name", "format[].playlist_name")
async def test_names_in_folders(tmp_path: Path, track_file: Tracks) -> None:
    track = Track(track_file("small.mp4"), "video", 1, chunklist_name="sd.m3u8")
    await package(tmp_path, Packing(hls="main.m3u8"), track)
    assert (tmp_path / "main.m3u8").is_file()
    assert files_in(tmp_path / "video_1") == ["sd.m3u8", "sd_1.ts"]
    assert decoded_frames(tmp_path / "main.m3u8") == FRAMES


async def test_two_playlists_of_one_name_are_refused(tmp_path: Path, track_file: Tracks) -> None:
    one, two = (
        Track(track_file("small.mp4"), "video", number, chunklist_name="v.m3u8")
        for number in (1, 2)
    )
    with pytest.raises(MediaError, match="chunklist_name"):
        await package(tmp_path, Packing(single_folder=True), one, two)


@pytest.mark.slow
async def test_sound_alone(tmp_path: Path, track_file: Tracks) -> None:
    """``hls_audio``: each bit rate is a variant."""
    tracks = [
        Track(track_file(name), "audio", at) for at, name in enumerate(("aac.mp4", "loud.mp4"), 1)
    ]
    await package(tmp_path, Packing(segment_duration=1), *tracks)
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))
    assert not master.media
    assert [each.stream_info.codecs for each in master.playlists] == ["mp4a.40.2"] * 2
    low, high = (each.stream_info.bandwidth for each in master.playlists)
    assert low < high
    assert sound_seconds(tmp_path / "playlist.m3u8") == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.slow
async def test_languages_make_a_group(tmp_path: Path, track_file: Tracks) -> None:
    video, _, english = _ladder(track_file)
    other = Track(track_file("loud.mp4"), "audio", 2, language="de", title="Deutsch", default=True)
    made = await package(tmp_path, Packing(segment_duration=1), video, english, other)
    master = m3u8.load(str(tmp_path / "playlist.m3u8"))
    assert {each.language: each.default for each in master.media} == {"en": "NO", "de": "YES"}
    louder = max(made[1].peak, made[2].peak)
    assert master.playlists[0].stream_info.bandwidth == made[0].peak + louder


def test_groups_of_sound(made: tuple[Rendition, ...]) -> None:
    """Each picture names its own group, or, until that has landed, another."""
    small, large, sound = made
    low, high = replace(sound, group="low"), replace(sound, group="high", name="audio_2")
    pictures = replace(small, group="low"), replace(large, group="high")
    text = manifests((*pictures, low, high), Packing())["playlist.m3u8"]
    assert [each.stream_info.audio for each in m3u8.loads(text).playlists] == ["low", "high"]
    early = manifests((*pictures, low), Packing())["playlist.m3u8"]
    assert [each.stream_info.audio for each in m3u8.loads(early).playlists] == ["low", "low"]


@pytest.mark.attribute("format[].subtitles.copy")
def test_captions_in_the_picture(made: tuple[Rendition, ...]) -> None:
    captions = (Caption("CC1", "en", "English"), Caption("SERVICE2", "fr", "Français"))
    text = manifests(made, Packing(captions=captions))["playlist.m3u8"]
    master = m3u8.loads(text)
    told = [each for each in master.media if each.type == "CLOSED-CAPTIONS"]
    assert [(each.instream_id, each.language) for each in told] == [
        ("CC1", "en"),
        ("SERVICE2", "fr"),
    ]
    assert {each.stream_info.closed_captions for each in master.playlists} == {'"captions"'}
    assert master.version == 7
    plain = m3u8.loads(manifests(made, Packing())["playlist.m3u8"])
    assert {each.stream_info.closed_captions for each in plain.playlists} == {"NONE"}


@pytest.mark.attribute("format[].subtitles.sources[].language")
@pytest.mark.parametrize(("container", "ticks"), [("ts", 126000), ("mp4", 0)])
async def test_subtitles(tmp_path: Path, track_file: Tracks, container: str, ticks: int) -> None:
    """The text's clock is mapped to where the picture's begins."""
    source = tmp_path / "en.vtt"
    source.write_text(SUBTITLES)
    text = Track(source, "text", 1, language="en", title="English", duration=SECONDS)
    video = Track(track_file("small.mp4"), "video", 1)
    packing = Packing(container=container, segment_duration=1)
    await package(tmp_path / "out", packing, video, text)
    master = m3u8.load(str(tmp_path / "out" / "playlist.m3u8"))
    (told,) = master.media
    assert (told.type, told.language, told.name) == ("SUBTITLES", "en", "English")
    assert master.playlists[0].stream_info.subtitles == told.group_id
    media = _check_media(tmp_path / "out", told.uri)
    parts = [(tmp_path / "out" / "text_1" / each.uri).read_text() for each in media.segments]
    assert len(parts) == SECONDS
    assert all(f"X-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:00:00:00.000\n" in part for part in parts)
    assert [("Hello" in part, "Kenobi" in part) for part in parts] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    if container == "ts":
        first = tmp_path / "out" / "video_1" / "segment_1.ts"
        assert frame_times(first)[0] == pytest.approx(ticks / 90000, abs=1e-3)


@pytest.mark.parametrize("name", ["vp9.webm", "av1.mp4"])
async def test_ts_that_can_not_be(tmp_path: Path, track_file: Tracks, name: str) -> None:
    with pytest.raises(MediaError, match=r"TS segments can't hold .*fmp4"):
        await package(tmp_path, Packing(), Track(track_file(name), "video", 1))
    assert not files_in(tmp_path)


async def test_damaged_track(tmp_path: Path, track_file: Tracks) -> None:
    broken = tmp_path / "broken, in=odd.mp4"
    data = bytearray(track_file("small.mp4").read_bytes())
    at = data.index(b"stts")
    data[at : at + 4] = b"xxxx"
    broken.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        await package(tmp_path / "out", Packing(), Track(broken, "video", 1))
    assert str(tmp_path) not in str(caught.value)


async def test_names_of_inputs_are_no_language(tmp_path: Path, track_file: Tracks) -> None:
    odd = tmp_path / "a,stream=audio,output=b $Number$.mp4"
    odd.write_bytes(track_file("small.mp4").read_bytes())
    await package(tmp_path / "out, too", Packing(), Track(odd, "video", 1))
    assert decoded_frames(tmp_path / "out, too" / "playlist.m3u8") == FRAMES
    assert probed(odd)["format"]["nb_streams"] == 1
