from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.query import Mp4, Thumbnail
from orchestrator.transcoder.plan.geometry import Fit, fit_image, fit_video, taller, turned
from orchestrator.transcoder.ports import MediaError

HD = (Fraction(1280), Fraction(720))
TALL = (Fraction(720), Fraction(1280))

sides = st.integers(2, 4096)
shown = st.tuples(sides.map(Fraction), sides.map(Fraction)).filter(
    lambda size: Fraction(1, 6) < size[0] / size[1] < 6
)


def fit(source: tuple[Fraction, Fraction] = HD, *, upscale: bool = True, **asked: Any) -> Fit:
    return fit_video(Mp4(output="mp4", **asked), source, upscale=upscale)


def frame(source: tuple[Fraction, Fraction] = HD, **asked: Any) -> tuple[int, int]:
    made = fit(source, **asked)
    return made.width, made.height


@pytest.mark.parametrize(
    ("source", "asked", "expected"),
    [
        (HD, {}, (1280, 720)),
        (HD, {"size": "640x480"}, (640, 480)),
        (HD, {"width": 640}, (640, 360)),
        (HD, {"height": 480}, (854, 480)),
        (HD, {"resolution": 480}, (854, 480)),
        (TALL, {"resolution": 480}, (480, 854)),
        (TALL, {"height": 480}, (270, 480)),
        (HD, {"resolution": 480, "width": 100}, (854, 480)),
        (HD, {"rotate": 90}, (720, 1280)),
        (HD, {"rotate": 90, "resolution": 360}, (360, 640)),
        (HD, {"rotate": 180, "height": 360}, (640, 360)),
        (HD, {"aspect_ratio": "4:3"}, (960, 720)),
        (HD, {"aspect_ratio": "2.35", "width": 640}, (640, 272)),
        (HD, {"aspect_ratio": "1:1", "height": 480}, (480, 480)),
        (HD, {"size": "361x241"}, (360, 240)),
        ((Fraction(1), Fraction(1)), {}, (2, 2)),
    ],
)
def test_the_frame_is_the_one_asked_for(source, asked, expected):
    assert frame(source, **asked) == expected


def test_size_and_aspect_ratio_that_disagree_make_oblong_pixels():
    made = fit(size="720x576", aspect_ratio="16:9")
    assert (made.width, made.height, made.sar) == (720, 576, Fraction(64, 45))


def test_crop_fills_the_frame_where_the_source_is_large_enough():
    made = fit(size="480x480", resize_mode="crop", upscale=False)
    assert made == Fit(480, 480, 854, 480)
    assert made.filters("tv") == "scale=854:480:out_range=tv,crop=480:480,setsar=1/1"


def test_crop_adds_bars_where_filling_would_enlarge_the_picture():
    source = (Fraction(640), Fraction(480))
    made = fit(source, size="854x480", resize_mode="crop", upscale=False)
    assert made == Fit(854, 480, 640, 480)
    assert "pad=854:480:(ow-iw)/2:(oh-ih)/2" in made.filters("tv")
    assert fit(source, size="854x480", resize_mode="crop", upscale=True).picture_height == 640


def test_taller_is_judged_by_lines_and_forgives_rounding_to_even():
    def is_taller(source: tuple[int, int], **asked: Any) -> bool:
        mp4 = Mp4(output="mp4", **asked)
        size = (Fraction(source[0]), Fraction(source[1]))
        return taller(fit_video(mp4, size, upscale=False), mp4, size)

    assert is_taller((640, 360), height=480)
    assert not is_taller((640, 480), height=480)
    assert not is_taller((853, 479), height=480)
    assert not is_taller((640, 481), height=482)
    assert not is_taller((640, 480), size="854x480")
    assert is_taller((1280, 720), rotate=90, height=1282)
    assert not is_taller((1280, 720), rotate=90)


def test_a_side_that_would_be_endless_is_refused():
    with pytest.raises(MediaError, match="a side of the frame would be 48000 pixels"):
        fit((Fraction(1000), Fraction(10)), height=480)


def test_images_have_exactly_the_size_asked_for():
    image = fit_image(Thumbnail(output="thumbnail", width=333, height=111), HD)
    assert (image.width, image.height) == (333, 111)
    image = fit_image(Thumbnail(output="thumbnail", width=321), HD)
    assert (image.width, image.height) == (321, 181)


@given(source=shown, height=st.integers(16, 2160))
def test_one_side_keeps_the_aspect_within_a_pixel(source, height):
    made = fit(source, height=height)
    assert made.width % 2 == made.height % 2 == 0
    assert abs(made.height - height) <= 1
    assert abs(made.width - height * source[0] / source[1]) <= 1
    assert made.sar == 1


@given(
    source=shown,
    asked=st.fixed_dictionaries(
        {},
        optional={
            "width": st.integers(1, 4096),
            "height": st.integers(1, 4096),
            "resolution": st.integers(1, 2160),
            "rotate": st.sampled_from([90, 180, 270]),
            "aspect_ratio": st.sampled_from(["4:3", "16:9", "1:1", "2.35", "9:16"]),
            "resize_mode": st.sampled_from(["scale", "crop"]),
        },
    ),
    upscale=st.booleans(),
)
def test_a_frame_is_even_and_never_empty(source, asked, upscale):
    try:
        made = fit(source, upscale=upscale, **asked)
    except MediaError:
        return
    sizes = (made.width, made.height, made.picture_width, made.picture_height)
    assert all(side >= 2 and side % 2 == 0 for side in sizes)
    assert made.sar > 0
    # The picture is cropped, or gets bars, but never both.
    crops = made.picture_width > made.width or made.picture_height > made.height
    bars = made.picture_width < made.width or made.picture_height < made.height
    assert not (crops and bars)


@given(source=shown, size=st.tuples(st.integers(64, 2048), st.integers(64, 2048)))
def test_crop_never_squashes_the_picture(source, size):
    made = fit(source, size=f"{size[0]}x{size[1]}", resize_mode="crop", upscale=False)
    across, down = made.picture_width / source[0], made.picture_height / source[1]
    shorter = min(made.picture_width, made.picture_height)
    assert abs(across / down - 1) <= Fraction(4, shorter) + Fraction(2, 100)


@given(source=shown)
def test_four_turns_are_none(source):
    assert turned(turned(source, 90), 270) == source
    assert turned(source, 180) == source
