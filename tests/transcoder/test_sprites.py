"""Interval thumbnails and sprites: what is in the images, and what players read of them."""

from pathlib import Path

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.query import Thumbnails
from orchestrator.transcoder.plan.sprites import DEFAULT_COLUMNS, grid
from orchestrator.transcoder.ports import MediaError, Produced
from tests.media import coded_clip, ffmpeg, frame_numbers, quadrants
from tests.transcoder.encodes import Listener, encode, inputs, only

ROW = {"output": "thumbnails"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds, 50 frames, each as bright as its number."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "coded.mp4", size="160x120", sound=1)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def cues(made: Produced) -> list[tuple[float, float, str]]:
    """Start and end in seconds and the text of each cue, as a library reads them."""
    assert made.entry is not None
    read = webvtt.read(made.path / made.entry)
    return [(seconds(cue.start), seconds(cue.end), cue.text) for cue in read]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def cut_out(made: Produced, reference: str, into: Path) -> Path:
    """The part of a sprite that a cue names, as an image of its own."""
    name, _, part = reference.partition("#xywh=")
    x, y, width, height = (int(number) for number in part.split(","))
    with Image.open(made.path / name) as sprite:
        assert x + width <= sprite.width
        assert y + height <= sprite.height
        sprite.crop((x, y, x + width, y + height)).convert("RGB").save(into)
    return into


@pytest.mark.attribute(
    "format[].output",
    "format[].interval",
    "format[].image_format",
    "format[].width",
    "format[].height",
)
async def test_a_fraction_of_a_second_between_images(clip, out):
    asked = {**ROW, "interval": "0.36", "width": 63, "height": "51"}
    made = await only(clip, out, asked)
    found = cues(made)
    assert [start for start, _, _ in found] == pytest.approx([0, 0.36, 0.72, 1.08, 1.44, 1.8])
    assert found[-1][1] == pytest.approx(2.0, abs=0.03)
    images = [made.path / text for _, _, text in found]
    assert sorted(path.name for path in made.path.iterdir()) == sorted(
        [*(image.name for image in images), "thumbnails.vtt"]
    )
    assert [frame_numbers(image)[0] for image in images] == [0, 9, 18, 27, 36, 45]
    for image in images:
        with Image.open(image) as still:
            assert (still.format, still.size) == ("PNG", (63, 51))
    assert made.meta == {"width": 63, "height": 51, "format": "png", "count": 6}


@pytest.mark.attribute("format[].sprite", "format[].columns", "format[].interval", "format[].size")
async def test_a_sprite_holds_every_frame_where_the_vtt_file_says(clip, out, tmp_path):
    listener = Listener()
    asked = {**ROW, "interval": 0.2, "sprite": 1, "columns": 4, "size": "40x30"}
    made = await only(clip, out, asked, listener=listener)
    assert sorted(path.name for path in made.path.iterdir()) == ["sprite.png", "thumbnails.vtt"]
    with Image.open(made.path / "sprite.png") as sprite:
        assert (sprite.format, sprite.size) == ("PNG", (160, 90))
    found = cues(made)
    assert [text for _, _, text in found][3:5] == [
        "sprite.png#xywh=120,0,40,30",
        "sprite.png#xywh=0,30,40,30",
    ]
    shown = [frame_numbers(cut_out(made, text, tmp_path / "cut.png"))[0] for _, _, text in found]
    assert shown == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert [one[1] for one in found[:-1]] == [after[0] for after in found[1:]]
    assert made.size == sum(path.stat().st_size for path in made.path.iterdir())
    percents = [told["image-0-0"] for told in listener.told]
    assert percents == sorted(percents)
    assert percents[-1] == 100


@pytest.mark.attribute("format[].sprite", "format[].columns", "format[].image_format")
async def test_a_sprite_of_jpg_in_the_default_columns(clip, out, tmp_path):
    asked = {**ROW, "interval": 0.16, "sprite": "1", "width": 32, "image_format": "jpg"}
    made = await only(clip, out, asked)
    with Image.open(made.path / "sprite.jpg") as sprite:
        assert (sprite.format, sprite.size) == ("JPEG", (32 * DEFAULT_COLUMNS, 24 * 2))
    shown = [
        frame_numbers(cut_out(made, text, tmp_path / "cut.png"))[0] for _, _, text in cues(made)
    ]
    assert shown == [4 * number for number in range(13)]


@pytest.mark.attribute("format[].sprite", "format[].quality")
async def test_a_jpg_sprites_quality_is_its_own(out, tmp_path):
    detailed = tmp_path / "detailed.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=0.5", "-c:v", "ffv1", detailed)
    asked = {**ROW, "interval": 0.25, "sprite": 1, "image_format": "jpg"}
    qualities = (100, 50, 1)
    made = await encode(detailed, out, *({**asked, "quality": each} for each in qualities))
    best, middle, worst = ((one.path / "sprite.jpg").stat().st_size for one in made.outputs)
    assert best > 1.5 * middle > 2 * worst


@pytest.mark.attribute("format[].sprite", "format[].resolution")
async def test_a_sprite_of_fewer_images_than_columns_is_as_wide_as_they_are(clip, out):
    made = await only(clip, out, {**ROW, "interval": 1, "sprite": 1, "resolution": 60})
    with Image.open(made.path / "sprite.png") as sprite:
        assert sprite.size == (160, 60)


@pytest.mark.attribute("format[].columns", "format[].sprite")
async def test_columns_too_wide_for_any_image_are_refused_before_anything_runs(clip, out):
    asked = {**ROW, "sprite": 1, "columns": 100, "width": 320}
    with pytest.raises(MediaError, match=r"image-0-0: columns: 100 images of 320x240 make .* 51"):
        await encode(clip, out, asked)
    assert not list(out.iterdir())


@pytest.mark.attribute("format[].sprite")
async def test_many_large_images_make_several_sprites(out, tmp_path):
    tall = quadrants(tmp_path / "corners.mp4", size="64x64")
    asked = {**ROW, "interval": 0.1, "sprite": 1, "columns": 1, "width": 16, "height": 6000}
    made = await only(tall, out, asked)
    names = [text.partition("#")[0] for _, _, text in cues(made)]
    assert names == ["sprite_0001.png"] * 2 + ["sprite_0002.png"] * 2 + ["sprite_0003.png"]
    assert cues(made)[1][2].endswith("#xywh=0,6000,16,6000")
    with Image.open(made.path / "sprite_0003.png") as sprite:
        assert sprite.size == (16, 6000)
    assert len(list(made.path.iterdir())) == 4


async def test_a_stitched_film_has_images_all_along(clip, out, tmp_path):
    half = coded_clip(tmp_path / "half.mp4", size="80x60", seconds=1)
    made = await only(inputs(clip, half), out, {**ROW, "interval": 0.6, "width": 80, "sprite": 1})
    found = [text for _, _, text in cues(made)]
    shown = [frame_numbers(cut_out(made, text, tmp_path / "cut.png"))[0] for text in found]
    assert shown == [0, 15, 30, 45, 10]


@given(
    width=st.integers(1, 8192),
    height=st.integers(1, 8192),
    count=st.integers(1, 400),
    columns=st.none() | st.integers(1, 100),
)
def test_every_image_has_a_place_of_its_own_in_a_sheet_that_programs_can_open(
    width, height, count, columns
):
    asked = Thumbnails.model_validate({**ROW, "sprite": 1, "columns": columns})
    try:
        layout = grid(asked, width, height)
    except MediaError:
        assert columns is not None
        assert columns * width > 16384 or columns * width * height > 8192 * 8192
        return
    sheets = {sheet.name: sheet for sheet in layout.sheets(count)}
    assert sum(sheet.count for sheet in sheets.values()) == count
    places = list(layout.references(count))
    assert len(set(places)) == len(places) == count
    for reference in places:
        name, _, part = reference.partition("#xywh=")
        x, y, *_ = (int(number) for number in part.split(","))
        sheet = sheets[name]
        assert x + width <= sheet.columns * width <= 16384
        assert y + height <= sheet.rows * height <= 16384
        assert sheet.columns * width * sheet.rows * height <= 8192 * 8192
