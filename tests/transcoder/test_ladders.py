"""Outputs for HTTP streaming through the whole media half."""

from pathlib import Path

import m3u8
import pytest

from orchestrator.transcoder.ports import MediaError
from tests.media import coded_clip, ffmpeg, frame_numbers, keyframe_times
from tests.transcoder.captions import captioned_clip
from tests.transcoder.encodes import Listener, encode, only
from tests.transcoder.manifests import check_master, check_media_playlist, check_mpd, lengths
from tests.transcoder.packaging.media import decoded_frames, files_in, sound_seconds
from tests.transcoder.packaging.schema import NAMESPACES, read_mpd

LADDER = {
    "output": "advanced_hls",
    "segment_duration": 1,
    "stream": [{"height": 120, "tag": "low"}, {"height": 60}],
}
DASH = {**LADDER, "output": "advanced_dash"}
WEBM = {**LADDER, "output": "webm_dash"}


def of(codec: str, **more: object) -> dict[str, object]:
    """A ladder of two rungs with a codec."""
    streams = [{"height": height, "video_codec": codec} for height in (120, 60)]
    return {**LADDER, "stream": streams, **more}


_SLOW = pytest.mark.slow
#: Between them they go every way there is; the others take long.
_QUICK = ("ts", "cmaf", "webm")
KINDS = {
    "ts": LADDER,
    "fmp4": {**LADDER, "fmp4": 1},
    "joined": {**LADDER, "separate_audio": 0},
    "dash": DASH,
    "cmaf": {**DASH, "create_m3u8_playlist": 1},
    "webm": WEBM,
    "hevc-ts": of("libx265"),
    "hevc-fmp4": of("libx265", fmp4=1),
    "hevc-dash": of("libx265", output="advanced_dash"),
    "av1-fmp4": of("libsvtav1", fmp4=1),
    "vp8-webm": of("libvpx", output="webm_dash"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds whose frames tell their number, with stereo sound, and one keyframe."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return coded_clip(path, size="160x120", sound=2, gop=250)


@pytest.mark.attribute(
    "format[].output",
    "format[].stream",
    "format[].fmp4",
    "format[].separate_audio",
    "format[].create_m3u8_playlist",
)
@pytest.mark.parametrize(
    "asked",
    [pytest.param(each, marks=() if name in _QUICK else _SLOW) for name, each in KINDS.items()],
    ids=KINDS,
)
async def test_a_ladder_is_whole(clip, tmp_path, asked):
    made = await only(clip, tmp_path, asked)
    assert [each.tag for each in made.members] == ["video-0-0-0", "video-0-0-1"]
    assert [each.meta["height"] for each in made.members] == [120, 60]
    assert files_in(tmp_path) == [
        f"{made.path.name}",
        *(f"{made.path.name}/{each}" for each in files_in(made.path)),
    ]
    assert sound_seconds(made.path / made.entry) == pytest.approx(2.0, abs=0.1)
    lists = [name for name in ("playlist.m3u8", "playlist.mpd") if (made.path / name).exists()]
    for name in lists:
        if name.endswith(".mpd"):
            check_mpd(made.path, name, 50, 2)
            continue
        master = check_master(made.path, name, 50)
        assert len(master.playlists) == 2
        joined = asked.get("separate_audio") == 0
        assert bool(master.media) != joined
        assert len({tuple(lengths(made.path / each.uri)) for each in master.playlists}) == 1
    expected = 2 if asked.get("create_m3u8_playlist") else 1
    assert len(lists) == expected


@pytest.mark.slow
async def test_sound_alone_is_a_ladder_too(clip, tmp_path):
    streams = [
        {"audio_bitrate": 32, "tag": "small"},
        {"audio_bitrate": 96, "chunklist_name": "big"},
    ]
    asked = {"output": "hls_audio", "segment_duration": 1, "stream": streams}
    made = await only(clip, tmp_path, asked)
    assert [each.tag for each in made.members] == ["audio-0-0-0", "audio-0-0-1"]
    assert made.members[0].user_tag == "small"
    assert made.members[0].meta["codec"] == "aac"
    master = m3u8.load(str(made.path / made.entry))
    assert [each.uri for each in master.playlists] == ["audio_1/chunklist.m3u8", "audio_2/big.m3u8"]
    for each in master.playlists:
        check_media_playlist(made.path / each.uri)
        assert sound_seconds(made.path / each.uri) == pytest.approx(2.0, abs=0.1)
        assert each.stream_info.codecs == "mp4a.40.2"


SOURCES = {
    "ntsc": {"rate": "30000/1001", "seconds": 2.2},
    "film": {"rate": "24000/1001", "seconds": 2.4},
    "ts": {"rate": "25", "seconds": 2.6, "gop": 7},
}


@pytest.fixture(
    scope="module",
    params=["ntsc", "varying", *(pytest.param(each, marks=_SLOW) for each in ("film", "ts"))],
)
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips whose frames do not meet the seconds."""
    folder = tmp_path_factory.mktemp("odd")
    if request.param == "varying":
        whole = coded_clip(folder / "whole.mp4", size="160x120", sound=2, seconds=2.6)
        path = folder / "varying.mp4"
        thinned = "select='not(eq(mod(n,5),3))*not(eq(n,25))*not(between(n,30,36))'"
        ffmpeg("-i", whole, "-vf", thinned, "-fps_mode", "vfr", "-c:v", "libx264", "-qp", "6", path)
        return path
    suffix = "ts" if request.param == "ts" else "mp4"
    return coded_clip(folder / f"c.{suffix}", size="160x120", sound=2, **SOURCES[request.param])


@pytest.mark.attribute("format[].segment_duration", "format[].keyframe")
@pytest.mark.slow
async def test_segments_are_aligned_over_all_rungs(odd, tmp_path):
    """Whatever the codec, the container and the keyframes of a rung."""
    streams = [
        {"height": 120, "keyframe": 7},
        {"height": 90, "keyframe": "0.7s"},
        {"height": 60, "keyframe": 250, "quality": 40},
        {"height": 60, "keyframe": "0.5s", "video_codec": "libx265"},
    ]
    made = await only(odd, tmp_path, {**LADDER, "stream": streams})
    master = m3u8.load(str(made.path / "playlist.m3u8"))
    cut = [lengths(made.path / each.uri) for each in master.playlists]
    assert len(cut[0]) == 3
    # The packager counts a varying rate's segments by decoding times: by a frame, not by more.
    slack = 0.041 if odd.name == "varying.mp4" else 0.0011
    for each in cut:
        assert each == pytest.approx(cut[0], abs=slack)
    frames = {decoded_frames(made.path / each.uri) for each in master.playlists}
    assert len(frames) == 1


@pytest.mark.attribute("format[].keyframe")
@pytest.mark.slow
async def test_keyframes_are_where_segments_and_the_stream_want_them(clip, tmp_path):
    streams = [{"height": 60, "keyframe": each} for each in ("0.6s", "0.5s", "100")]
    made = await only(clip, tmp_path, {**LADDER, "fmp4": 1, "stream": streams})
    times = []
    for number in (1, 2, 3):
        home = made.path / f"video_{number}"
        whole = tmp_path / "whole.mp4"
        parts = ["segment_init.mp4", "segment_1.m4s", "segment_2.m4s"]
        whole.write_bytes(b"".join((home / part).read_bytes() for part in parts))
        times.append(keyframe_times(whole))
    first = [[round(time - found[0], 2) for time in found] for found in times]
    assert first == [[0, 0.6, 1.0, 1.2, 1.8], [0, 0.52, 1.0, 1.52], [0, 1.0]]


@pytest.mark.attribute("format[].start_time", "format[].duration")
@pytest.mark.parametrize(
    "more", [{}, pytest.param({"output": "advanced_dash"}, marks=_SLOW)], ids=["hls", "dash"]
)
@pytest.mark.slow
async def test_a_part_of_the_source(clip, tmp_path, more):
    asked = {**LADDER, **more, "start_time": "0.5", "duration": "1.2", "stream": [{"height": 120}]}
    made = await only(clip, tmp_path, asked)
    assert made.duration == pytest.approx(1.2, abs=0.05)
    whole = tmp_path / "whole.mkv"
    ffmpeg("-allowed_extensions", "ALL", "-i", made.path / made.entry, "-c", "copy", whole)
    numbers = frame_numbers(whole)
    assert len(numbers) == 30
    assert abs(numbers[0] - 13) <= 1
    assert abs(numbers[-1] - 42) <= 1


@pytest.mark.attribute("format[].two_pass", "format[].bitrate")
@pytest.mark.slow
async def test_two_passes_of_a_rung(clip, tmp_path):
    listener = Listener()
    streams = [{"height": 120, "two_pass": 1, "bitrate": 40}, {"height": 60}]
    made = await only(clip, tmp_path, {**LADDER, "stream": streams}, listener=listener)
    check_master(made.path, "playlist.m3u8", 50)
    assert files_in(tmp_path, "*log*") == []
    told = [percents["video-0-0-0"] for percents in listener.told]
    assert told == sorted(told)
    assert told[-1] == 100


@pytest.mark.attribute(
    "format[].stream[].chunklist_name",
    "format[].playlist_name",
    "format[].single_folder",
    "format[].i_frames_only",
    "format[].tag",
)
@pytest.mark.parametrize("single", [pytest.param(0, marks=_SLOW), 1])
@pytest.mark.slow
async def test_names_and_folders(clip, tmp_path, single):
    streams = [{"height": 120, "chunklist_name": "high.m3u8", "tag": "h"}, {"height": 60}]
    asked = {"single_folder": single, "playlist_name": "master.m3u8", "i_frames_only": 1}
    made = await only(clip, tmp_path, {**LADDER, **asked, "stream": streams})
    assert made.entry == "master.m3u8"
    homes = ("", "") if single else ("video_1/", "video_2/")
    names = ("high.m3u8", "video_2.m3u8" if single else "chunklist.m3u8")
    assert [each.entry for each in made.members] == [
        a + b for a, b in zip(homes, names, strict=True)
    ]
    assert [each.user_tag for each in made.members] == ["h", None]
    master = check_master(made.path, "master.m3u8", 50)
    assert {each.uri for each in master.playlists} == {each.entry for each in made.members}
    assert bool([path for path in files_in(made.path) if "/" in path]) != bool(single)
    assert len(master.iframe_playlists) == 2
    for each in master.iframe_playlists:
        playlist = m3u8.load(str(made.path / each.uri))
        assert playlist.is_i_frames_only
        assert [round(frame.duration, 3) for frame in playlist.segments] == [1, 1]


@pytest.mark.attribute("upscale")
@pytest.mark.slow
async def test_streams_larger_than_the_source(clip, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    streams = [{"height": 240}, {"height": 120}, {"height": 180}]
    told = await encode(clip, tmp_path / "a", {**LADDER, "stream": streams})
    (made,) = told.outputs
    assert [each.tag for each in made.members] == ["video-0-0-1"]
    assert [each.message[:11] for each in told.warnings] == ["video-0-0-0", "video-0-0-2"]
    check_master(made.path, "playlist.m3u8", 50)
    made = await only(
        clip, tmp_path / "b", {**LADDER, "stream": [{"height": 240}, {"height": 180}]}
    )
    assert [(each.tag, each.meta["height"]) for each in made.members] == [("video-0-0-0", 120)]


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of HDR10."""
    path = tmp_path_factory.mktemp("bright") / "bright.mp4"
    marks = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=error"
    codec = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", marks)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:d=1", *codec, "-pix_fmt", "yuv420p10le", path)
    return path


@pytest.mark.attribute("format[].hdr_to_sdr")
@pytest.mark.parametrize(("to_sdr", "told"), [(0, "PQ"), (1, None)])
@pytest.mark.slow
async def test_the_range_of_hdr_is_told(bright, tmp_path, to_sdr, told):
    stream = {"height": 60, "video_codec": "libx265", "hdr_to_sdr": to_sdr}
    asked = {**DASH, "create_m3u8_playlist": 1, "stream": [stream]}
    made = await only(bright, tmp_path, asked)
    (variant,) = m3u8.load(str(made.path / "playlist.m3u8")).playlists
    assert variant.stream_info.video_range == told
    root = read_mpd((made.path / "playlist.mpd").read_text())
    values = [each.get("value") for each in root.iterfind(".//d:SupplementalProperty", NAMESPACES)]
    assert values == (["16"] if told else [])


@pytest.mark.slow
async def test_a_source_without_sound(tmp_path):
    silent = coded_clip(tmp_path / "silent.mp4", size="160x120")
    for number, more in enumerate(({}, {"separate_audio": 0}, {"output": "advanced_dash"})):
        (tmp_path / str(number)).mkdir()
        made = await only(silent, tmp_path / str(number), {**LADDER, **more})
        assert decoded_frames(made.path / made.entry) == 50
        assert not (made.path / "audio_1").exists()
    with pytest.raises(MediaError, match=r"audio-0-0: the source has no sound"):
        await only(silent, tmp_path, {"output": "hls_audio"})


@pytest.mark.slow
async def test_a_source_without_picture(tmp_path):
    sound = tmp_path / "sound.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", sound)
    with pytest.raises(MediaError, match=r"video-0-0: the source has no picture.*hls_audio"):
        await only(sound, tmp_path, LADDER)
    made = await only(sound, tmp_path, {"output": "hls_audio", "segment_duration": 1})
    assert sound_seconds(made.path / made.entry) == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
async def test_sounds_that_differ_are_groups_of_their_own(clip, tmp_path):
    streams = [
        {"height": height, "audio_bitrate": rate}
        for height, rate in ((120, 96), (60, 32), (90, 96))
    ]
    made = await only(clip, tmp_path, {**LADDER, "stream": streams})
    master = check_master(made.path, "playlist.m3u8", 50)
    groups = {each.stream_info.resolution[1]: each.stream_info.audio for each in master.playlists}
    assert groups == {120: "audio", 60: "audio-2", 90: "audio"}


@pytest.fixture(scope="module")
def voices(clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip, with a second and shorter track in another language."""
    path = tmp_path_factory.mktemp("voices") / "voices.mkv"
    told = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre"]
    told += ["-metadata:s:a:1", "title=Commentaire", "-disposition:a:1", "0"]
    second = ("-f", "lavfi", "-i", "sine=300:d=1.5:r=48000")
    maps = ("-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac")
    ffmpeg("-i", clip, *second, *maps, *told, path)
    return path


@pytest.mark.slow
async def test_every_track_of_the_source_is_a_choice(voices, tmp_path):
    made = await only(voices, tmp_path, {**LADDER, "stream": [{"height": 60}]})
    master = check_master(made.path, "playlist.m3u8", 50)
    assert [(each.language, each.name, each.default, each.group_id) for each in master.media] == [
        ("en", "en", "YES", "audio"),
        ("fr", "Commentaire", "NO", "audio"),
    ]
    heard = [sound_seconds(made.path / each.uri) for each in master.media]
    assert heard == pytest.approx([2.0, 1.5], abs=0.1)


@pytest.mark.slow
async def test_every_track_is_an_adaptation_set(voices, tmp_path):
    made = await only(voices, tmp_path, {**DASH, "stream": [{"height": 60}]})
    root = read_mpd((made.path / "playlist.mpd").read_text())
    sets = root.findall(".//d:AdaptationSet[@contentType='audio']", NAMESPACES)
    assert [each.get("lang") for each in sets] == ["en", "fr"]
    roles = [each.find("d:Role", NAMESPACES).get("value") for each in sets]
    assert roles == ["main", "alternate"]


@pytest.mark.attribute("format[].subtitles.copy")
@pytest.mark.parametrize(("copied", "told"), [(1, ["CC1"]), (0, [])])
@pytest.mark.slow
async def test_manifests_tell_of_captions(tmp_path, copied, told):
    source = captioned_clip(tmp_path / "source.mp4", "HELLO")
    asked = {**DASH, "create_m3u8_playlist": 1, "stream": [{}], "subtitles": {"copy": copied}}
    made = await only(source, tmp_path, asked)
    master = m3u8.load(str(made.path / "playlist.m3u8"))
    assert [each.instream_id for each in master.media if each.type == "CLOSED-CAPTIONS"] == told
    root = read_mpd((made.path / "playlist.mpd").read_text())
    values = [each.get("value") for each in root.iterfind(".//d:Accessibility", NAMESPACES)]
    assert values == (["CC1=und"] if told else [])


@pytest.mark.slow
async def test_no_captions_are_told_of_where_there_are_none(clip, tmp_path):
    made = await only(clip, tmp_path, {**LADDER, "subtitles": {"copy": 1}})
    assert "CLOSED-CAPTIONS=NONE" in (made.path / made.entry).read_text()


@pytest.mark.slow
async def test_one_track_alone_fits_inside(voices, tmp_path):
    told = await encode(voices, tmp_path, {**LADDER, "separate_audio": 0})
    assert [each.message for each in told.warnings if "2 sound tracks" in each.message]
    check_master(told.outputs[0].path, "playlist.m3u8", 50)


@pytest.mark.attribute("refresh_playlist")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, marks=_SLOW),
        {"separate_audio": 0},
        pytest.param({"output": "advanced_dash"}, marks=_SLOW),
    ],
    ids=["hls", "joined", "dash"],
)
@pytest.mark.slow
async def test_a_refreshed_playlist_names_the_lowest_first(clip, tmp_path, more):
    """Each time it plays to the end, and no part of what it names is left."""
    seen = []

    class Viewer(Listener):
        async def landed(self, made):
            await super().landed(made)
            parts = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
            home = made.path / made.entry
            seen.append((decoded_frames(home), sound_seconds(home) > 1.9, parts))

    listener = Viewer()
    made = await only(clip, tmp_path, {**LADDER, **more}, listener=listener, refresh_playlist=1)
    assert [[each.tag for each in landed.members] for landed in listener.landings] == [
        ["video-0-0-1"],
        ["video-0-0-0", "video-0-0-1"],
    ]
    left = ["video-0-0-sound-1.mp4"] if "separate_audio" in more else []
    assert seen == [(50, True, left), (50, True, [])]
    assert made == listener.landings[-1]


@pytest.mark.attribute("status.returns.status.percent")
@pytest.mark.slow
async def test_progress_is_true_to_the_end(clip, tmp_path):
    """It never falls, and reaches 100 with the packaging of each stream, not before."""
    listener = Listener()
    await only(clip, tmp_path, LADDER, listener=listener)
    for tag in ("video-0-0-0", "video-0-0-1"):
        told = [percents[tag] for percents in listener.told]
        assert told == sorted(told)
        assert told[-1] == 100
        assert 99 in told
    assert set(listener.told[-1]) == {"video-0-0-0", "video-0-0-1"}
    halfway = next(each for each in listener.told if 100 in each.values())
    assert sorted(halfway.values()) == [99, 100]


@pytest.mark.slow
async def test_a_part_is_removed_as_soon_as_it_is_packaged(clip, tmp_path):
    """So that the disk holds no more than the parts and one packaged rung twice."""
    left: list[list[str]] = []

    class Keeper(Listener):
        def progress(self, percents):
            if 100 in percents.values():
                left.append(files_in(tmp_path, "video-0-0-?.mp4"))

    await only(clip, tmp_path, LADDER, listener=Keeper())
    assert left == [["video-0-0-1.mp4"], []]


@pytest.mark.attribute("format[].allow_soft_fail")
@pytest.mark.slow
async def test_a_stream_that_fails_takes_its_ladder_alone(clip, tmp_path):
    """Its other streams and their parts go with it; the other output is whole."""
    streams = [{"height": 60}, {"size": "160x2", "video_codec": "libx265"}]  # too low for it
    lost = {**LADDER, "stream": streams, "allow_soft_fail": 1}
    told = await encode(clip, tmp_path, lost, {**DASH, "stream": [{"height": 60}]})
    assert [(each.tag, each.format_index) for each in told.missed] == [("video-0-0", 0)]
    assert "video-0-0-1: " in told.missed[0].reason
    assert [each.tag for each in told.outputs] == ["video-0-1"]
    assert decoded_frames(told.outputs[0].path / "playlist.mpd") == 50


@pytest.mark.attribute("format[].start_time")
@pytest.mark.slow
async def test_a_part_of_a_file_without_an_index_is_aligned(tmp_path):
    source = coded_clip(tmp_path / "c.ts", size="160x120", sound=2, seconds=2.6, gop=7)
    streams = [{"height": 60}, {"height": 60, "keyframe": "0.4s"}, {"video_codec": "libx265"}]
    made = await only(source, tmp_path, {**LADDER, "start_time": "0.37", "stream": streams})
    cut = [lengths(made.path / f"video_{number}" / "chunklist.m3u8") for number in (1, 2, 3)]
    assert cut[0][:2] == [1, 1]
    assert cut[0] == pytest.approx(cut[1], abs=0.001)
    assert cut[0] == pytest.approx(cut[2], abs=0.001)


@pytest.mark.slow
@pytest.mark.attribute("format[].two_pass")
async def test_two_passes_of_rungs_of_all_codecs(clip, tmp_path):
    twice = {"height": 60, "two_pass": 1, "bitrate": 100}
    streams = [{**twice, "video_codec": codec} for codec in ("libx264", "libx265", "libx265")]
    made = await only(clip, tmp_path, {**LADDER, "stream": streams})
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]
    check_master(made.path, "playlist.m3u8", 50)


@pytest.mark.slow
@pytest.mark.attribute("format[].video_codec")
async def test_webm_rungs_of_all_codecs_are_aligned(clip, tmp_path):
    codecs = ("libsvtav1", "libvpx-vp9", "libvpx")
    streams = [{"height": 60, "video_codec": codec} for codec in codecs]
    made = await only(clip, tmp_path, {**WEBM, "stream": streams})
    check_mpd(made.path, "playlist.mpd", 50, 3)


@pytest.mark.parametrize("output", ["webm", "mp3", "flac"])
async def test_files_of_their_own(clip, tmp_path, output):
    made = await only(clip, tmp_path, {"output": output})
    assert made.path.suffix == f".{output}"
    assert made.duration == pytest.approx(2.0, abs=0.1)
    if output == "webm":
        assert frame_numbers(made.path)[:3] == [0, 1, 2]
