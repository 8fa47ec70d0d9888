"""What is done to the picture, seen in what comes out."""

import zlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.ports import Inputs, MediaError
from tests import media
from tests.transcoder.encodes import encode, inputs, only

MP4 = {"output": "mp4"}
_URL = "https://images.example/logo"
_RED, _GREEN, _BLUE, _WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("picture")


@pytest.fixture(scope="module")
def corners(clips: Path) -> Path:
    return media.quadrants(clips / "corners.mp4", size="160x120")


@pytest.fixture(scope="module")
def coded(clips: Path) -> Path:
    return media.coded_clip(clips / "coded.mp4", seconds=1, size="160x120")


def blue(path: Path, *options: str, seconds: float = 1.0, size: str = "160x120") -> Path:
    source = f"color=c=blue:s={size}:r=10:d={seconds},format=yuv420p"
    media.ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-qp", "4", *options, path)
    return path


def image(path: Path, colour: str, size: str = "40x30") -> Path:
    media.ffmpeg(
        *("-f", "lavfi", "-i", f"color=c={colour}:s={size}:d=1:r=1,format=rgba"),
        *("-frames:v", "1", "-update", "1", path),
    )
    return path


def pixels(path: Path, frame: int = 0) -> dict[tuple[int, int], tuple[int, int, int]]:
    """The pixels of one frame by place, as red, green, blue."""
    video = media.stream(path, "video")
    assert video is not None
    width = video["width"]
    pick = f"select=eq(n\\,{frame}),format=rgb24"
    data = media.ffmpeg("-i", path, "-frames:v", "1", "-vf", pick, "-f", "rawvideo", "-")
    size = len(data) // 3
    return {(n % width, n // width): tuple(data[3 * n : 3 * n + 3]) for n in range(size)}


def near(seen: tuple[int, ...], wanted: tuple[int, ...], within: int = 24) -> bool:
    return all(abs(a - b) <= within for a, b in zip(seen, wanted, strict=True))


# --- size and shape ------------------------------------------------------------


@pytest.mark.attribute(
    "format[].size",
    "format[].width",
    "format[].height",
    "format[].resolution",
    "format[].aspect_ratio",
    "format[].resize_mode",
)
async def test_sizes_are_as_asked_for(corners: Path, tmp_path: Path):
    asked = [
        ({"size": "80x80"}, (80, 80, "1:1")),
        ({"width": 80}, (80, 60, "1:1")),
        ({"height": 80}, (106, 80, "1:1")),
        ({"resolution": 60}, (80, 60, "1:1")),
        ({"height": 60, "aspect_ratio": "2:1"}, (120, 60, "1:1")),
        ({"size": "80x80", "resize_mode": "crop"}, (80, 80, "1:1")),
    ]
    done = await encode(corners, tmp_path, *({**MP4, **one} for one, _ in asked))
    for made, (one, frame) in zip(done.outputs, asked, strict=True):
        video = media.stream(made.path, "video")
        seen = (video["width"], video["height"], video.get("sample_aspect_ratio"))
        assert seen == frame, one
        assert pixels_are_quarters(made.path), one


def pixels_are_quarters(path: Path) -> bool:
    left_top, right_top, left_bottom, right_bottom = media.colours(path, 2, 2)
    return (
        near(left_top, _RED)
        and near(right_top, _GREEN)
        and near(right_bottom, _BLUE)
        and near(left_bottom, _WHITE)
    )


@pytest.mark.attribute("format[].resolution", "format[].rotate")
async def test_resolution_is_the_shorter_side_of_what_is_seen(
    corners: Path, clips: Path, tmp_path: Path
):
    turned = clips / "turned.mp4"
    media.ffmpeg("-display_rotation", "90", "-i", corners, "-c", "copy", turned)
    done = await encode(turned, tmp_path, {**MP4, "resolution": 60}, {**MP4, "rotate": 90})
    upright, again = done.outputs
    assert (upright.meta["width"], upright.meta["height"]) == (60, 80)
    # A quarter turn against the clock by the file's own mark, then one with it.
    assert (again.meta["width"], again.meta["height"]) == (160, 120)
    assert pixels_are_quarters(again.path)
    top_left = media.colours(upright.path, 2, 2)[0]
    assert near(top_left, _GREEN)


@pytest.mark.attribute("format[].rotate")
@pytest.mark.parametrize(("degrees", "corner"), [(90, _WHITE), (180, _BLUE), (270, _GREEN)])
async def test_a_turn_goes_with_the_clock(
    corners: Path, tmp_path: Path, degrees: int, corner: tuple[int, int, int]
):
    path = (await only(corners, tmp_path, {**MP4, "rotate": degrees})).path
    assert near(media.colours(path, 2, 2)[0], corner)


@pytest.mark.attribute("format[].resize_mode", "upscale")
async def test_cropping_has_bars_where_it_would_enlarge(corners: Path, tmp_path: Path):
    asked = {**MP4, "size": "240x120", "resize_mode": "crop"}
    (tmp_path / "up").mkdir()
    barred = pixels((await only(corners, tmp_path, asked)).path)
    assert near(barred[10, 60], (0, 0, 0))
    assert near(barred[60, 20], _RED)
    filled = pixels((await only(corners, tmp_path / "up", asked, upscale=1)).path)
    assert near(filled[10, 20], _RED)


@pytest.mark.attribute("upscale")
async def test_what_is_larger_than_the_source_is_left_out_in_ladders_too(
    corners: Path, tmp_path: Path
):
    ladder = {"output": "advanced_hls", "stream": [{"height": 240}, {"height": 60}]}
    done = await encode(corners, tmp_path, ladder)
    assert [each.meta["height"] for each in done.outputs[0].members] == [60]
    assert any("was left out" in each.message for each in done.warnings)


@pytest.mark.attribute("format[].video_codec_parameters.sws_flags")
async def test_the_scaler_is_the_one_asked_for(corners: Path, tmp_path: Path):
    asked = [
        {"width": 20, "video_codec_parameters": {"sws_flags": flag}, "quality": 5}
        for flag in ("neighbor", "gauss")
    ]
    hard, soft = (await encode(corners, tmp_path, *({**MP4, **one} for one in asked))).outputs
    # Between two colours a blur has colours of its own.
    mixed = [
        sum(
            not any(near(seen, each, 60) for each in (_RED, _GREEN, _BLUE, _WHITE))
            for seen in pixels(made.path).values()
        )
        for made in (hard, soft)
    ]
    assert mixed[0] < mixed[1]


# --- time --------------------------------------------------------------------


@pytest.mark.attribute("format[].framerate", "format[].framerate_limit")
async def test_rates_are_as_asked_for(coded: Path, tmp_path: Path):
    asked = [
        ({"framerate": "12.5"}, "25/2", 13),
        ({"framerate_limit": 10}, "10/1", 10),
        ({"framerate_limit": 30}, "25/1", 25),
        ({"framerate": "20", "framerate_limit": 10}, "20/1", 20),
    ]
    done = await encode(coded, tmp_path, *({**MP4, **one} for one, _, _ in asked))
    for made, (one, rate, frames) in zip(done.outputs, asked, strict=True):
        video = media.stream(made.path, "video")
        assert (video["r_frame_rate"], int(video["nb_frames"])) == (rate, frames), one


@pytest.mark.attribute("format[].start_time", "format[].duration")
async def test_a_part_is_exact_to_the_frame(coded: Path, tmp_path: Path):
    made = await only(coded, tmp_path, {**MP4, "start_time": 0.28, "duration": 0.4, "quality": 5})
    assert media.frame_numbers(made.path) == list(range(7, 17))


@pytest.mark.attribute("format[].keyframe")
@pytest.mark.slow
async def test_keyframes_are_no_farther_apart_than_asked(coded: Path, tmp_path: Path):
    done = await encode(coded, tmp_path, {**MP4, "keyframe": 5}, {**MP4, "keyframe": "0.4s"})
    frames, seconds = (media.keyframe_times(made.path) for made in done.outputs)
    assert frames == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert seconds == pytest.approx([0, 0.4, 0.8])


@pytest.mark.attribute("format[].keyframe")
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
@pytest.mark.slow
async def test_segments_begin_alike_whatever_the_keyframes(clips: Path, tmp_path: Path, codec: str):
    film = clips / "long.mp4"
    if not film.exists():
        media.coded_clip(film, seconds=2.6, size="96x64", rate="25")
    streams = [
        {"video_codec": codec, "keyframe": keyframe, "height": height}
        for keyframe, height in (("0.7s", 64), (7, 32), (300, 48))
    ]
    hls = {"output": "advanced_hls", "fmp4": 1, "segment_duration": 1, "stream": streams}
    made = await only(film, tmp_path, hls)
    lists = [(made.path / each.entry).read_text() for each in made.members]
    lengths = [[line for line in text.splitlines() if "EXTINF" in line] for text in lists]
    assert len(lengths[0]) == 3
    assert lengths[0] == lengths[1] == lengths[2]


@pytest.mark.attribute("format[].deinterlace")
@pytest.mark.slow
async def test_only_what_is_interlaced_is_deinterlaced(clips: Path, tmp_path: Path):
    """A bar that moves between two fields has a comb for an edge, until it is joined."""
    woven, plain = moving_bars(clips)
    kept, joined = (await encode(woven, tmp_path, *_as_is({}, {"deinterlace": 1}))).outputs
    assert comb(kept.path) > 5 * comb(joined.path)
    (tmp_path / "plain").mkdir()
    done = await encode(plain, tmp_path / "plain", *_as_is({}, {"deinterlace": 1}))
    same, also = (media.grey_frames(made.path, 160, 120) for made in done.outputs)
    assert same == also
    assert any("deinterlace changes nothing" in each.message for each in done.warnings)


@pytest.mark.attribute("stitch", "format[].deinterlace")
@pytest.mark.slow
async def test_interlaced_sources_of_a_stitch_are_deinterlaced(clips: Path, tmp_path: Path):
    """Where they are scaled, that comes first: later, nobody can tell the fields apart."""
    woven, plain = moving_bars(clips)
    combs = {}
    for size in ("160x120", "240x200"):
        first = clips / f"first-{size}.mp4"
        media.ffmpeg("-f", "lavfi", "-i", f"color=gray:s={size}:r=25:d=0.2", first)
        for second in (woven, plain):
            out = tmp_path / f"{size}-{second.stem}"
            out.mkdir()
            done = await encode(inputs(first, second), out, *_as_is({"deinterlace": 1}))
            combs[size, second] = comb(done.outputs[0].path)
            changes = [each for each in done.warnings if "changes nothing" in each.message]
            assert bool(changes) == (second == plain)
        assert combs[size, woven] < 1.5 * combs[size, plain]


def moving_bars(clips: Path) -> tuple[Path, Path]:
    """A bar that moves, interlaced and not."""
    moving = "color=black:s=160x120:r=50:d=0.6,format=yuv420p"
    bar = "geq=lum='if(between(X,20+2*N,60+2*N),235,16)':cb=128:cr=128"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "2")
    woven, plain = clips / "woven.mp4", clips / "plain.mp4"
    weave = f"{moving},{bar},interlace=lowpass=off"
    media.ffmpeg("-f", "lavfi", "-i", weave, *codec, "-flags", "+ildct+ilme", woven)
    media.ffmpeg("-f", "lavfi", "-i", f"{moving},{bar}", *codec, plain)
    return woven, plain


def _as_is(*asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**MP4, "quality": 4, **one} for one in asked]


def comb(path: Path) -> int:
    """How much each line differs from those around it."""
    frame = media.grey_frames(path, 160, 120)[8]
    lines = [frame[at : at + 160] for at in range(0, len(frame), 160)]
    return sum(
        abs(2 * here - up - down)
        for above, line, below in zip(lines, lines[1:], lines[2:], strict=False)
        for up, here, down in zip(above, line, below, strict=True)
    )


# --- logos -------------------------------------------------------------------


def with_logos(clip: Path, **images: Path) -> Inputs:
    return inputs(clip, assets={f"{_URL}-{name}": path for name, path in images.items()})


@pytest.mark.attribute(
    "format[].logo",
    "format[].logo.source",
    "format[].logo.x",
    "format[].logo.y",
    "format[].logo.opacity",
    "format[].logo.start_time",
    "format[].logo.duration",
)
async def test_logos_are_where_and_when_they_are_asked_for(clips: Path, tmp_path: Path):
    film = blue(clips / "blue.mp4")
    odd = clips / "it's a [logo], really: 100%.png"
    given = with_logos(film, red=image(odd, "red"), green=image(clips / "green.jpg", "lime"))
    logos = [
        {"source": f"{_URL}-red", "x": 10, "y": 20},
        {"source": f"{_URL}-green", "x": -10, "y": -20, "start_time": 0.3, "duration": 0.4},
    ]
    faint = {"source": f"{_URL}-red", "opacity": 0.5}
    done = await encode(given, tmp_path, {**MP4, "logo": logos}, {**MP4, "logo": faint})
    path = done.outputs[0].path
    for frame in range(10):
        seen = pixels(path, frame)
        assert near(seen[30, 35], _RED)
        assert near(seen[5, 35], _BLUE)
        assert near(seen[54, 35], _BLUE)
        there = 3 <= frame < 7
        for place in ((112, 72), (147, 97)):
            assert near(seen[place], _GREEN if there else _BLUE), (frame, place)
        assert near(seen[153, 103], _BLUE)
    assert near(pixels(done.outputs[1].path, 9)[20, 15], (128, 0, 127))


@pytest.mark.attribute("format[].logo")
async def test_the_clear_parts_of_a_logo_stay_clear(clips: Path, tmp_path: Path):
    film = blue(clips / "blue.mp4")
    half = clips / "half.png"
    media.ffmpeg(
        *(
            "-f",
            "lavfi",
            "-i",
            "color=red:s=40x40:d=1:r=1,format=rgba,geq=r=255:g=0:b=0:a='if(lt(X,20),0,255)'",
        ),
        *("-frames:v", "1", "-update", "1", half),
    )
    given = with_logos(film, half=half)
    path = (await only(given, tmp_path, {**MP4, "logo": {"source": f"{_URL}-half"}})).path
    seen = pixels(path, 5)
    assert near(seen[8, 20], _BLUE)
    assert near(seen[32, 20], _RED)


@pytest.mark.attribute("format[].logo")
@pytest.mark.slow
async def test_a_logo_stays_on_streams_and_on_late_starts(clips: Path, tmp_path: Path):
    film = clips / "blue.ts"
    blue(film, seconds=2.0)
    given = with_logos(film, red=image(clips / "red.png", "red"))
    logo = {"source": f"{_URL}-red", "start_time": 0.2}
    hls = {"output": "advanced_hls", "start_time": 1, "stream": [{"logo": logo, "keyframe": 10}]}
    made = await only(given, tmp_path, hls)
    playlist = made.path / made.members[0].entry
    first = media.colours(playlist, 16, 12)
    assert near(first[0], _BLUE)
    data = media.ffmpeg(
        *("-i", playlist, "-vf", "scale=16:12:flags=area,format=rgb24", "-f", "rawvideo", "-")
    )
    frames = [tuple(data[at : at + 3]) for at in range(0, len(data), 16 * 12 * 3)]
    assert [near(each, _RED) for each in frames] == [False] * 2 + [True] * 8


@pytest.mark.attribute("format[].logo.source")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "neither a PNG nor a JPEG"),
        ("svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="x"/></svg>', "neither"),
        ("cut", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10", "damaged or cut short"),
        ("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged or cut short"),
        ("none", b"", "neither"),
    ],
)
async def test_what_is_no_image_is_refused(
    corners: Path, tmp_path: Path, name: str, content: bytes, reason: str
):
    path = tmp_path / f"{name}.png"
    path.write_bytes(content)
    given = with_logos(corners, bad=path)
    with pytest.raises(MediaError, match=rf"video-0-0: logo: .*{reason}"):
        await encode(given, tmp_path, {**MP4, "logo": {"source": f"{_URL}-bad"}})


async def test_an_image_of_too_many_pixels_is_refused(corners: Path, tmp_path: Path):
    def chunk(kind: bytes, body: bytes) -> bytes:
        data = kind + body
        return len(body).to_bytes(4) + data + zlib.crc32(data).to_bytes(4)

    header = (30_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    given = with_logos(corners, bad=path)
    with pytest.raises(MediaError, match="30000x30000 pixels"):
        await encode(given, tmp_path, {**MP4, "logo": {"source": f"{_URL}-bad"}})
