"""Real encodes of tiny clips, judged by what ffprobe and the pixels say."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.query import parse_query
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.ports import MediaError, SourceFile
from orchestrator.transcoder.runner import Limits
from tests.media import (
    children,
    coded_clip,
    colours,
    ffmpeg,
    frame_numbers,
    frame_times,
    keyframe_times,
    loudness,
    picture_seconds,
    probed,
    quadrants,
    stream,
    toolchain,
)
from tests.transcoder.encodes import Listener, encode, inputs, only
from tests.transcoder.test_vtt import cues

MP4 = {"output": "mp4"}
POSTER = {"output": "thumbnail"}
FRAME = 1 / 25


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the clips that several tests read."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip(clips: Path) -> Path:
    """Two seconds whose frames tell their number, with stereo sound."""
    return coded_clip(clips / "clip.mp4", sound=2)


@pytest.fixture(scope="module")
def mute(clips: Path) -> Path:
    """The same without sound."""
    return coded_clip(clips / "mute.mp4")


@pytest.fixture(scope="module")
def corners(clips: Path) -> Path:
    """Half a second of red, green, blue and white corners, 320x240."""
    return quadrants(clips / "corners.mp4")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def size(path: Path) -> tuple[int, int]:
    video = stream(path, "video")
    assert video is not None
    return video["width"], video["height"]


def rgb(name: str) -> tuple[int, int, int]:
    names = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    return names.get(name, (255, 255, 255) if name == "white" else (0, 0, 0))


def named(colour: tuple[int, int, int]) -> str:
    names = ("red", "green", "blue", "white", "black")
    return min(names, key=lambda n: sum((a - b) ** 2 for a, b in zip(colour, rgb(n), strict=True)))


# --- everything at once ------------------------------------------------------


async def test_one_task_makes_every_kind_of_output(clip, out):
    listener = Listener()
    encoded = await encode(
        clip,
        out,
        {**MP4, "height": 120, "tag": "small"},
        {**POSTER, "time": 0.15, "image_format": "jpg", "width": 160},
        {"output": "thumbnails", "interval": 0.6, "width": 80, "image_format": "jpg"},
        {"output": "metadata"},
        {**MP4, "height": 480},
        listener=listener,
    )
    video, poster, row, text = encoded.outputs
    assert [one.tag for one in encoded.outputs] == [
        "video-0-0",
        "image-0-0",
        "image-0-1",
        "text-0-0",
    ]
    assert [one.format_index for one in encoded.outputs] == [0, 1, 2, 3]
    assert encoded.duration == pytest.approx(2.0, abs=FRAME)
    assert len(encoded.warnings) == 1
    assert "video-0-1 was left out" in encoded.warnings[0].message

    assert size(video.path) == (160, 120)
    assert picture_seconds(video.path) == pytest.approx(2.0, abs=FRAME)
    assert (video.user_tag, video.size) == ("small", video.path.stat().st_size)
    shown = {key: video.meta[key] for key in ("width", "resolution", "framerate", "codec", "dar")}
    assert shown == {
        "width": 160,
        "resolution": 120,
        "framerate": "25/1",
        "codec": "h264",
        "dar": "4:3",
    }

    assert size(poster.path) == (160, 120)
    assert frame_numbers(poster.path) == [7]

    images = sorted(row.path.glob("*.jpg"))
    assert [image.name for image in images] == [f"thumb_000{n}.jpg" for n in (1, 2, 3, 4)]
    assert [frame_numbers(image)[0] for image in images] == [0, 15, 30, 45]
    found = cues((row.path / str(row.entry)).read_text())
    assert [image for _, _, image in found] == [image.name for image in images]
    assert (found[0][0], found[-1][1]) == (0, round(encoded.duration * 1000))
    assert row.size == sum(file.stat().st_size for file in row.path.iterdir())

    document = json.loads(text.path.read_text())
    assert document["format"]["filename"] == "clip.mp4"
    assert {each["codec_type"] for each in document["streams"]} == {"video", "audio"}

    tags = {"video-0-0", "image-0-0", "image-0-1", "text-0-0", "video-0-1"}
    assert set(listener.told[-1].items()) == {(tag, 100.0) for tag in tags}
    for tag in tags:
        percents = [percents[tag] for percents in listener.told]
        assert percents == sorted(percents)


# --- the frame ---------------------------------------------------------------


@pytest.mark.slow
async def test_480_lines_lying_and_standing(clips, out):
    lying = coded_clip(clips / "lying.mp4", seconds=0.2, size="1280x720")
    standing = coded_clip(clips / "standing.mp4", seconds=0.2, size="720x1280")
    assert size((await only(lying, out, {**MP4, "resolution": 480})).path) == (854, 480)
    assert size((await only(standing, out, {**MP4, "resolution": 480})).path) == (480, 854)
    assert size((await only(standing, out, {**MP4, "height": 480})).path) == (270, 480)


async def test_a_turned_source_comes_out_upright(clips, corners, out):
    # The mark says: turn by 90 degrees counterclockwise to see it upright.
    turned = clips / "turned.mov"
    ffmpeg("-display_rotation", "90", "-i", corners, "-c", "copy", turned)
    upright = await only(turned, out, {**MP4, "resolution": 120})
    assert size(upright.path) == (120, 160)
    assert [named(c) for c in colours(upright.path, 2, 2)] == ["green", "blue", "red", "white"]
    assert not any("rotation" in side for side in _side_data(upright.path))
    poster = await only(turned, out, POSTER)
    assert size_of_image(poster.path) == (240, 320)
    assert [named(c) for c in colours(poster.path, 2, 2)] == ["green", "blue", "red", "white"]


def _side_data(path: Path) -> list[dict[str, Any]]:
    return (stream(path, "video") or {}).get("side_data_list", [])


def size_of_image(path: Path) -> tuple[int, int]:
    """A PNG's size, from its header (PNG specification, IHDR)."""
    head = path.read_bytes()[:24]
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


async def test_rotate_turns_clockwise(corners, out):
    asked = [{**MP4, "rotate": degrees} for degrees in (90, 180, 270)]
    made = (await encode(corners, out, *asked)).outputs
    assert [size(one.path) for one in made] == [(240, 320), (320, 240), (240, 320)]
    seen = [[named(c) for c in colours(one.path, 2, 2)] for one in made]
    assert seen == [
        ["white", "red", "blue", "green"],
        ["blue", "white", "green", "red"],
        ["green", "blue", "red", "white"],
    ]


async def test_oblong_pixels_become_square_ones(clips, corners, out):
    wide = clips / "wide.mp4"
    ffmpeg("-i", corners, "-vf", "setsar=4/3", wide)
    made = (await encode(wide, out, MP4, {**MP4, "height": 120}, POSTER)).outputs
    assert [size(one.path) for one in made[:2]] == [(426, 240), (214, 120)]
    assert made[0].meta["sar"] == "1:1"
    assert size_of_image(made[2].path) == (427, 240)


async def test_crop_and_scale_and_bars(corners, out):
    square = {**MP4, "size": "120x120"}
    bars = {**MP4, "size": "480x240", "resize_mode": "crop"}
    scaled, cropped, barred = (
        await encode(corners, out, square, {**square, "resize_mode": "crop"}, bars)
    ).outputs
    assert size(scaled.path) == size(cropped.path) == (120, 120)
    assert size(barred.path) == (480, 240)
    # 480 wide: bars of 80 pixels, one sixth, on either side.
    row = [named(c) for c in colours(barred.path, 6, 2)][:6]
    assert row == ["black", "red", "red", "green", "green", "black"]
    assert [named(c) for c in colours(cropped.path, 2, 2)] == ["red", "green", "white", "blue"]


async def test_an_aspect_ratio_shapes_the_frame_or_its_pixels(corners, out):
    shaped, both = (
        await encode(
            corners,
            out,
            {**MP4, "aspect_ratio": "1:1"},
            {**MP4, "size": "320x240", "aspect_ratio": "16:9"},
        )
    ).outputs
    assert size(shaped.path) == (240, 240)
    assert (both.meta["dar"], both.meta["sar"]) == ("16:9", "4:3")


async def test_the_first_output_is_made_at_the_sources_size_if_all_are_taller(corners, out):
    encoded = await encode(corners, out, {**MP4, "height": 480}, {**MP4, "height": 720})
    (made,) = encoded.outputs
    assert size(made.path) == (320, 240)
    assert len(encoded.warnings) == 2
    assert [each.tag for each in encoded.warnings] == ["video-0-0", "video-0-1"]
    upscaled = await only(corners, out, {**MP4, "height": 480}, upscale=1)
    assert size(upscaled.path) == (640, 480)


# --- time --------------------------------------------------------------------


@pytest.mark.slow
async def test_posters_show_the_frame_of_their_moment(clip, out):
    # 2 s at 25 frames: the frame shown at t is the one numbered floor(25 t).
    asked = {
        "time": [(0.0, 0), (0.15, 7), (0.5, 25), (0.999, 49), (1.0, 49)],
        "start_time": [(0.5, 12), (1.21, 30), (60, 49)],
        "frame_number": [(0, 0), (33, 33)],
    }
    wanted = [(name, *pair) for name, pairs in asked.items() for pair in pairs]
    encoded = await encode(clip, out, *({**POSTER, name: at} for name, at, _ in wanted))
    seen = [frame_numbers(one.path)[0] for one in encoded.outputs]
    assert seen == [number for _, _, number in wanted]
    assert tuple(each.message for each in encoded.warnings) == (
        "image-0-7 shows the source's last frame: 60 s lies behind its end at 2 s",
    )


@pytest.mark.parametrize("name", ["stream.ts", "clip.mkv", "clip.flv"])
async def test_other_containers_are_as_exact(clips, clip, out, name):
    source = clips / name
    ffmpeg("-i", clip, "-c", "copy", source)
    window = {**MP4, "start_time": 1, "duration": 0.6}
    poster, part = (await encode(source, out, {**POSTER, "start_time": 1.1}, window)).outputs
    # Transport streams begin with the sound's first packet, a frame before the picture.
    assert frame_numbers(poster.path)[0] in (26, 27)
    numbers = frame_numbers(part.path)
    assert numbers[0] in (24, 25)
    assert picture_seconds(part.path) == pytest.approx(0.6, abs=1.5 * FRAME)


async def test_a_window_begins_and_ends_where_it_should(clip, out):
    made = await only(clip, out, {**MP4, "start_time": 0.5, "duration": 1})
    # Frame 12 was shown since 0.48 s; the first that begins in the window is 13.
    assert frame_numbers(made.path) == list(range(13, 38))
    assert picture_seconds(made.path) == pytest.approx(1.0, abs=FRAME)
    audio = stream(made.path, "audio")
    assert audio is not None
    assert float(audio["duration"]) == pytest.approx(1.0, abs=FRAME)


async def test_a_window_of_a_slow_source_is_as_long_as_asked_at_a_faster_rate(out):
    slow = coded_clip(out.parent / "slow.mp4", seconds=6, rate="1", size="64x48")
    asked = {**MP4, "start_time": 1, "duration": 2, "framerate": 25}
    made = await only(slow, out, asked)
    assert frame_numbers(made.path) == [1] * 25 + [2] * 25
    assert picture_seconds(made.path) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("asked", "rate", "frames"), [("12.5", "25/2", 25), ("29.97", "30000/1001", 60)]
)
async def test_the_frame_rate_is_changed_and_the_duration_kept(mute, out, asked, rate, frames):
    made = await only(mute, out, {**MP4, "framerate": asked})
    assert made.meta["framerate"] == rate
    assert len(frame_times(made.path)) == frames
    assert picture_seconds(made.path) == pytest.approx(2.0, abs=FRAME)


async def test_a_varying_rate_keeps_its_times_and_its_posters(clips, mute, out):
    varying = clips / "varying.mp4"
    some = "select='lt(n,10)+gte(n,10)*not(mod(n,10))'"
    ffmpeg("-i", mute, "-vf", some, "-fps_mode", "vfr", "-bf", "0", "-qp", "6", varying)
    made = (
        await encode(
            varying, out, MP4, {**POSTER, "start_time": 1.1}, {**POSTER, "frame_number": 11}
        )
    ).outputs
    assert frame_times(made[0].path) == pytest.approx(frame_times(varying), abs=0.001)
    assert frame_numbers(made[1].path) == [20]
    assert frame_numbers(made[2].path) == [20]


async def test_sound_that_starts_late_stays_late(clips, clip, out):
    late = clips / "late.mkv"
    ffmpeg(
        "-i",
        clip,
        "-itsoffset",
        "0.6",
        "-i",
        clip,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        late,
    )
    made = await only(late, out, MP4)
    wave = ffmpeg("-i", made.path, "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "s16le", "-")
    samples = memoryview(wave).cast("h")
    first = next(place for place, sample in enumerate(samples) if abs(sample) > 1000)
    assert first / 8000 == pytest.approx(0.6, abs=0.05)
    assert frame_numbers(made.path)[0] == 0


async def test_keyframes_come_as_often_as_asked(mute, out):
    made = (await encode(mute, out, {**MP4, "keyframe": 10}, {**MP4, "keyframe": "0.5s"})).outputs
    for one, apart in zip(made, (0.4, 0.5), strict=True):
        times = keyframe_times(one.path)
        assert all(b - a <= apart + FRAME for a, b in zip(times, [*times[1:], 2.0], strict=True))
    forced = keyframe_times(made[1].path)
    assert all(any(abs(t - want) < FRAME for t in forced) for want in (0.0, 0.5, 1.0, 1.5))


# --- codecs and sound --------------------------------------------------------


@pytest.mark.slow
async def test_a_bitrate_is_met_in_two_passes_and_no_statistics_are_left(clips, out):
    busy = clips / "busy.mp4"
    noise = "testsrc2=s=320x240:r=25:d=3,noise=alls=20:allf=t"
    ffmpeg(
        "-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", busy
    )
    listener = Listener()
    made = await only(busy, out, {**MP4, "bitrate": 400, "two_pass": 1}, listener=listener)
    assert int(made.meta["bitrate"]) == pytest.approx(400_000, rel=0.1)
    assert made.bitrate == pytest.approx(400, rel=0.1)
    assert [file.name for file in out.iterdir()] == ["video-0-0.mp4"]
    percents = [percents["video-0-0"] for percents in listener.told]
    assert percents == sorted(percents)
    assert any(40 < percent < 60 for percent in percents)


@pytest.mark.slow
async def test_codecs_profiles_and_pixel_formats_are_as_asked_for(corners, out):
    asked = [
        {},
        {"profile": "baseline"},
        {"pix_format": "yuv422p"},
        {"pix_format": "yuvj420p"},
        {"video_codec": "libx265"},
        {"video_codec": "libx265", "bitrate": 100, "two_pass": 1},
        {"quality": 0},
    ]
    made = (await encode(corners, out, *({**MP4, **one} for one in asked))).outputs
    streams = [stream(one.path, "video") or {} for one in made]
    assert [(s["codec_name"], s["profile"], s["pix_fmt"]) for s in streams] == [
        ("h264", "Main", "yuv420p"),
        ("h264", "Constrained Baseline", "yuv420p"),
        ("h264", "High 4:2:2", "yuv422p"),
        ("h264", "Main", "yuvj420p"),
        ("hevc", "Main", "yuv420p"),
        ("hevc", "Main", "yuv420p"),
        ("h264", "High 4:4:4 Predictive", "yuv420p"),
    ]
    assert [s["codec_tag_string"] for s in streams if s["codec_name"] == "hevc"] == ["hvc1"] * 2


async def test_an_mp4_can_be_played_while_it_loads(corners, out):
    data = (await only(corners, out, MP4)).path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.slow
async def test_sound_is_where_the_source_has_it(clip, mute, out):
    heard, muted = (await encode(clip, out, MP4, {**MP4, "audio_mute": 1})).outputs
    assert loudness(heard.path) > 3000
    assert loudness(muted.path) == 0
    audio = stream(muted.path, "audio")
    assert audio is not None
    assert float(audio["duration"]) == pytest.approx(2.0, abs=FRAME)
    for asked in (MP4, {**MP4, "audio_mute": 1}):
        assert stream((await only(mute, out, asked)).path, "audio") is None


@pytest.mark.slow
async def test_surround_is_mixed_down_and_everything_can_be_chosen(clips, out):
    surround = coded_clip(clips / "surround.mkv", seconds=1, sound=6)
    chosen = {"audio_channels_number": 6, "audio_sample_rate": 48000, "audio_bitrate": 192}
    first, second = (
        await encode(surround, out, {**MP4, "audio_codec": "libfdk_aac"}, {**MP4, **chosen})
    ).outputs
    seen = [stream(one.path, "audio") or {} for one in (first, second)]
    found = [(s["codec_name"], s["channels"], s["sample_rate"]) for s in seen]
    assert found == [("aac", 2, "44100"), ("aac", 6, "48000")]
    assert loudness(first.path) > 1000


# --- trouble -----------------------------------------------------------------


async def test_a_source_cut_in_the_middle_is_an_error_and_no_short_output(clips, out):
    busy = clips / "whole.mp4"
    noise = "testsrc2=s=320x240:r=25:d=4,noise=alls=30:allf=t"
    ffmpeg(
        *("-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "20"),
        *("-movflags", "+faststart", busy),
    )
    cut = clips / "cut.mp4"
    cut.write_bytes(busy.read_bytes()[: busy.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"video-0-0: decoded only [12]\.\d s of 4\.0 s"):
        await encode(cut, out, {**MP4, "height": 120})
    with pytest.raises(MediaError, match=r"image-0-0: decoded only [12]\.\d s of 4\.0 s"):
        await encode(cut, out, {"output": "thumbnails", "interval": 0.1, "width": 32})


async def test_damage_in_the_middle_is_a_warning_with_a_count(clips, mute, out):
    data = bytearray(mute.read_bytes())
    start = data.index(b"mdat") + 4
    for at in range(start + (len(data) - start) // 3, start + (len(data) - start) // 2, 97):
        data[at] ^= 0x55
    damaged = clips / "damaged.mp4"
    damaged.write_bytes(data)
    encoded = await encode(damaged, out, MP4)
    assert picture_seconds(encoded.outputs[0].path) == pytest.approx(2.0, abs=0.5)
    (warning,) = encoded.warnings
    assert warning.message == "Source Video Decoding Errors"
    assert warning.details.startswith("the decoder complained ")


async def test_what_is_no_media_is_refused_before_anything_is_written(clips, out):
    for name, data in {
        "zero.mp4": b"",
        "text.mp4": b"hello\n" * 99,
        "list.m3u8": b"#EXTM3U\n",
    }.items():
        (clips / name).write_bytes(data)
        with pytest.raises(MediaError):
            await encode(clips / name, out, MP4)
    assert list(out.iterdir()) == []


async def test_sound_alone_has_metadata_but_no_picture(clips, clip, out):
    song = clips / "song.m4a"
    ffmpeg("-i", clip, "-vn", "-c", "copy", song)
    with pytest.raises(MediaError, match="has sound but no picture"):
        await encode(song, out, MP4)
    assert (await only(song, out, {"output": "metadata"})).kind == "text"


async def test_the_error_names_the_one_output_that_failed(corners, out):
    (out / "video-0-1.mp4").mkdir()
    asked = ({**MP4, "height": 120}, MP4, {**MP4, "height": 60})
    with pytest.raises(MediaError, match=r"^video-0-1: [^;]*folder") as caught:
        await encode(corners, out, *asked)
    assert str(out) not in str(caught.value)
    for tag, lines in (("video-0-0", 120), ("video-0-2", 60)):
        assert size(out / f"{tag}.mp4")[1] == lines


@pytest.mark.slow
async def test_a_poster_behind_a_picture_that_ends_early_is_its_last_frame(clips, out):
    early = clips / "early.mkv"
    short = coded_clip(clips / "short.mp4", seconds=1)
    tone = ("-f", "lavfi", "-i", "sine=d=3")
    ffmpeg("-i", short, *tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", early)
    poster, row = (
        await encode(early, out, {**POSTER, "time": 0.9}, {"output": "thumbnails", "interval": 0.5})
    ).outputs
    assert frame_numbers(poster.path) == [24]
    found = cues((row.path / str(row.entry)).read_text())
    assert len(found) == len(list(row.path.glob("*.png"))) == 2
    assert found[-1][1] == pytest.approx(3000, abs=60)


async def test_cancelling_leaves_no_process(clips, out):
    long = clips / "long.mp4"
    picture = "testsrc2=s=640x360:r=25:d=15"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", long)
    begun, slow = asyncio.Event(), {**MP4, "video_codec": "libx265"}
    query = parse_query({"source": "tus:0123", "format": [slow, {**slow, "height": 240}]})
    encoder = FfmpegEncoder(toolchain(), threads=1)
    listener = Listener()
    listener.progress = lambda percents: begun.set()
    running = asyncio.create_task(encoder.encode(query, inputs(long), out, listener))
    await begun.wait()
    assert len(children()) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert children() == []


async def test_a_limit_that_passes_is_an_error_in_words(clip, out):
    with pytest.raises(MediaError, match=r"took longer than 0\.01 seconds"):
        await encode(clip, out, MP4, limits=Limits(wall=0.01))
    assert children() == []


async def test_no_more_streams_than_asked_for(clips, clip, out):
    notes = clips / "notes.txt"
    notes.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=One\n")
    chapters = clips / "chapters.mkv"
    ffmpeg("-i", clip, "-i", notes, "-map_metadata", "1", "-map", "0", "-c", "copy", chapters)
    made = await only(chapters, out, MP4)
    assert [each["codec_type"] for each in probed(made.path)["streams"]] == ["video", "audio"]


async def test_stitched_sources_are_one_film_of_the_first_ones_frame_and_rate(clip, corners, out):
    made = await only(inputs(SourceFile(clip, 0.48, 1.0), corners), out, MP4)
    assert size(made.path) == size(clip)
    assert picture_seconds(made.path) == pytest.approx(1.5, abs=FRAME)
    assert frame_numbers(made.path)[:3] == [12, 13, 14]
    assert stream(made.path, "audio") is not None
