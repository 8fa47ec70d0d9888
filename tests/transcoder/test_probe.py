"""Probing real files, whole and broken, and files that try to name others."""

import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import BadInput
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import probe, probe_source
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.streams import Probe, read_probe
from orchestrator.transcoder.toolchain import Toolchain, describe, find_toolchain
from tests.media import coded_clip, ffmpeg, toolchain


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("probe") / "clip.mp4", seconds=1, sound=6)


async def look(path: Path) -> Probe:
    return await probe_source(toolchain(), path)


async def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        await look(path)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


async def test_a_clip_is_described_stream_by_stream(clip):
    found = await look(clip)
    (video,), (audio,) = found.video, found.audio
    assert found.duration == pytest.approx(1.0, abs=0.05)
    assert (video.codec, video.width, video.height, video.rate) == ("h264", 320, 240, Fraction(25))
    assert (video.frames, video.pix_fmt, video.constant, video.rotation) == (25, "yuv420p", True, 0)
    assert (audio.codec, audio.channels, audio.layout, audio.rate) == ("aac", 6, "5.1", 48000)


async def test_the_document_is_ffprobes_own_without_our_path(clip):
    document = (await look(clip)).document
    assert document["format"]["filename"] == "clip.mp4"
    assert [each["codec_type"] for each in document["streams"]] == ["video", "audio"]
    assert str(clip.parent) not in str(document)


async def test_rotation_and_pixel_shape_give_the_size_as_seen(tmp_path, clip):
    turned, oblong = tmp_path / "turned.mp4", tmp_path / "oblong.mp4"
    ffmpeg("-display_rotation", "90", "-i", clip, "-c", "copy", turned)
    assert (await look(turned)).video[0].display == (240, 320)
    ffmpeg("-i", clip, "-an", "-vf", "setsar=64/45", "-frames:v", "3", oblong)
    assert (await look(oblong)).video[0].display == (Fraction(320 * 64, 45), 240)


async def test_a_varying_rate_is_told_from_a_constant_one(tmp_path, clip):
    varying = tmp_path / "varying.mp4"
    some = "select='lt(n,10)+gte(n,10)*not(mod(n,5))'"
    ffmpeg("-i", clip, "-an", "-vf", some, "-fps_mode", "vfr", "-bf", "0", varying)
    assert not (await look(varying)).video[0].constant


async def test_cover_art_is_no_video(tmp_path, clip):
    cover, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    ffmpeg("-i", clip, "-frames:v", "1", cover)
    ffmpeg("-i", clip, "-i", cover, "-map", "0:a", "-map", "1", "-c:v", "copy", "-ac", "2", song)
    found = await look(song)
    assert found.video == ()
    assert found.audio[0].codec == "mp3"


async def test_a_file_that_does_not_say_how_long_it_is_is_measured(tmp_path, clip):
    recorded, raw = tmp_path / "recorded.webm", tmp_path / "raw.h264"
    quick = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
    ffmpeg("-i", clip, "-an", *quick, "-live", "1", recorded)
    ffmpeg("-i", clip, "-an", "-c", "copy", raw)
    assert (await look(recorded)).duration == pytest.approx(1.0, abs=0.05)
    assert (await look(raw)).duration == pytest.approx(1.0, abs=0.05)


async def test_an_odd_name_is_a_name_and_nothing_else(tmp_path, clip, monkeypatch):
    for name in ("-i.mp4", "http:evil.mp4", "clip%03d.mp4", "a b'\"\n.mp4", "concat:x.mp4"):
        odd = tmp_path / name
        odd.hardlink_to(clip)
        assert (await look(odd)).video
    monkeypatch.chdir(tmp_path)
    assert (await look(Path("-i.mp4"))).document["format"]["filename"] == "-i.mp4"


async def test_what_is_no_media_file_is_refused_in_plain_words(tmp_path, clip):
    def broken(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    data = clip.read_bytes()
    assert await refused(broken("zero.mp4", b"")) == "the source is empty: it has 0 bytes"
    assert "not a media file" in await refused(broken("text.mp4", b"Dear all,\n" * 50))
    assert "not a media file" in await refused(broken("noise.bin", bytes(range(1, 256)) * 40))
    assert "cut short" in await refused(broken("header.mp4", data[:40]))
    assert "cut short" in await refused(broken("no-index.mp4", data[: len(data) // 2]))
    assert "can't be read: No such file" in await refused(tmp_path / "nowhere.mp4")
    assert "can't be read" in await refused(tmp_path)


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile '{0}'\n",
    "script.txt": "# mine\nfile {0}\n",
    "manifest.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    "session.mp4": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
async def test_playlists_and_scripts_are_refused_by_their_looks(tmp_path, clip, name):
    (tmp_path / name).write_text(PLAYLISTS[name].format(clip))
    assert "names other files" in await refused(tmp_path / name)


@pytest.mark.parametrize("name", PLAYLISTS)
async def test_playlists_that_were_not_recognised_are_not_followed_either(tmp_path, clip, name):
    (tmp_path / name).write_text(PLAYLISTS[name].format(clip))
    with pytest.raises(MediaError):
        await probe(toolchain(), tmp_path / name)


async def test_a_medias_name_may_not_be_a_playlists(tmp_path, clip):
    disguised = tmp_path / "clip.m3u8"
    disguised.hardlink_to(clip)
    assert "playlist" in await refused(disguised)


async def test_image_patterns_are_not_taken(tmp_path, clip):
    ffmpeg("-i", clip, "-frames:v", "2", tmp_path / "image%03d.png")
    await refused(tmp_path / "image%03d.png")
    await refused(tmp_path / "image001.png")


async def test_probing_has_a_time_limit(tmp_path, clip):
    slow = tmp_path / "ffprobe"
    slow.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    slow.chmod(0o755)
    with pytest.raises(MediaError, match=r"took longer than 0\.2 seconds"):
        await probe(Toolchain(toolchain().ffmpeg, slow, slow), clip, limit=0.2)


def test_a_frame_of_absurd_size_is_refused():
    stream = {"index": 0, "codec_type": "video", "width": 16000, "height": 16000}
    with pytest.raises(MediaError, match="16000x16000 is larger"):
        read_probe({"streams": [stream], "format": {}}, "a.mp4")


def test_matroskas_own_way_to_say_a_duration():
    stream = {"index": 0, "codec_type": "video", "width": 16, "height": 16}
    tagged = {**stream, "tags": {"DURATION": "00:01:05.280000000"}}
    assert read_probe({"streams": [tagged], "format": {}}, "a.mkv").duration == 65.28


def test_a_player_prefers_the_default_track():
    first = {"index": 0, "codec_type": "audio", "channels": 2}
    second = {**first, "index": 1, "disposition": {"default": 1}}
    assert read_probe({"streams": [first, second]}, "a.mkv").audio[0].index == 1


@given(st.dictionaries(st.sampled_from(["format", "streams"]), st.none()))
def test_an_empty_answer_is_no_media(document):
    with pytest.raises(MediaError):
        read_probe(document, "a.mp4")


def test_reasons_name_no_path():
    line = "[in#0 @ 0x55] [error] something odd in file:/srv/work/abc/clip.mp4 near /srv/work/x.log"
    words = in_plain_words([line], Path("/srv/work/abc/clip.mp4"))
    assert words == "something odd in clip.mp4 near x.log"
    assert in_plain_words([]) == "it gave no reason"


async def test_the_toolchain_says_what_it_can():
    able = await describe(toolchain())
    assert {"libx264", "libx265", "aac", "png", "mjpeg"} <= able.encoders
    assert able.ffmpeg_version[1:2].isdigit()
    assert able.ffprobe_version[1:2].isdigit()


def test_a_program_that_is_not_there_is_named_with_what_to_install(tmp_path):
    with pytest.raises(BadInput, match=r"nope is not a program .*pip install imageio-ffmpeg"):
        find_toolchain(ffmpeg=tmp_path / "nope")
    liar = tmp_path / "ffprobe"
    liar.write_text("#!/bin/sh\necho hello\n")
    liar.chmod(0o755)
    with pytest.raises(BadInput, match=r"does not answer like .*pip install shaka-streamer"):
        find_toolchain(ffprobe=liar)


def test_given_paths_win():
    known = toolchain()
    assert find_toolchain(known.ffmpeg, known.ffprobe) == known
