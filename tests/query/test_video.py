"""How a picture and a sound are encoded: units, ranges, and what fits which codec."""

import json
from fractions import Fraction
from typing import Any

import pytest

from orchestrator.query import QueryError, parse_query


def one(output: str = "mp4", **attributes: object) -> Any:
    """The only format of a query."""
    query = {"source": "tus:0a1b", "format": [{"output": output, **attributes}]}
    return parse_query(query).format[0]


def problem(output: str = "mp4", **attributes: object) -> str:
    """The only problem of a format, without its path's beginning."""
    with pytest.raises(QueryError) as caught:
        one(output, **attributes)
    (found,) = str(caught.value).splitlines()
    return found.removeprefix("query.format[0].")


def sent_back(**attributes: object) -> Any:
    query = parse_query({"source": "tus:0a1b", "format": [{"output": "mp4", **attributes}]})
    assert parse_query(query.document()) == query
    return query.document()["format"][0]


# --- rate control --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "codec", "lowest", "highest"),
    [
        ("mp4", "libx264", 0, 51),
        ("mp4", "libx265", 0, 51),
        ("mp4", "libsvtav1", 0, 63),
        ("webm", "libvpx", 4, 63),
        ("webm", "libvpx-vp9", 0, 63),
    ],
)
def test_quality_has_the_range_of_its_codec(
    output: str, codec: str, lowest: int, highest: int
) -> None:
    for quality in (lowest, str(highest)):
        assert one(output, video_codec=codec, quality=quality).quality == int(quality)
    for quality in (lowest - 1, highest + 1):
        words = problem(output, video_codec=codec, quality=quality)
        assert words.startswith(f"quality: must be at {'least' if quality < lowest else 'most'}")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"min_crf": 18}, "min_crf: bounds what optimize_bitrate finds (set optimize_bitrate"),
        (
            {"optimize_bitrate": 1, "min_crf": 30, "max_crf": 20},
            "min_crf: is more than max_crf, 20",
        ),
        ({"optimize_bitrate": 1, "adjust_crf": 11}, "adjust_crf: must be at most 10"),
        ({"optimize_bitrate": 1, "adjust_crf": "-11"}, "adjust_crf: must be at least -10"),
        (
            {"optimize_bitrate": 1, "video_codec": "libsvtav1"},
            "optimize_bitrate: is not for libsvtav1 (it is for libx264, libx265)",
        ),
        (
            {"optimize_bitrate": 1, "two_pass": 1, "bitrate": 9},
            "two_pass: contradicts optimize_bitrate",
        ),
    ],
)
def test_per_title_that_can_not_be(attributes: dict[str, Any], words: str) -> None:
    assert problem(**attributes).startswith(words)


def test_per_title_overrules_quality_and_bitrate_as_the_api_has_it() -> None:
    asked = one(optimize_bitrate=1, quality=20, bitrate=900, max_crf="30", adjust_crf="-2")
    assert (asked.min_crf, asked.max_crf, asked.adjust_crf) == (0, 30, -2)


def test_rates_limits_and_colours() -> None:
    asked = one(framerate_limit="29.97", color_space=1, color_range="tv", color_trc="1")
    assert asked.framerate_limit == Fraction(30000, 1001)
    assert (asked.color_space, asked.color_range, asked.color_trc) == ("keep", "tv", "keep")
    assert asked.color_primaries is None
    back = sent_back(color_space="1", color_primaries="bt2020")
    assert (back["color_space"], back["color_primaries"]) == (1, "bt2020")
    assert problem(color_range=2).startswith("color_range: must be 'keep', 'tv', ")
    assert problem(color_space="hsv").startswith("color_space: must be ")


def test_a_streams_tag_has_four_characters() -> None:
    assert one(tag_video="hvc1").tag_video == "hvc1"
    assert problem(tag_video="hevc1").startswith("tag_video: is not a stream's tag")
    assert problem(tag_video="h/ä1").startswith("tag_video: is not a stream's tag")


# --- parameters of codecs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "factor"), [("libx264", 1_000_000), ("libx265", 1000), ("libsvtav1", 1000)]
)
def test_rates_have_the_documents_units(codec: Any, factor: int) -> None:
    sent = {"max_rate": "4", "min_rate": 1.5, "bufsize": 8}
    given = one(video_codec=codec, video_codec_parameters=sent).video_codec_parameters
    assert given.max_rate_bps(codec) == 4 * factor
    assert given.min_rate_bps(codec) == 1.5 * factor
    assert given.bufsize_bps(codec) == 8 * factor
    assert one(video_codec_parameters={}).video_codec_parameters.bufsize_bps(codec) is None


#: One value of each parameter, and what it is read as.
X264 = {
    "vprofile": ("high", "high"),
    "level": ("41", 41),
    "coder": ("0", False),
    "flags2": ("+bpyramid+dct8×8-fastpskip", ("+bpyramid", "+dct8x8", "-fastpskip")),
    "partitions": ("+partp8x8 +parti4x4", ("+partp8x8", "+parti4x4")),
    "directpred": ("3", 3),
    "me_method": ("umh", "umh"),
    "subq": ("7", 7),
    "trellis": ("2", 2),
    "refs": ("16", 16),
    "cmp": ("chroma", ("+chroma",)),
    "me_range": ("16", 16),
    "sc_threshold": ("40", 40),
    "i_qfactor": ("0.71", 0.71),
    "b_strategy": (1, 1),
    "qcomp": ("0.6", 0.6),
    "qmin": ("10", 10),
    "qmax": ("51", 51),
    "qdiff": ("4", 4),
    "sws_flags": ("lanczos", "lanczos"),
    "preset": ("veryslow", "veryslow"),
    "flags": ("+loop,-psnr", ("+loop", "-psnr")),
    "rc_lookahead": ("40", 40),
}
SVT = {
    "preset": (5, "5"),
    "tune": ("1", 1),
    "aq_mode": (3, 3),
    "film_grain": (1, True),
    "fast_decode": ("1", True),
    "enable_dlf": (0, False),
    "enable_restoration": (1, True),
    "hierarchical_levels": (3, 3),
    "pred_struct": ("2", 2),
}


@pytest.mark.parametrize(
    ("codec", "name", "value", "read"),
    [("libx264", name, *pair) for name, pair in X264.items()]
    + [("libsvtav1", name, *pair) for name, pair in SVT.items()],
)
def test_parameters_are_read_and_sent_back(
    codec: str, name: str, value: object, read: object
) -> None:
    asked = one(video_codec=codec, video_codec_parameters={name: value})
    assert getattr(asked.video_codec_parameters, name) == read
    back = sent_back(video_codec=codec, video_codec_parameters={name: value})
    again = one(video_codec=codec, video_codec_parameters=back["video_codec_parameters"])
    assert again == asked


@pytest.mark.parametrize(
    ("codec", "parameters", "words"),
    [
        ("libx264", {"tune": 1}, "tune: means nothing to libx264 (it is for libsvtav1)"),
        ("libx265", {"coder": 1}, "coder: means nothing to libx265 (it is for libx264)"),
        ("libsvtav1", {"refs": 3}, "refs: means nothing to libsvtav1 (it is for libx264, libx265)"),
        ("libsvtav1", {"preset": "slow"}, 'preset: "slow" is no preset of libsvtav1 (use 0 to 13)'),
        ("libsvtav1", {"preset": 14}, 'preset: "14" is no preset of libsvtav1 (use 0 to 13)'),
        ("libx264", {"preset": 5}, 'preset: "5" is no preset of libx264 (use ultrafast, '),
        ("libx265", {"subq": 8}, "subq: must be at most 7 with libx265"),
        ("libx264", {"max_rate": 4}, "max_rate: requires bufsize (set bufsize: a rate is kept"),
        ("libx264", {"max_rate": 4000, "bufsize": 8}, "max_rate: is more than any encoder takes"),
        (
            "libx265",
            {"max_rate": 4, "min_rate": 5, "bufsize": 8},
            "min_rate: is more than max_rate",
        ),
        ("libx264", {"qmin": 30, "qmax": 20}, "qmin: is more than qmax"),
        ("libx264", {"level": 43}, "level: must be 30, 31, 40, 41 or 42"),
        ("libx264", {"flags2": "+bird"}, 'flags2: "bird" is none of its switches (use bpyramid, '),
        ("libx264", {"flags2": "+;"}, 'flags2: "+;" is no list of switches'),
        ("libx264", {"flags": 5}, "flags: must be text, not 5"),
        ("libx264", {"qcomp": 2}, "qcomp: must be at most 1"),
        ("libx264", {"refs": "17"}, "refs: must be at most 16"),
        ("libx264", {"bufsize": 0}, "bufsize: must be more than 0"),
        ("libx264", {"prest": "slow"}, 'prest: unknown attribute (did you mean "preset"?)'),
        (
            "libx264",
            {"lcevc_tune": "vq"},
            "lcevc_tune: is for LCEVC encoders, which this product does not carry (leave it out)",
        ),
    ],
)
def test_parameters_that_can_not_be(codec: str, parameters: dict[str, Any], words: str) -> None:
    found = problem(video_codec=codec, video_codec_parameters=parameters)
    assert found.startswith(f"video_codec_parameters.{words}")


def test_a_parameter_of_a_stream_is_named_by_its_place() -> None:
    found = problem("advanced_hls", stream=[{}, {"video_codec_parameters": {"tune": 1}}])
    assert found.startswith("stream[1].video_codec_parameters.tune: means nothing to libx264")


def test_the_profile_has_two_names() -> None:
    assert one(profile="high", video_codec_parameters={"vprofile": "high"}).profile == "high"
    words = "video_codec_parameters.vprofile: contradicts profile (the two are one: keep profile)"
    assert problem(profile="main", video_codec_parameters={"vprofile": "high"}) == words
    found = problem(quality=0, video_codec_parameters={"vprofile": "high"})
    assert found.startswith("video_codec_parameters.vprofile: high can't hold lossless video")


# --- what is laid over it -------------------------------------------------------------


def test_one_logo_or_several() -> None:
    logo = {"source": "https://127.0.0.1/logo.png", "x": "-10", "opacity": "0.5", "duration": 3}
    (alone,) = one(logo=logo).logo
    assert (alone.x, alone.y, alone.opacity, alone.start_time, alone.duration) == (
        -10,
        0,
        0.5,
        0,
        3,
    )
    assert len(one(logo=[logo, logo]).logo) == 2
    assert isinstance(sent_back(logo=logo)["logo"], dict)
    assert len(sent_back(logo=[logo, logo])["logo"]) == 2
    assert problem(logo=[logo, logo | {"opacity": 2}]) == "logo[1].opacity: must be at most 1"
    assert problem(logo=logo | {"opacty": 2}).startswith(
        "logo.opacty: unknown attribute (did you me"
    )
    assert problem(logo={"x": 4}) == "logo.source: is required"


def test_subtitles_and_captions() -> None:
    sources = [{"source": "https://127.0.0.1/a.srt", "language": "eng"}]
    asked = one(subtitles={"sources": sources, "copy": "1"})
    assert asked.subtitles.copy_captions is True
    assert [each.language for each in asked.subtitles.sources] == ["eng"]
    assert asked.subtitles_copy is True
    assert sent_back(subtitles={"copy": 1})["subtitles"] == {"copy": 1}
    assert problem(subtitles={"sources": [{"source": "x", "language": "eng"}]}).startswith(
        "subtitles.sources[0].source: is not a source"
    )
    found = problem(subtitles={"sources": [sources[0] | {"language": "English!"}]})
    assert found.startswith("subtitles.sources[0].language: is not a language's code")
    assert problem(subtitles={"sources": []}) == "subtitles.sources: must hold at least one"
    found = problem(subtitles={"sources": [sources[0] | {"langage": "x"}]})
    assert found == 'subtitles.sources[0].langage: unknown attribute (did you mean "language"?)'


HALF = {
    **dict.fromkeys(("full_width", "full_height"), 100),
    **dict.fromkeys(("cropped_width", "cropped_height"), "50"),
    **dict.fromkeys(("cropped_left", "cropped_top"), 25),
}


def test_spherical_video() -> None:
    asked = one(inject_360_metadata={"vr180": 1, "stereo": "left-right", **HALF})
    assert asked.inject_360_metadata.cropped_width == 50
    whole = one(inject_360_metadata={"projection": "equirectangular"}).inject_360_metadata
    assert (whole.vr180, whole.stereo) == (False, "none")
    missing = {name: value for name, value in HALF.items() if name != "cropped_top"}
    for wrong, words in (
        ({"vr180": 1, **missing}, "cropped_top: is required with vr180"),
        ({"full_width": 5}, "full_width: is for VR180 video (set vr180 to 1)"),
        ({"vr180": 1, **HALF, "cropped_left": 51}, "cropped_width: reaches beyond full_width"),
        ({"projection": "cube"}, "projection: must be 'equirectangular' or 'rectangular'"),
    ):
        assert problem(inject_360_metadata=wrong) == f"inject_360_metadata.{words}"


# --- sound -----------------------------------------------------------------------------


def test_codecs_have_two_names() -> None:
    assert one("webm", audio_codec="opus").audio_codec == "libopus"
    assert one(audio_codec="libmp3lame").audio_codec == "mp3"


def test_opus_has_a_rate_of_its_own() -> None:
    assert one("webm").audio_sample_rate == 48000
    assert one("webm", audio_codec="libvorbis").audio_sample_rate == 44100
    words = "audio_sample_rate: is no rate of libopus (use 8000, 12000, 16000, 24000, 48000)"
    assert problem("webm", audio_sample_rate=44100) == words


@pytest.mark.parametrize(
    ("output", "attributes", "words"),
    [
        ("mp3", {"audio_channels_number": 6}, "audio_channels_number: must be at most 2 with mp3"),
        ("mp3", {"audio_bitrate": 321}, "audio_bitrate: must be at most 320 with mp3"),
        ("mp3", {"audio_sample_rate": 96000}, "audio_sample_rate: is no rate of mp3"),
        ("webm", {"audio_bitrate": 511}, "audio_bitrate: must be at most 510 with libopus"),
        ("mp4", {"audio_pan": {"c0": "x"}}, "audio_pan: does not name each channel from c0 on"),
        ("mp4", {"audio_pan": {"c1": "c0"}}, "audio_pan: does not name each channel from c0 on"),
        ("mp4", {"audio_pan": "c0=c1"}, "audio_pan: is not a mapping of channels"),
        ("mp4", {"audio_pan": {}}, "audio_pan: is not a mapping of channels"),
        (
            "mp4",
            {"audio_pan": {"c0": "c1"}, "audio_channels_number": 2},
            "audio_pan: names 1 channels of 2 (name as many)",
        ),
    ],
)
def test_sound_that_can_not_be(output: str, attributes: dict[str, Any], words: str) -> None:
    assert problem(output, **attributes).startswith(words)


def test_channels_are_mapped_as_an_object_or_as_its_text() -> None:
    pan = {"c1": "c0", "c0": "c2"}
    asked = one(audio_pan=pan)
    assert (asked.audio_pan, asked.audio_channels_number) == ({"c0": "c2", "c1": "c0"}, 2)
    assert one(audio_pan=json.dumps(pan)).audio_pan == asked.audio_pan
    assert one(audio_pan={"c0": "c5"}).audio_channels_number == 1
