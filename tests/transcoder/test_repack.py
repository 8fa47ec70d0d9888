"""Streams in another container: the same packets, nothing lost, nothing moved."""

import re
from pathlib import Path

import pytest

from orchestrator.transcoder.ports import MediaError
from tests.media import coded_clip, ffmpeg, frame_numbers, loudness, probed, stream
from tests.transcoder.encodes import encode, inputs, only
from tests.transcoder.packaging.media import packets

REPACK = {"output": "repack"}
SRT = "1\n00:00:00,200 --> 00:00:00,800\nHello\n\n2\n00:00:01,200 --> 00:00:01,700\nWorld\n"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repack")


@pytest.fixture(scope="module")
def clip(clips: Path) -> Path:
    """Two seconds, a keyframe every 0.4 s (10 frames), stereo."""
    return coded_clip(clips / "clip.mp4", sound=2, gop=10, size="160x120")


@pytest.fixture(scope="module")
def full(clips: Path, clip: Path) -> Path:
    """Two sounds, a subtitle, a title, a language and a chapter."""
    texts, chapters = clips / "a.srt", clips / "chapters.txt"
    texts.write_text(SRT)
    chapters.write_text(
        ";FFMETADATA1\ntitle=My film\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=One\n"
    )
    path = clips / "full.mkv"
    ffmpeg(
        *("-i", clip, "-i", texts, "-i", chapters, "-map_metadata", "2", "-map_chapters", "2"),
        *("-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "1:s", "-c", "copy"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre"),
        *("-metadata:s:s:0", "language=ger", path),
    )
    return path


def kinds(path: Path) -> list[tuple[str, str]]:
    return [(each["codec_type"], each["codec_name"]) for each in probed(path)["streams"]]


def at(name: str) -> dict[str, object]:
    return {"destination": {"url": f"sftp://host/films/{name}", "key": "k", "secret": "s"}}


@pytest.mark.attribute("format[].output")
@pytest.mark.parametrize("ending", ["mkv", "mov", "ts", "avi", "m4v"])
async def test_the_packets_are_the_same_in_every_container(clip, ending, tmp_path):
    made = await only(clip, tmp_path, {**REPACK, "file_extension": ending})
    assert made.path.suffix == f".{ending}"
    assert kinds(made.path) == [("video", "h264"), ("audio", "aac")]
    assert frame_numbers(made.path) == list(range(50))
    assert loudness(made.path) > 3000
    if ending in ("mkv", "mov", "m4v"):
        assert packets(made.path) == packets(clip)


@pytest.mark.attribute("format[].destination")
async def test_the_destinations_name_says_which_container(clip, tmp_path):
    made = await only(clip, tmp_path, {**REPACK, **at("a.mkv")})
    assert "matroska" in probed(made.path)["format"]["format_name"]
    made = await only(clip, tmp_path, {**REPACK, **at("a")})
    data = made.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    both = [at("a.mkv")["destination"], at("b.mp4")["destination"]]
    with pytest.raises(MediaError, match=r"two containers, \.mkv and \.mp4"):
        await encode(clip, tmp_path, {**REPACK, "destination": both})
    with pytest.raises(MediaError, match=r"destination asks for \.exe"):
        await encode(clip, tmp_path, {**REPACK, **at("a.exe")})


@pytest.mark.attribute(
    "format[].video_copy",
    "format[].audio_copy",
    "format[].subtitles_copy",
    "format[].metadata_copy",
)
@pytest.mark.slow
async def test_each_kind_of_stream_can_be_left_out(full, tmp_path):
    asked = [
        REPACK,
        {**REPACK, "video_copy": 0},
        {**REPACK, "audio_copy": 0},
        {**REPACK, "subtitles_copy": 0},
        {**REPACK, "metadata_copy": 0},
    ]
    made = [each.path for each in (await encode(full, tmp_path, *asked)).outputs]
    picture, sound = ("video", "h264"), ("audio", "aac")
    text = ("subtitle", "mov_text")
    found = [[each for each in kinds(path) if each[0] != "data"] for path in made]
    assert found == [
        [picture, sound, sound, text],
        [sound, sound, text],
        [picture, text],
        [picture, sound, sound],
        [picture, sound, sound, text],
    ]
    kept, bare = probed(made[0]), probed(made[4])
    assert kept["format"]["tags"]["title"] == "My film"
    assert "title" not in bare["format"]["tags"]
    languages = [each["tags"]["language"] for each in kept["streams"][:4]]
    assert languages == ["und", "eng", "fre", "ger"]
    assert {each["tags"]["language"] for each in bare["streams"]} == {"und"}
    assert "Hello" in ffmpeg("-i", made[0], "-map", "0:s", "-f", "srt", "-").decode()


@pytest.mark.attribute("format[].start_time", "format[].duration")
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
async def test_a_part_begins_at_the_keyframe_before_and_that_is_said(clips, clip, ending, tmp_path):
    source = clip
    if ending != "mp4":
        source = clips / f"source.{ending}"
        ffmpeg("-i", clip, "-c", "copy", source)
    asked = {**REPACK, "start_time": 1.0, "duration": 0.6}
    result = await encode(source, tmp_path, asked)
    (made,) = result.outputs
    # 1.0 s is frame 25; the keyframe before is frame 20, at 0.8 s. The end stays at 1.6 s.
    numbers = frame_numbers(made.path)
    assert numbers[:3] == [20, 21, 22]
    # Frames are sent in another order than they are shown in.
    assert 39 <= numbers[-1] <= 43
    # A transport stream begins with its sound, a moment before the picture.
    assert re.search(r"0\.8[0-4]\d s of the source, not at 1 s", result.warnings[0].message)
    start = min(float(each["start_time"]) for each in probed(made.path)["streams"])
    video = stream(made.path, "video") or {}
    assert float(video["start_time"]) - start < 0.1
    sound = stream(made.path, "audio") or {}
    assert abs(float(sound["start_time"]) - float(video["start_time"])) < 0.1


async def test_a_part_at_a_keyframe_is_where_it_was_asked_for(clip, tmp_path):
    result = await encode(clip, tmp_path, {**REPACK, "start_time": 0.8})
    assert frame_numbers(result.outputs[0].path) == list(range(20, 50))
    assert not result.warnings


@pytest.mark.slow
async def test_what_a_container_cannot_hold_is_refused_before_it_is_tried(clips, clip, tmp_path):
    with pytest.raises(MediaError, match=r"\.webm can't hold the source's picture \(h264\)"):
        await encode(clip, tmp_path, {**REPACK, "file_extension": "webm"})
    with pytest.raises(MediaError, match=r"\.mp3 can't hold the source's picture .*video_copy 0"):
        await encode(clip, tmp_path, {**REPACK, "file_extension": "mp3"})
    only_sound = {**REPACK, "file_extension": "m4a", "video_copy": 0}
    made = await only(clip, tmp_path, only_sound)
    assert kinds(made.path) == [("audio", "aac")]
    with pytest.raises(MediaError, match="nothing of the source's picture and sound"):
        await encode(clip, tmp_path, {**REPACK, "video_copy": 0, "audio_copy": 0})
    with pytest.raises(MediaError, match="start_time 5 lies behind the source's end"):
        await encode(clip, tmp_path, {**REPACK, "start_time": 5})
    with pytest.raises(MediaError, match="repack copies one source"):
        await encode(inputs(clip, clip), tmp_path, REPACK)


async def test_one_sound_of_several_where_there_is_room_for_one(full, tmp_path):
    asked = {**REPACK, "file_extension": "aac", "video_copy": 0, "subtitles_copy": 0}
    result = await encode(full, tmp_path, asked)
    assert kinds(result.outputs[0].path) == [("audio", "aac")]
    assert "has room for one" in result.warnings[0].message
    result = await encode(full, tmp_path, {**REPACK, "file_extension": "ts"})
    assert [kind for kind, _ in kinds(result.outputs[0].path)] == ["video", "audio", "audio"]
    assert "can't hold them" in result.warnings[0].message


async def test_rotation_and_colours_stay(clips, tmp_path):
    turned = clips / "turned.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.4")
    colours = "colorprim=bt709:transfer=bt709:colormatrix=bt709"
    flat = clips / "flat.mp4"
    ffmpeg(*picture, "-c:v", "libx264", "-x264-params", colours, flat)
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", turned)
    made = await only(turned, tmp_path, {**REPACK, "file_extension": "mov"})
    found = stream(made.path, "video") or {}
    assert [side.get("rotation") for side in found["side_data_list"]] == [90]
    assert found["color_space"] == found["color_transfer"] == found["color_primaries"] == "bt709"


async def test_hevc_in_an_mp4_is_what_apples_players_look_for(clips, tmp_path):
    source = clips / "hevc.mkv"
    coder = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.4", *coder, source)
    made = await only(source, tmp_path, REPACK)
    assert (stream(made.path, "video") or {})["codec_tag_string"] == "hvc1"


async def test_a_source_that_is_cut_short_gives_no_short_copy(clips, clip, tmp_path):
    whole = clips / "whole.mp4"
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "+faststart", whole)
    cut = clips / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"cut short|damaged"):
        await encode(cut, tmp_path, REPACK)
