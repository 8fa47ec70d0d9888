"""The ``gif`` output."""

from pathlib import Path

import pytest

from tests import media
from tests.transcoder.encodes import encode, inputs, only

GIF = {"output": "gif"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gif")


@pytest.fixture(scope="module")
def coded(clips: Path) -> Path:
    return media.coded_clip(clips / "coded.mp4", seconds=1, size="160x120", sound=1)


@pytest.mark.attribute(
    "format[].output",
    "format[].framerate",
    "format[].width",
    "format[].height",
    "format[].start_time",
    "format[].duration",
)
async def test_a_gif_is_the_part_size_and_rate_asked_for(coded: Path, tmp_path: Path):
    asked = {**GIF, "framerate": 12.5, "width": 80, "start_time": 0.2, "duration": 0.4}
    made = await only(coded, tmp_path, {**asked, "tag": "mine"})
    assert (made.tag, made.kind, made.path.suffix, made.user_tag) == (
        "video-0-0",
        "video",
        ".gif",
        "mine",
    )
    video = media.stream(made.path, "video")
    assert (video["codec_name"], video["width"], video["height"]) == ("gif", 80, 60)
    assert media.frame_times(made.path) == pytest.approx([0, 0.08, 0.16, 0.24, 0.32])
    # A palette's colours are rounded once more.
    assert media.frame_numbers(made.path) == pytest.approx([5, 7, 9, 11, 13], abs=1)
    data = made.path.read_bytes()
    assert data.startswith(b"GIF89a")
    # For ever: the extension of Netscape, with no number of times.
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in data


@pytest.mark.attribute("format[].output")
async def test_colours_come_from_a_palette_of_the_film(clips: Path, tmp_path: Path):
    corners = media.quadrants(clips / "corners.mp4", size="64x48")
    path = (await only(corners, tmp_path, GIF)).path
    red, green, white, blue = media.colours(path, 2, 2)
    wanted = ((255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255))
    for seen, colour in zip((red, green, white, blue), wanted, strict=True):
        assert all(abs(a - b) < 16 for a, b in zip(seen, colour, strict=True))


async def test_a_long_film_gets_a_palette_for_each_frame(
    coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator.transcoder.plan.gif._MOST_BYTES", 1000)
    made = await only(coded, tmp_path, GIF)
    assert media.frame_numbers(made.path) == pytest.approx(list(range(25)), abs=1)


async def test_what_no_player_shows_is_slowed_with_a_warning(clips: Path, tmp_path: Path):
    fast = media.coded_clip(clips / "fast.mp4", seconds=0.5, rate="100", size="64x48")
    done = await encode(fast, tmp_path, GIF)
    assert len(media.frame_times(done.outputs[0].path)) == 25
    assert "at most 50 frames a second" in done.warnings[0].message


@pytest.mark.attribute("format[].logo", "format[].rotate", "upscale")
async def test_a_gif_is_turned_drawn_on_and_left_out_like_a_video(clips: Path, tmp_path: Path):
    corners = media.quadrants(clips / "turn.mp4", size="64x48")
    logo = clips / "logo.png"
    plain = ("-f", "lavfi", "-i", "color=black:s=16x16:r=1:d=1", "-frames:v", "1")
    media.ffmpeg(*plain, "-update", "1", logo)
    given = inputs(corners, assets={"https://images.example/l": logo})
    drawn = {**GIF, "rotate": 90, "logo": {"source": "https://images.example/l", "x": -1}}
    done = await encode(given, tmp_path, drawn, {**GIF, "height": 480})
    (made,) = done.outputs
    seen = media.colours(made.path, 6, 8)
    assert (made.meta["width"], made.meta["height"]) == (48, 64)
    assert seen[0][0] > 200
    assert seen[0][1] > 200
    assert max(seen[4]) < 40
    assert any("was left out" in each.message for each in done.warnings)
