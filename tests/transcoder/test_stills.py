"""Single images: which moment they show, how they are written, and how fast they are found."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from orchestrator.query import parse_query
from orchestrator.transcoder.plan import Means, Pass, compile_plan, material
from orchestrator.transcoder.ports import Inputs, MediaError, SourceFile
from orchestrator.transcoder.probe import probe_source
from tests.media import coded_clip, colours, ffmpeg, frame_numbers, quadrants, toolchain
from tests.transcoder.encodes import encode, inputs, only

POSTER = {"output": "thumbnail"}
FRAME = 1 / 25


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clip(clips) -> Path:
    """Two seconds, 50 frames, each as bright as its number."""
    return coded_clip(clips / "coded.mp4", size="160x120", sound=1)


@pytest.fixture(scope="module")
def small(clips) -> Path:
    """One second of a smaller frame and half the rate."""
    return coded_clip(clips / "small.mp4", size="80x60", seconds=1, rate="12.5")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def shape(path: Path) -> tuple[str | None, tuple[int, int]]:
    with Image.open(path) as image:
        return image.format, image.size


def difference(one: Path, other: Path) -> float:
    """The mean difference of two images' pixels, of 255."""
    with Image.open(one) as first, Image.open(other) as second:
        apart = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
        return sum(ImageStat.Stat(apart).mean) / 3


@pytest.mark.attribute(
    "format[].output",
    "format[].time",
    "format[].start_time",
    "format[].frame_number",
    "format[].image_format",
)
async def test_a_moment_is_named_in_three_ways_and_a_frames_number_beats_the_time(clip, out):
    asked = (
        ({"time": "0.5"}, 25),
        ({"time": 1}, 49),
        ({"start_time": 0.39}, 9),
        ({"frame_number": 17}, 17),
        ({"frame_number": 17, "time": 0.9}, 17),
        ({}, 0),
    )
    made = await encode(clip, out, *({**POSTER, **each} for each, _ in asked))
    assert [frame_numbers(one.path)[0] for one in made.outputs] == [shown for _, shown in asked]
    assert {shape(one.path)[0] for one in made.outputs} == {"PNG"}


@pytest.mark.attribute(
    "format[].width",
    "format[].height",
    "format[].size",
    "format[].resolution",
    "format[].image_format",
)
async def test_the_frame_is_as_asked_for(clip, out):
    asked = (
        ({"width": 81}, (81, 61)),
        ({"height": "60"}, (80, 60)),
        ({"width": 50, "height": 50}, (50, 50)),
        ({"size": "64x36"}, (64, 36)),
        ({"resolution": 90, "width": 7}, (120, 90)),
        ({}, (160, 120)),
    )
    made = await encode(
        clip, out, *({**POSTER, "image_format": "jpg", **each} for each, _ in asked)
    )
    assert [shape(one.path) for one in made.outputs] == [("JPEG", size) for _, size in asked]
    assert [(one.meta["width"], one.meta["height"]) for one in made.outputs] == [
        size for _, size in asked
    ]


@pytest.mark.attribute("format[].quality", "format[].image_format")
async def test_quality_buys_pixels_with_bytes(clips, out):
    detailed = clips / "detailed.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=0.3", "-c:v", "ffv1", detailed)
    jpg = {**POSTER, "image_format": "jpg"}
    asked = [POSTER, *({**jpg, "quality": each} for each in (1, 40, "80", 100)), jpg]
    png, *rows = (await encode(detailed, out, *asked)).outputs
    sizes = [each.size for each in rows]
    errors = [difference(each.path, png.path) for each in rows]
    assert sizes[:4] == sorted(sizes[:4])
    assert errors[:4] == sorted(errors[:4], reverse=True)
    assert sizes[3] > 2 * sizes[0]
    assert errors[0] > 1.5 * errors[3]
    assert sizes[2] < sizes[4] < sizes[3]  # without a quality it is close to the best


@pytest.mark.attribute("format[].output")
@pytest.mark.parametrize("kind", ["png", "jpg"])
async def test_greys_are_as_bright_as_the_sources(clip, out, kind):
    made = await only(clip, out, {**POSTER, "frame_number": 25, "image_format": kind})
    with Image.open(made.path) as image:
        levels = [level for _, colour in image.convert("RGB").getcolors() for level in colour]
    # Luma 95 of 16 to 235 is 91.98 of 0 to 255.
    assert {abs(level - 92) <= 1 for level in levels} == {True}


@pytest.mark.attribute("format[].output")
async def test_turned_sources_and_oblong_pixels_come_out_as_players_show_them(clips, out):
    lying = quadrants(clips / "lying.mp4")
    turned, oblong = clips / "turned.mp4", clips / "oblong.mp4"
    ffmpeg("-display_rotation:v:0", "-90", "-i", lying, "-c", "copy", turned)
    ffmpeg("-i", lying, "-c", "copy", "-aspect", "8:3", oblong)
    upright = await only(turned, out, POSTER)
    assert shape(upright.path)[1] == (240, 320)
    # Turned clockwise, the corner at the lower left comes to the upper left: white.
    top_left, top_right = colours(upright.path, 2, 2)[:2]
    assert min(top_left) > 200
    assert top_right[0] > 200 > 100 > top_right[1]
    wide = await only(oblong, out, {"output": "thumbnails", "interval": 1, "height": 60})
    assert shape(wide.path / "thumb_0001.png")[1] == (160, 60)


async def plan_of(query: dict, *sources: Path | SourceFile) -> Pass:
    given: Inputs = inputs(*sources)
    probes = [await probe_source(toolchain(), each.path) for each in given.sources]
    asked = parse_query({"stitch": ["tus:0"] * len(sources), "format": [query]})
    (step,) = compile_plan(asked, material(given, probes), Means()).steps
    assert isinstance(step, Pass)
    return step


@pytest.mark.attribute("format[].time", "format[].start_time", "format[].frame_number")
@pytest.mark.attribute("stitch")
@pytest.mark.slow
async def test_a_stitched_films_poster_is_the_frame_of_its_moment(clip, small, out):
    part = SourceFile(clip, start=0.8, duration=0.6)
    film = inputs(clip, small, part)  # 2 s, 13 frames of 0.08 s, 0.6 s
    asked = (
        ({"start_time": 0.5}, 12),
        ({"start_time": 1.99}, 49),
        ({"start_time": 2.0}, 0),
        ({"start_time": 2.5}, 6),
        ({"frame_number": 60}, 5),
        ({"time": 0.95}, 30),
        ({"start_time": 3.14}, 22),
        ({"time": 1}, 34),
    )
    made = (await encode(film, out, *({**POSTER, **each} for each, _ in asked))).outputs
    assert [frame_numbers(one.path)[0] for one in made] == [shown for _, shown in asked]
    assert {shape(one.path)[1] for one in made} == {(160, 120)}


@pytest.mark.attribute("format[].start_time")
async def test_a_stitched_films_poster_reads_the_one_source_that_is_shown_then(clip, small):
    step = await plan_of({**POSTER, "start_time": 2.5}, clip, small, clip)
    (read,) = step.reading.inputs
    assert (read.path, read.start, read.nearby) == (small, pytest.approx(0.5), True)
    assert step.otherwise is not None
    assert [each.path for each in step.otherwise.reading.inputs] == [small]


async def test_a_stitched_poster_has_bars_where_its_source_has_another_shape(clip, clips, out):
    tall = quadrants(clips / "tall.mp4", size="60x120")
    made = await only(inputs(clip, tall), out, {**POSTER, "start_time": 2.2})
    assert shape(made.path)[1] == (160, 120)
    row = colours(made.path, 16, 2)[:16]
    assert max(max(pixel) for pixel in (*row[:4], *row[-4:])) < 20
    assert row[6][0] > 200 > 100 > row[6][1]


async def test_a_stitched_source_whose_picture_ends_early_shows_its_last_frame(clip, clips, out):
    early, half = clips / "early.mp4", coded_clip(clips / "half.mp4", size="160x120", seconds=1)
    ffmpeg("-i", half, "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", early)
    made = await only(inputs(clip, early), out, {**POSTER, "start_time": 3.5})
    assert frame_numbers(made.path) == [24]


@pytest.mark.attribute("format[].output")
@pytest.mark.parametrize("kind", ["thumbnail", "thumbnails"])
async def test_sound_has_no_picture_to_take(clips, clip, out, kind):
    sound = clips / "sound.m4a"
    ffmpeg("-i", clip, "-vn", "-c", "copy", sound)
    with pytest.raises(MediaError, match="has sound but no picture"):
        await encode(sound, out, {"output": kind})
    assert not list(out.iterdir())


#: Corners of ``quadrants``, row by row.
CORNERS = [(255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255)]


def far_from_corners(path: Path) -> int:
    """The largest difference of an image's corners from those of ``quadrants``, of 255."""
    with Image.open(path) as image:
        assert image.info.get("gamma", 0.45) == pytest.approx(0.45, abs=0.2)
        rgb = image.convert("RGB")
    width, height = rgb.size
    places = [(x, y) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    seen = [rgb.getpixel(place) for place in places]
    return max(
        abs(got - wanted)
        for pixel, colour in zip(seen, CORNERS, strict=True)
        for got, wanted in zip(pixel, colour, strict=True)
    )


@pytest.mark.attribute("format[].image_format", "format[].output")
@pytest.mark.parametrize(
    ("size", "matrix", "marks"),
    [
        ("64x64", "bt709", ("-colorspace", "bt709", "-color_primaries", "bt709")),
        ("32x720", "bt709", ()),
        ("64x64", "smpte170m", ()),
    ],
    ids=["marked BT.709", "HD without marks", "SD without marks"],
)
async def test_colours_are_those_that_players_show(tmp_path, out, size, matrix, marks):
    source, width = tmp_path / "coloured.mkv", int(size.split("x")[0]) // 2
    half = f"{width}x{int(size.split('x')[1]) // 2}"
    grid = "[0][1][2][3]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0,format=rgb24"
    lavfi = [
        word
        for colour in ("red", "lime", "white", "blue")
        for word in ("-f", "lavfi", "-i", f"color=c={colour}:s={half}:r=10:d=0.3")
    ]
    convert = f"{grid},scale=out_color_matrix={matrix}:out_range=tv,format=yuv444p"
    unmarked = "" if marks else ",setparams=colorspace=unknown:color_primaries=unknown"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0")
    ffmpeg(*lavfi, "-filter_complex", convert + unmarked, *codec, *marks, source)
    kinds = ({}, {"image_format": "jpg", "quality": 100})
    made = (await encode(source, out, *({**POSTER, **kind} for kind in kinds))).outputs
    assert [far_from_corners(one.path) <= 6 for one in made] == [True, True]


@pytest.mark.attribute("format[].output")
@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
async def test_posters_of_hdr_sources_are_sdr(tmp_path, out, curve):
    source = tmp_path / "hdr.mkv"
    flat = "color=c=0x808080:s=64x64:r=10:d=0.5,format=gbrp"
    to_hdr = (
        f"{flat},zscale=min=gbr:tin=bt709:pin=bt709:rin=pc:npl=100:"
        f"t={curve}:p=bt2020:m=bt2020nc:r=tv,format=yuv420p10le"
    )
    marks = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", curve)
    codec = (
        "-c:v",
        "libx265",
        "-x265-params",
        "log-level=error:lossless=1",
        "-preset",
        "ultrafast",
    )
    ffmpeg("-f", "lavfi", "-i", to_hdr, *codec, *marks, "-color_range", "tv", source)
    asked = (POSTER, {**POSTER, "image_format": "jpg"}, {"output": "thumbnails", "interval": 0.2})
    made = (await encode(source, out, *asked)).outputs
    images = (made[0].path, made[1].path, made[2].path / "thumb_0002.png")
    for image in images:
        # Left as it is, this grey would be at 77 of 255 (PQ) or 88 (HLG).
        assert all(abs(level - 128) <= 12 for pixel in colours(image) for level in pixel)


@pytest.mark.attribute("format[].resize_mode")
@pytest.mark.parametrize("kind", ["png", "jpg"])
async def test_images_are_scaled_or_cropped_into_their_frame(clips, out, kind):
    # 160x80, red and green above blue and white.
    wide = quadrants(clips / f"wide-{kind}.mp4", size="160x80")
    asked = {**POSTER, "image_format": kind}
    square = {**asked, "size": "61x61", "resize_mode": "crop"}
    tall = {**asked, "size": "159x201", "resize_mode": "crop"}
    row = {"output": "thumbnails", **{k: v for k, v in square.items() if k != "output"}}
    made = (await encode(wide, out, square, tall, {**asked, "size": "61x61"}, row)).outputs
    assert [shape(each.path)[1] for each in made[:3]] == [(61, 61), (159, 201), (61, 61)]
    circle, poster, squeezed, several = (each.path for each in made)
    assert shape(several / f"thumb_0001.{kind}")[1] == (61, 61)
    for image in (circle, squeezed, several / f"thumb_0001.{kind}"):
        assert [max(pixel) > 200 for pixel in colours(image, 4, 4)] == [True] * 16
    assert difference(circle, several / f"thumb_0001.{kind}") < 2
    # It is not blown up: the picture keeps its size, with black above and below.
    lit = [any(level > 100 for level in pixel) for pixel in colours(poster, 1, 201)]
    assert 78 <= sum(lit) <= 82
    assert not any(lit[:58] + lit[-58:])
