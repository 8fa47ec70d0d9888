"""Metadata of spherical videos, as ffprobe reads it from what comes out."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.boxes import with_boxes
from orchestrator.transcoder.ports import MediaError
from tests import media
from tests.transcoder.encodes import encode, only

MP4 = {"output": "mp4", "quality": 5}
_VR180 = {
    "vr180": 1,
    "full_width": 320,
    "full_height": 160,
    "cropped_width": 160,
    "cropped_height": 120,
    "cropped_left": 80,
    "cropped_top": 20,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spherical") / "clip.mp4"
    return media.coded_clip(path, seconds=0.6, size="160x120", sound=1)


def sides(path: Path) -> dict[str, dict[str, Any]]:
    """ffprobe's side data of the picture, by its kind."""
    video = media.stream(path, "video")
    assert video is not None
    return {each["side_data_type"]: each for each in video.get("side_data_list", [])}


@pytest.mark.attribute(
    "format[].inject_360_metadata",
    "format[].inject_360_metadata.projection",
    "format[].inject_360_metadata.stereo",
    "format[].inject_360_metadata.side_data_type",
)
@pytest.mark.parametrize(
    ("asked", "projection", "eyes"),
    [
        ({}, "equirectangular", "2D"),
        ({"stereo": "top-bottom"}, "equirectangular", "top and bottom"),
        ({"stereo": "left-right"}, "equirectangular", "side by side"),
        ({"side_data_type": "spherical mapping"}, "equirectangular", None),
        ({"side_data_type": "stereo 3d", "stereo": "left-right"}, None, "side by side"),
        ({"projection": "rectangular", "stereo": "top-bottom"}, None, "top and bottom"),
    ],
)
async def test_players_are_told_as_asked(
    clip: Path, tmp_path: Path, asked: dict[str, Any], projection: str | None, eyes: str | None
):
    path = (await only(clip, tmp_path, {**MP4, "inject_360_metadata": asked})).path
    found = sides(path)
    assert found.get("Spherical Mapping", {}).get("projection") == projection
    assert found.get("Stereo 3D", {}).get("type") == eyes
    # The media moved behind a larger index: every offset with it, of the sound too.
    assert media.frame_numbers(path) == list(range(15))
    assert media.loudness(path) > 3000
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.attribute(
    "format[].inject_360_metadata.vr180",
    "format[].inject_360_metadata.full_width",
    "format[].inject_360_metadata.full_height",
    "format[].inject_360_metadata.cropped_width",
    "format[].inject_360_metadata.cropped_height",
    "format[].inject_360_metadata.cropped_left",
    "format[].inject_360_metadata.cropped_top",
)
async def test_a_part_of_a_sphere_has_its_bounds(clip: Path, tmp_path: Path):
    made = await only(clip, tmp_path, {**MP4, "inject_360_metadata": _VR180})
    found = sides(made.path)["Spherical Mapping"]
    assert found["projection"] == "tiled equirectangular"
    bounds = [found[f"bound_{side}"] for side in ("left", "top", "right", "bottom")]
    assert bounds == [80, 20, 80, 20]


@pytest.mark.attribute("format[].keep_360_metadata")
@pytest.mark.parametrize("asked", [{"stereo": "top-bottom"}, _VR180])
@pytest.mark.slow
async def test_the_sources_own_are_kept_where_that_is_asked_for(
    clip: Path, tmp_path: Path, asked: dict[str, Any]
):
    source = (await only(clip, tmp_path, {**MP4, "inject_360_metadata": asked})).path
    out = tmp_path / "out"
    out.mkdir()
    done = await encode(source, out, {**MP4, "keep_360_metadata": 1}, MP4)
    kept, plain = (sides(made.path) for made in done.outputs)
    assert kept == sides(source)
    assert plain == {}
    assert done.warnings == ()


@pytest.mark.attribute("format[].keep_360_metadata")
async def test_nothing_to_keep_is_told(clip: Path, tmp_path: Path):
    done = await encode(clip, tmp_path, {**MP4, "keep_360_metadata": 1})
    assert sides(done.outputs[0].path) == {}
    assert ["keep_360_metadata keeps nothing" in each.message for each in done.warnings] == [True]


@pytest.mark.parametrize("index", [b"", b"\x00\x00\x00\x08moov", b"\x00\x00\x00\x04moov"])
def test_a_file_without_a_video_track_is_refused(index: bytes):
    with pytest.raises(MediaError):
        with_boxes(index, b"\x00\x00\x00\x08st3d", at=0)
