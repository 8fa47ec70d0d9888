"""The colours of what comes out: its marks, and that its pixels are what they say."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.ports import MediaError
from tests import media
from tests.transcoder.encodes import encode, inputs, only

MP4 = {"output": "mp4", "quality": 5}
_LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "2")

_BARS = "0xb04030,0x30a050,0x4050b0,0xa0a0a0,0x606060,0xb0a040,0x40a0a0,0x904090"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("colours")


def chart(path: Path, shape: str, *options: str) -> Path:
    """Eight patches that SDR can show, in colours that ``shape`` makes of RGB."""
    sources = [
        word
        for colour in _BARS.split(",")
        for word in ("-f", "lavfi", "-i", f"color=c={colour}:s=16x64:r=5:d=0.4,format=gbrp")
    ]
    joined = f"hstack=inputs=8,setparams=color_trc=bt709:color_primaries=bt709,{shape}"
    media.ffmpeg(*sources, "-filter_complex", joined, *options, path)
    return path


@pytest.fixture(scope="module")
def tagged(clips: Path) -> Path:
    """A chart in BT.601's matrix, marked so."""
    shape = "zscale=m=smpte170m:r=tv:t=bt709:p=bt709,format=yuv420p"
    return chart(clips / "tagged.mp4", shape, *_LOSSLESS)


def hdr(path: Path, curve: str) -> Path:
    """The chart as HDR, where its white is as bright as SDR's usually is in it."""
    linear = "format=gbrpf32le,zscale=t=linear:npl=100,zscale=p=bt2020"
    shape = f"{linear},zscale=t={curve}:m=bt2020nc:p=bt2020:r=tv:npl=100,format=yuv420p10le"
    parameters = (
        f"log-level=error:colorprim=bt2020:transfer={curve}:colormatrix=bt2020nc:hdr10=1:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):"
        "max-cll=1000,400"
    )
    codec = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "6")
    return chart(path, shape, *codec, "-x265-params", parameters)


def patches(path: Path, at: float = 0.0) -> list[tuple[int, ...]]:
    """The middle of each patch at a second as red, green, blue, as the stream's marks say."""
    video = media.stream(path, "video")
    assert video is not None
    # BT.709 and back in floating point, so that other curves and primaries count too.
    curve, primaries = (video.get(f"color_{name}", "bt709") for name in ("transfer", "primaries"))
    come = f"tin={curve}:pin={primaries}"
    shape = f"zscale={come}:m=gbr:t=bt709:p=bt709:r=pc,format=gbrp,format=rgb24"
    one = ("-frames:v", "1", "-vf", shape, "-f", "rawvideo", "-")
    data = media.ffmpeg("-ss", str(at), "-i", path, *one)
    row = data[32 * 128 * 3 :]
    return [tuple(row[3 * x : 3 * x + 3]) for x in range(8, 128, 16)]


_WANTED = [tuple(int(colour[at : at + 2], 16) for at in (2, 4, 6)) for colour in _BARS.split(",")]


def off(seen: list[tuple[int, ...]]) -> int:
    """The largest difference of any channel from the chart's."""
    pairs = zip(seen, _WANTED, strict=True)
    return max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))


def marks(path: Path) -> tuple[str, ...]:
    video = media.stream(path, "video")
    assert video is not None
    names = ("color_space", "color_range", "color_transfer", "color_primaries")
    return tuple(video.get(name, "") for name in names)


def stored(path: Path) -> bytes:
    """The luma of the first frame as it is stored."""
    shape = "extractplanes=y"
    return media.ffmpeg("-i", path, "-frames:v", "1", "-vf", shape, "-f", "rawvideo", "-")


_COLOURS = ("color_space", "color_range", "color_trc", "color_primaries")


@pytest.mark.attribute(
    "format[].color_space",
    "format[].color_range",
    "format[].color_trc",
    "format[].color_primaries",
)
@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ({}, ("smpte170m", "tv", "bt709", "bt709")),
        (dict.fromkeys(_COLOURS, 1), ("smpte170m", "tv", "bt709", "bt709")),
        ({"color_space": "bt709"}, ("bt709", "tv", "bt709", "bt709")),
        ({"color_space": "ycocg"}, ("ycgco", "tv", "bt709", "bt709")),
        ({"color_range": "jpeg"}, ("smpte170m", "pc", "bt709", "bt709")),
        ({"pix_format": "yuvj420p", "color_range": 1}, ("smpte170m", "tv", "bt709", "bt709")),
        ({"color_trc": "gamma28"}, ("smpte170m", "tv", "bt470bg", "bt709")),
        ({"color_primaries": "smpte432"}, ("smpte170m", "tv", "bt709", "smpte432")),
        (
            {
                "color_space": "bt2020_ncl",
                "color_trc": "bt2020_10bit",
                "color_primaries": "bt2020",
                "color_range": "pc",
            },
            ("bt2020nc", "pc", "bt2020-10", "bt2020"),
        ),
    ],
)
async def test_colours_are_marked_and_converted(
    tagged: Path, tmp_path: Path, asked: dict[str, Any], written: tuple[str, ...]
):
    path = (await only(tagged, tmp_path, {**MP4, **asked})).path
    assert marks(path) == written
    # What is shown is the same, however it is stored.
    assert off(patches(path)) <= 8
    same = marks(path) == marks(tagged)
    moved = max(abs(a - b) for a, b in zip(stored(path), stored(tagged), strict=True))
    assert moved <= 4 if same else moved >= 3


async def test_a_source_that_does_not_say_keeps_its_numbers(clips: Path, tmp_path: Path):
    shape = "zscale=m=smpte170m:r=tv,format=yuv420p"
    bare = "setparams=colorspace=unknown:color_trc=unknown:color_primaries=unknown"
    path = chart(clips / "bare.mp4", f"{shape},{bare}", *_LOSSLESS)
    kept, hd = (await encode(path, tmp_path, MP4, {**MP4, "color_space": "bt709"})).outputs
    assert marks(kept.path) == marks(path)
    assert max(abs(a - b) for a, b in zip(stored(kept.path), stored(path), strict=True)) <= 3
    # Players take so small a picture for BT.601, so it is converted from that.
    assert marks(hd.path)[0] == "bt709"
    assert off(patches(hd.path)) <= 8


@pytest.mark.attribute("format[].color_trc")
async def test_colours_that_nothing_converts_to_are_refused(tagged: Path, tmp_path: Path):
    with pytest.raises(MediaError, match="video-0-0: color_trc: nothing here converts"):
        await encode(tagged, tmp_path, {**MP4, "color_trc": "smpte428"})
    with pytest.raises(MediaError, match="video-0-0: color_space: nothing here converts"):
        await encode(tagged, tmp_path, {**MP4, "color_space": "smpte2085"})
    with pytest.raises(MediaError, match="video-0-0: color_space: nothing here converts"):
        await encode(tagged, tmp_path, {**MP4, "color_space": "rgb"})


# --- high dynamic range ------------------------------------------------------


@pytest.mark.attribute("format[].hdr_to_sdr")
@pytest.mark.parametrize(("curve", "within"), [("smpte2084", 20), ("arib-std-b67", 45)])
async def test_hdr_becomes_sdr(clips: Path, tmp_path: Path, curve: str, within: int):
    source = hdr(clips / f"{curve}.mp4", curve)
    done = await encode(source, tmp_path, {**MP4, "hdr_to_sdr": 1}, MP4)
    mapped, kept = (made.path for made in done.outputs)
    assert marks(mapped) == ("bt709", "tv", "bt709", "bt709")
    assert "Mastering" not in str(media.probed(mapped))
    assert off(patches(mapped)) <= within
    # Without it the picture stays HDR, and says so.
    assert marks(kept) == ("bt2020nc", "tv", curve, "bt2020")
    assert [each.message for each in done.warnings] == [
        (
            "video-0-1: the source is HDR and is kept so, in 8 bits, where banding may show; "
            "hdr_to_sdr=1 makes SDR of it"
        )
    ]


async def test_a_gif_shows_hdr_as_sdr(clips: Path, tmp_path: Path):
    source = hdr(clips / "for-gif.mp4", "smpte2084")
    path = (await only(source, tmp_path, {"output": "gif"})).path
    data = media.ffmpeg("-i", path, "-frames:v", "1", "-vf", "format=rgb24", "-f", "rawvideo", "-")
    row = data[32 * 128 * 3 :]
    assert off([tuple(row[3 * x : 3 * x + 3]) for x in range(8, 128, 16)]) <= 24


@pytest.mark.attribute("format[].hdr_to_sdr")
async def test_sdr_is_left_as_it_is(tagged: Path, tmp_path: Path):
    done = await encode(tagged, tmp_path, {**MP4, "hdr_to_sdr": 1}, MP4)
    first, second = (stored(made.path) for made in done.outputs)
    assert first == second
    assert ["hdr_to_sdr changes nothing" in each.message for each in done.warnings] == [True]


# --- pixels ------------------------------------------------------------------


@pytest.mark.attribute("format[].pix_format")
@pytest.mark.parametrize("pix_format", ["yuv420p", "yuv422p", "yuvj420p", "yuvj422p"])
async def test_pixel_formats_are_as_asked_for(tagged: Path, tmp_path: Path, pix_format: str):
    path = (await only(tagged, tmp_path, {**MP4, "pix_format": pix_format})).path
    video = media.stream(path, "video")
    full = pix_format.startswith("yuvj")
    assert video["pix_fmt"].replace("j", "") == pix_format.replace("j", "")
    assert video["color_range"] == ("pc" if full else "tv")
    assert off(patches(path)) <= 8


@pytest.mark.attribute("format[].pix_format")
async def test_ten_bits_become_eight_without_steps(clips: Path, tmp_path: Path):
    source = clips / "ramp.mp4"
    ramp = "color=black:s=256x64:r=5:d=0.4,format=yuv420p10le,geq=lum='400+X/16':cb=512:cr=512"
    codec = (
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "lossless=1:log-level=error",
    )
    media.ffmpeg("-f", "lavfi", "-i", ramp, *codec, source)
    data = stored((await only(source, tmp_path, {**MP4, "quality": 0})).path)
    means = [
        sum(data[y * 256 + x] for y in range(64) for x in range(left, left + 16)) / 1024
        for left in range(0, 256, 16)
    ]
    # In steps of a quarter, of which eight bits alone know none.
    assert means == pytest.approx([100 + step / 4 for step in range(16)], abs=0.06)


async def test_a_source_of_red_green_and_blue_is_taken_for_what_it_is(clips: Path, tmp_path: Path):
    source = chart(clips / "rgb.mov", "format=rgb24", "-c:v", "png")
    done = await encode(source, tmp_path, MP4, {**MP4, "color_space": "smpte170m"})
    assert [marks(made.path)[0] for made in done.outputs] == ["bt709", "smpte170m"]
    assert [off(patches(made.path)) <= 8 for made in done.outputs] == [True, True]


@pytest.mark.attribute("stitch", "format[].hdr_to_sdr")
async def test_hdr_and_sdr_are_stitched_into_sdr(clips: Path, tagged: Path, tmp_path: Path):
    bright = hdr(clips / "for-stitch.mp4", "smpte2084")
    still = {"output": "thumbnail", "start_time": 0.6}
    for sources in ((tagged, bright), (bright, tagged)):
        out = tmp_path / sources[0].stem
        out.mkdir()
        done = await encode(inputs(*sources), out, {**MP4, "hdr_to_sdr": 1}, MP4, still)
        for made in done.outputs[:2]:
            video = media.stream(made.path, "video")
            assert video is not None
            assert (video["color_space"], video["color_transfer"]) == ("bt709", "bt709")
            assert off(patches(made.path, 0.2)) < 20
            assert off(patches(made.path, 0.6)) < 20
        assert off(media.colours(done.outputs[2].path, 8, 1)) < 20
        assert [each.message for each in done.warnings] == [
            "video-0-1: some sources are HDR and others are not, so all became SDR"
        ]


@pytest.mark.attribute("stitch")
async def test_stitched_sources_of_two_matrices_look_as_they_did(clips, tagged, tmp_path):
    shape = "zscale=m=bt709:r=tv:t=bt709:p=bt709,format=yuv420p"
    other = chart(clips / "other.mp4", shape, *_LOSSLESS)
    made = await only(inputs(other, tagged), tmp_path, MP4)
    assert off(patches(made.path, 0.2)) < 8
    assert off(patches(made.path, 0.6)) < 8
