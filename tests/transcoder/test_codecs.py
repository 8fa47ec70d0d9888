"""Encoders do as they are told: what the streams themselves say of how they were made."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.query import QueryError, parse_query
from orchestrator.query.codec import OF_LCEVC
from orchestrator.transcoder.ports import MediaError
from tests import media
from tests.transcoder.encodes import encode, only

MP4 = {"output": "mp4"}
WEBM = {"output": "webm"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a picture that moves and has detail."""
    path = tmp_path_factory.mktemp("codecs") / "clip.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1,format=yuv420p")
    media.ffmpeg(*picture, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", path)
    return path


def told(path: Path) -> dict[str, str]:
    """The parameters that x264 and x265 write into their streams, by name."""
    found = re.search(rb"options: ([ -~]+)", path.read_bytes())
    assert found is not None
    pairs = (word.partition("=") for word in found[1].decode().split())
    return {name: value if sign else "1" for name, sign, value in pairs}


def headers(path: Path) -> str:
    """Every header of a stream in words (the bitstream filter trace_headers)."""
    command = [media.toolchain().ffmpeg, "-v", "trace", "-nostdin", "-i", path, "-c", "copy"]
    command += ["-bsf:v", "trace_headers", "-f", "null", "-"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return done.stderr.decode(errors="replace")


def header(path: Path, name: str) -> str:
    """The first value of a field of a stream's headers."""
    found = re.search(rf"\b{name}\s+[01]*\s*= (-?\d+)", headers(path))
    assert found is not None, name
    return found[1]


async def made(clip: Path, out: Path, codec: str, **asked: Any) -> Path:
    parameters = asked.pop("parameters", None)
    more = {"video_codec_parameters": parameters} if parameters else {}
    form = WEBM if codec.startswith("libvpx") else MP4
    return (await only(clip, out, {**form, "video_codec": codec, **more, **asked})).path


def left(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.mark.attribute(
    "format[].video_codec_parameters",
    "format[].video_codec_parameters.level",
    "format[].video_codec_parameters.coder",
    "format[].video_codec_parameters.flags2",
    "format[].video_codec_parameters.partitions",
    "format[].video_codec_parameters.directpred",
    "format[].video_codec_parameters.me_method",
    "format[].video_codec_parameters.me_range",
    "format[].video_codec_parameters.subq",
)
@pytest.mark.attribute(
    "format[].video_codec_parameters.trellis",
    "format[].video_codec_parameters.refs",
    "format[].video_codec_parameters.cmp",
    "format[].video_codec_parameters.sc_threshold",
    "format[].video_codec_parameters.i_qfactor",
    "format[].video_codec_parameters.b_strategy",
    "format[].video_codec_parameters.qcomp",
    "format[].video_codec_parameters.qmin",
)
@pytest.mark.attribute(
    "format[].video_codec_parameters.qmax",
    "format[].video_codec_parameters.qdiff",
    "format[].video_codec_parameters.rc_lookahead",
    "format[].video_codec_parameters.preset",
    "format[].video_codec_parameters.max_rate",
    "format[].video_codec_parameters.bufsize",
)
async def test_x264_is_told_every_parameter(clip: Path, tmp_path: Path):
    path = await made(
        clip,
        tmp_path,
        "libx264",
        quality=25,
        parameters={
            "level": 31,
            "coder": 0,
            "flags2": "-bpyramid+wpred-mixed_refs-fastpskip+aud",
            "partitions": "+partp8x8+partp4x4",
            "directpred": 2,
            "me_method": "umh",
            "me_range": 24,
            "subq": 5,
            "trellis": 2,
            "refs": 4,
            "cmp": "-chroma",
            "sc_threshold": 12,
            "i_qfactor": 0.5,
            "b_strategy": 2,
            "qcomp": 0.7,
            "qmin": 8,
            "qmax": 44,
            "qdiff": 6,
            "rc_lookahead": 11,
            "preset": "slow",
            "max_rate": 1.5,
            "bufsize": 3,
        },
    )
    sei = told(path)
    expected = {
        "cabac": "0",
        "b_pyramid": "0",
        "weightp": "2",
        "mixed_ref": "0",
        "fast_pskip": "0",
        "direct": "2",
        "me": "umh",
        "me_range": "24",
        "subme": "5",
        "trellis": "2",
        "ref": "4",
        "chroma_me": "0",
        "scenecut": "12",
        "ip_ratio": "2.00",
        "b_adapt": "2",
        "qcomp": "0.70",
        "qpmin": "8",
        "qpmax": "44",
        "qpstep": "6",
        # In kbit/s: what was asked for were Mbit/s.
        "rc_lookahead": "11",
        "vbv_maxrate": "1500",
        "vbv_bufsize": "3000",
        "crf": "25.0",
        # Between frames P8x8 and P4x4 alone.
        "analyse": "0x1:0x30",
        "8x8dct": "0",
    }
    assert {name: sei.get(name) for name in expected} == expected
    assert media.stream(path, "video")["level"] == 31
    # An access unit delimiter before each picture.
    assert headers(path).count("Access Unit Delimiter") == 25


@pytest.mark.attribute(
    "format[].video_codec_parameters.flags2",
    "format[].video_codec_parameters.partitions",
    "format[].video_codec_parameters.flags",
    "format[].video_codec_parameters.me_method",
    "format[].video_codec_parameters.cmp",
    "format[].video_codec_parameters.directpred",
)
async def test_what_only_the_high_profile_has_raises_the_profile(clip: Path, tmp_path: Path):
    path = await made(
        clip,
        tmp_path,
        "libx264",
        parameters={
            "flags2": "+dct8x8+bpyramid-wpred+mixed_refs+fastpskip",
            "me_method": "epzs",
            "partitions": "+parti8x8",
            "flags": "-loop+ildct+bitexact-cgop",
            "cmp": "+chroma",
            "directpred": 0,
        },
    )
    sei = told(path)
    expected = {
        "8x8dct": "1",
        "b_pyramid": "2",
        "weightp": "0",
        "mixed_ref": "1",
        "me": "dia",
        "fast_pskip": "1",
        "deblock": "0:0:0",
        "interlaced": "tff",
        "open_gop": "1",
        "chroma_me": "1",
        "direct": "0",
        "analyse": "0x3:0x2",
    }
    assert {name: sei.get(name) for name in expected} == expected
    video = media.stream(path, "video")
    assert video["profile"] == "High"
    # bitexact leaves the writer's version out.
    assert not re.search(r"\d", video.get("tags", {}).get("encoder", "").replace("264", ""))


@pytest.mark.attribute(
    "format[].video_codec_parameters.vprofile",
)
@pytest.mark.attribute("format[].profile", "format[].video_codec")
@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        ({}, "Main"),
        ({"profile": "high"}, "High"),
        ({"profile": "baseline"}, "Constrained Baseline"),
        ({"video_codec_parameters": {"vprofile": "baseline"}}, "Constrained Baseline"),
    ],
)
async def test_the_profile_is_main_unless_another_is_asked_for(
    clip: Path, tmp_path: Path, asked: dict[str, Any], profile: str
):
    path = (await only(clip, tmp_path, {**MP4, **asked})).path
    assert media.stream(path, "video")["profile"] == profile


async def test_what_does_nothing_is_told_in_the_status(clip: Path, tmp_path: Path):
    parameters = {
        "flags": "+mv4+pass1",
        "me_method": "hex",
        "me_range": 64,
        "subq": 11,
        "max_rate": 2,
        "min_rate": 1,
        "bufsize": 2,
    }
    done = await encode(clip, tmp_path, {**MP4, "video_codec_parameters": parameters})
    texts = [each.message for each in done.warnings]
    for part in ("flags +mv4", "flags +pass1", "me_range counts as 16", "subq counts as 9"):
        assert any(part in text for text in texts), part
    assert any("min_rate has no effect" in text for text in texts)
    assert told(done.outputs[0].path)["me_range"] == "16"


@pytest.mark.attribute(
    "format[].video_codec_parameters.min_rate",
    "format[].video_codec_parameters.max_rate",
    "format[].video_codec_parameters.bufsize",
)
@pytest.mark.attribute("format[].bitrate")
async def test_one_rate_throughout_is_filled_up_to_it(clip: Path, tmp_path: Path):
    parameters = {"max_rate": 1.2, "min_rate": 1.2, "bufsize": 1.2}
    path = await made(clip, tmp_path, "libx264", bitrate=1200, parameters=parameters)
    sei = told(path)
    assert (sei["rc"], sei["nal_hrd"], sei["filler"]) == ("cbr", "cbr", "1")
    bitrate = int(media.stream(path, "video")["bit_rate"])
    assert bitrate == pytest.approx(1_200_000, rel=0.15)


@pytest.mark.attribute(
    "format[].video_codec_parameters.level",
    "format[].video_codec_parameters.me_method",
    "format[].video_codec_parameters.me_range",
    "format[].video_codec_parameters.subq",
    "format[].video_codec_parameters.refs",
    "format[].video_codec_parameters.sc_threshold",
    "format[].video_codec_parameters.i_qfactor",
)
@pytest.mark.attribute(
    "format[].video_codec_parameters.b_strategy",
    "format[].video_codec_parameters.qcomp",
    "format[].video_codec_parameters.qmin",
    "format[].video_codec_parameters.qmax",
    "format[].video_codec_parameters.qdiff",
    "format[].video_codec_parameters.rc_lookahead",
    "format[].video_codec_parameters.preset",
    "format[].video_codec_parameters.flags",
)
@pytest.mark.attribute(
    "format[].video_codec_parameters.max_rate",
    "format[].video_codec_parameters.bufsize",
)
async def test_x265_is_told_every_parameter(clip: Path, tmp_path: Path):
    path = await made(
        clip,
        tmp_path,
        "libx265",
        quality=31,
        parameters={
            "level": 41,
            "me_method": "umh",
            "me_range": 40,
            "subq": 3,
            "refs": 2,
            "sc_threshold": 33,
            "i_qfactor": 0.5,
            "b_strategy": 1,
            "qcomp": 0.7,
            "qmin": 12,
            "qmax": 45,
            "qdiff": 6,
            "rc_lookahead": 13,
            "flags": "-loop",
            "preset": "superfast",
            "max_rate": 900,
            "bufsize": 1800,
        },
    )
    sei = told(path)
    expected = {
        "level-idc": "41",
        "me": "2",
        "merange": "40",
        "subme": "3",
        "ref": "2",
        "scenecut": "33",
        "ipratio": "2.00",
        "b-adapt": "1",
        "qcomp": "0.70",
        "qpmin": "12",
        "qpmax": "45",
        "qpstep": "6",
        "rc-lookahead": "13",
        "vbv-maxrate": "900",
        "vbv-bufsize": "1800",
        "crf": "31.0",
        "no-deblock": "1",
        "no-open-gop": "1",
        "ctu": "32",
    }
    assert {name: sei.get(name) for name in expected} == expected


@pytest.mark.attribute("format[].two_pass", "format[].bitrate")
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx", "libvpx-vp9"])
async def test_two_passes_come_near_the_bitrate(clip: Path, tmp_path: Path, codec: str):
    path = await made(clip, tmp_path, codec, bitrate=300, two_pass=1)
    size = len(path.read_bytes()) * 8
    assert size == pytest.approx(300_000, rel=0.35)
    assert left(tmp_path) == [path.name]
    if codec.startswith("libx26"):
        sei = told(path)
        # That it read the statistics of a first pass.
        assert sei.get("rc") == "2pass" or sei.get("stats-read") == "2"


async def test_what_can_not_be_done_in_two_passes_is_told(clip: Path, tmp_path: Path):
    av1 = {**MP4, "video_codec": "libsvtav1", "bitrate": 200, "two_pass": 1}
    done = await encode(clip, tmp_path, av1)
    assert any("two_pass has no effect" in each.message for each in done.warnings)
    assert media.stream(done.outputs[0].path, "video")["codec_name"] == "av1"


@pytest.mark.attribute(
    "format[].video_codec_parameters.rc_lookahead",
)
@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.slow
async def test_vpx_looks_ahead_in_two_passes(clip: Path, tmp_path: Path, codec: str):
    seen = []
    for number, frames in enumerate((0, 16)):
        out = tmp_path / str(number)
        out.mkdir()
        parameters = {"rc_lookahead": frames}
        path = await made(clip, out, codec, bitrate=200, two_pass=1, parameters=parameters)
        seen.append(_bytes(path))
    assert seen[0] != seen[1]


@pytest.mark.attribute(
    "format[].video_codec_parameters.preset",
    "format[].video_codec_parameters.qmin",
    "format[].video_codec_parameters.qmax",
    "format[].video_codec_parameters.max_rate",
    "format[].video_codec_parameters.bufsize",
)
@pytest.mark.attribute("format[].quality", "format[].video_codec")
@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.slow
async def test_vpx_is_told_every_parameter(clip: Path, tmp_path: Path, codec: str):
    async def size(name: str, **parameters: Any) -> int:
        asked = {"quality": 20} if "qmin" not in parameters else {}
        (tmp_path / name).mkdir()
        path = await made(clip, tmp_path / name, codec, parameters=parameters, **asked)
        return len(path.read_bytes())

    free = await size("free", preset="realtime")
    capped = await size("capped", preset="realtime", max_rate=60, bufsize=60)
    coarse = await size("coarse", preset="realtime", qmin=60, qmax=63)
    assert capped < free * 0.7
    assert coarse < free * 0.5


@pytest.mark.attribute(
    "format[].video_codec_parameters.film_grain",
    "format[].video_codec_parameters.enable_dlf",
    "format[].video_codec_parameters.enable_restoration",
    "format[].video_codec_parameters.preset",
    "format[].video_codec_parameters.aq_mode",
    "format[].video_codec_parameters.tune",
)
@pytest.mark.attribute(
    "format[].video_codec_parameters.hierarchical_levels",
    "format[].video_codec_parameters.pred_struct",
    "format[].video_codec_parameters.rc_lookahead",
)
@pytest.mark.slow
async def test_svt_av1_is_told_every_parameter(clip: Path, tmp_path: Path):
    asked: list[dict[str, Any]] = [
        {},
        {"film_grain": 1},
        {"enable_dlf": 0},
        {"enable_restoration": 0},
        {"pred_struct": 1},
        {"aq_mode": 0},
        {"tune": 0},
        {"hierarchical_levels": 2},
        {"rc_lookahead": 0},
        {"preset": "11"},
    ]
    av1 = {**MP4, "video_codec": "libsvtav1", "quality": 20, "duration": 0.6}
    formats = [{**av1, "video_codec_parameters": {"preset": "8", **one}} for one in asked]
    plain, *others = (each.path for each in (await encode(clip, tmp_path, *formats)).outputs)
    grain, sharp = others[:2]
    assert header(plain, "film_grain_params_present") == "0"
    assert header(grain, "film_grain_params_present") == "1"
    levels = [
        re.findall(r"loop_filter_level\[0\]\s+[01]*\s*= (\d+)", headers(path))
        for path in (plain, sharp)
    ]
    assert any(level != "0" for level in levels[0])
    assert all(level == "0" for level in levels[1])
    coded = _bytes(plain)
    for one, path in zip(asked[1:], others, strict=True):
        assert _bytes(path) != coded, one


@pytest.mark.attribute(
    "format[].video_codec_parameters.fast_decode",
)
@pytest.mark.slow
async def test_av1_for_slow_decoders_differs_where_there_is_something_to_gain(tmp_path: Path):
    # SVT-AV1 changes nothing for small frames.
    wide = tmp_path / "wide.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25,format=yuv420p", "-frames:v", "6")
    media.ffmpeg(*picture, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", wide)
    coded = []
    for flag in (0, 1):
        out = tmp_path / str(flag)
        out.mkdir()
        asked = {"preset": "8", "fast_decode": flag}
        coded.append(_bytes(await made(wide, out, "libsvtav1", quality=30, parameters=asked)))
    assert coded[0] != coded[1]


def _bytes(path: Path) -> bytes:
    """The coded picture, without its container."""
    return media.ffmpeg("-i", path, "-map", "0:v", "-c", "copy", "-f", "ivf", "-")


@pytest.mark.attribute("format[].tag_video")
async def test_a_stream_has_the_tag_asked_for(clip: Path, tmp_path: Path):
    asked = [
        {**MP4, "video_codec": "libx265"},
        {**MP4, "video_codec": "libx265", "tag_video": "hev1"},
        {**MP4, "tag_video": "avc3"},
        {**WEBM, "tag_video": "VP90"},
    ]
    done = await encode(clip, tmp_path, *asked)
    tags = [media.stream(made.path, "video")["codec_tag_string"] for made in done.outputs]
    assert tags[:3] == ["hvc1", "hev1", "avc3"]
    assert ["tag_video has no effect" in each.message for each in done.warnings] == [True]


@pytest.mark.attribute("format[].tag_video")
@pytest.mark.slow
async def test_segments_have_the_tag_asked_for(clip: Path, tmp_path: Path):
    stream = {"video_codec": "libx265", "tag_video": "hev1", "height": 64}
    made = await only(clip, tmp_path, {"output": "advanced_dash", "stream": [stream]})
    assert 'codecs="hev1.' in (made.path / "playlist.mpd").read_text()
    done = await encode(clip, tmp_path, {"output": "advanced_hls", "stream": [stream]})
    assert [each.message for each in done.warnings] == [
        "video-0-0-0: tag_video has no effect: TS segments have names of their own"
    ]


@pytest.mark.attribute("format[].tag_video")
@pytest.mark.parametrize(("codec", "tag"), [("libx264", "hvc1"), ("libx265", "zzzz")])
async def test_a_tag_of_another_codec_is_refused(clip: Path, tmp_path: Path, codec: str, tag: str):
    with pytest.raises(MediaError, match=f"tag_video: {tag} names no stream of {codec}: use "):
        await only(clip, tmp_path, {**MP4, "video_codec": codec, "tag_video": tag})


@pytest.mark.attribute(
    "format[].video_codec_parameters.qmin",
    "format[].video_codec_parameters.qmax",
    "format[].video_codec_parameters.bufsize",
)
@pytest.mark.slow
async def test_av1_keeps_its_bounds(clip: Path, tmp_path: Path):
    async def size(name: str, **asked: Any) -> int:
        (tmp_path / name).mkdir()
        return len((await made(clip, tmp_path / name, "libsvtav1", **asked)).read_bytes())

    free = await size("free", quality=15, parameters={"preset": "10"})
    cap = {"preset": "10", "max_rate": 120, "bufsize": 120}
    assert await size("capped", quality=15, parameters=cap) < free * 0.8
    coarse = {"preset": "10", "qmin": 60, "qmax": 63}
    assert await size("coarse", bitrate=900, parameters=coarse) < free * 0.5


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
@pytest.mark.attribute(
    "format[].video_codec_parameters.flags",
)
@pytest.mark.slow
async def test_groups_are_open_only_where_that_is_asked_for(clip: Path, tmp_path: Path, codec: str):
    asked = {"keyframe": 8, "quality": 30, "parameters": {"flags": "-cgop"}}
    for name, more in (("open", asked), ("closed", {**asked, "parameters": None})):
        (tmp_path / name).mkdir()
        path = await made(clip, tmp_path / name, codec, **more)
        if codec == "libx265":
            assert told(path)["open-gop" if name == "open" else "no-open-gop"] == "1"
        if codec == "libx264":
            assert told(path)["open_gop"] == ("1" if name == "open" else "0")
        if codec == "libsvtav1":
            kinds = set(re.findall(r"frame_type\s+[01]+ = (\d)", headers(path)))
            # In place of keyframes (0) come frames that are coded by themselves (2).
            assert ("2" in kinds) == (name == "open")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"profile": "main", "parameters": {"flags2": "+dct8x8"}}, "+dct8x8 has no effect"),
        ({"profile": "baseline", "parameters": {"coder": 1}}, "coder has no effect"),
        ({"bitrate": 900, "parameters": {"max_rate": 0.5, "bufsize": 1}}, "counts as 500"),
        ({"video_codec": "libsvtav1", "parameters": {"aq_mode": 3}}, "aq_mode counts as 2"),
        ({"video_codec": "libx265", "parameters": {"level": 42}}, "no level 4.2"),
        (
            {"output": "webm", "video_codec": "libvpx", "quality": 20, "parameters": {"qmin": 30}},
            "quality counts as 30",
        ),
        ({"video_codec": "libsvtav1", "bitrate": 90, "parameters": {"qmax": 9}}, ""),
    ],
)
async def test_what_can_not_be_had_in_full_is_told(
    clip: Path, tmp_path: Path, asked: dict[str, Any], words: str
):
    parameters = asked["parameters"]
    rest = {name: value for name, value in asked.items() if name != "parameters"}
    done = await encode(clip, tmp_path, {**MP4, **rest, "video_codec_parameters": parameters})
    assert [words in each.message for each in done.warnings] == ([True] if words else [])


@pytest.mark.attribute("format[].pix_format")
async def test_pixels_that_an_encoder_can_not_hold_are_refused(clip: Path, tmp_path: Path):
    with pytest.raises(MediaError, match="pix_format: libsvtav1 knows 4:2:0 alone"):
        await made(clip, tmp_path, "libsvtav1", pix_format="yuv422p")


@pytest.mark.attribute(
    "format[].video_codec_parameters.lcevc_tune",
    "format[].video_codec_parameters.scaling_mode_level0",
    "format[].video_codec_parameters.dc_dithering_type",
    "format[].video_codec_parameters.dc_dithering_strength",
    "format[].video_codec_parameters.dc_dithering_qp_start",
    "format[].video_codec_parameters.dc_dithering_qp_saturate",
    "format[].video_codec_parameters.m_ad_mode",
    "format[].video_codec_parameters.m_hf_strength",
    "format[].video_codec_parameters.m_lf_strength",
)
@pytest.mark.parametrize("name", sorted(OF_LCEVC))
def test_what_is_for_lcevc_alone_is_refused_by_name(name: str):
    asked = {**MP4, "video_codec_parameters": {name: 1}}
    with pytest.raises(QueryError, match=f"video_codec_parameters.{name}: is for LCEVC encoders"):
        parse_query({"source": "tus:0", "format": [asked]})
