from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.query import EncodeQuery, parse_query
from orchestrator.transcoder.plan import (
    Description,
    Material,
    Means,
    Pass,
    Plan,
    commands,
    compile_plan,
    material,
)
from orchestrator.transcoder.ports import Inputs, MediaError, SourceFile
from orchestrator.transcoder.streams import AudioStream, Probe, VideoStream

MEANS = Means(frozenset({"libx264", "libx265", "aac", "png", "mjpeg"}))
VIDEO = VideoStream(0, "h264", 1280, 720, rate=Fraction(25), duration=10.0, frames=250)
SOURCE = Probe("mov,mp4,m4a,3gp,3g2,mj2", 10.0, (VIDEO,), (AudioStream(1, "aac", 2),))

MP4 = {"output": "mp4"}
POSTER = {"output": "thumbnail"}
ROW = {"output": "thumbnails"}


def query(*formats: dict[str, Any], **more: Any) -> EncodeQuery:
    return parse_query({"source": "tus:0123", "format": list(formats), **more})


def plan(*formats: dict[str, Any], source: Probe = SOURCE, **more: Any) -> Plan:
    return compile_plan(query(*formats, **more), film(source), MEANS)


def film(source: Probe) -> Material:
    return material(Inputs((SourceFile(Path("/data/-i.mp4")),)), [source])


def passes(made: Plan) -> list[Pass]:
    return [step for step in made.steps if isinstance(step, Pass)]


def described(made: Plan) -> list[str]:
    return [step.tag for step in made.steps if isinstance(step, Description)]


def start_of(step: Pass) -> float:
    """Where in the film a pass begins to keep what it reads."""
    return step.reading.inputs[0].start + step.reading.lead


def lines(made: Plan, threads: int = 0) -> list[list[str]]:
    steps = [commands(step, Path("/opt/ffmpeg"), threads) for step in passes(made)]
    return [list(line) for step in steps for line in step]


def after(line: list[str], option: str) -> list[str]:
    """Every value that follows an option."""
    return [line[at + 1] for at, word in enumerate(line) if word == option]


def test_outputs_of_the_whole_source_share_one_decode():
    made = plan(MP4, {**MP4, "height": 480}, ROW, POSTER, {"output": "metadata"})
    shared, poster = passes(made)
    assert [one.tag for one in shared.renditions] == ["video-0-0", "video-0-1", "image-0-0"]
    assert [one.tag for one in poster.renditions] == ["image-0-1"]
    assert described(made) == ["text-0-0"]
    line = lines(made)[0]
    assert line.count("-i") == 1
    assert after(line, "-filter_complex")[0].startswith(
        "[0:0]split=3[vin0][vin1][vin2];[vin0]fps=25/1"
    )


def test_outputs_of_different_parts_have_their_own_decode():
    made = plan({**MP4, "start_time": 2}, {**MP4, "start_time": 2, "height": 480}, MP4)
    # A quarter of a frame early, so that rounding can't lose the window's first one.
    assert [(start_of(step), len(step.renditions)) for step in passes(made)] == [
        (1.992, 2),
        (0.0, 1),
    ]


def test_tags_count_per_kind_and_keep_their_place():
    made = plan(POSTER, MP4, ROW, {**MP4, "height": 2000})
    tags = {one.tag: one.index for step in passes(made) for one in step.renditions}
    assert tags == {"image-0-0": 0, "video-0-0": 1, "image-0-1": 2}
    assert made.left_out == ("video-0-1",)
    assert set(made.tags) == {"image-0-0", "video-0-0", "image-0-1", "video-0-1"}


def test_an_output_taller_than_the_source_is_left_out_with_a_warning():
    made = plan({**MP4, "height": 1080}, {**MP4, "height": 480})
    assert made.left_out == ("video-0-0",)
    assert len(made.warnings) == 1
    assert made.warnings[0].startswith("video-0-0 was left out: 1920x1080 has more lines")


def test_if_all_are_taller_the_first_is_made_at_the_sources_size():
    made = plan({**MP4, "height": 1080}, {**MP4, "height": 2160})
    (step,) = passes(made)
    (only,) = step.renditions
    assert (only.tag, only.width, only.height) == ("video-0-0", 1280, 720)
    assert made.left_out == ("video-0-1",)
    assert "made at the source's size, 1280x720" in made.warnings[0]


def test_upscale_makes_every_output_as_asked():
    made = plan({**MP4, "height": 1080}, upscale=1)
    assert (passes(made)[0].renditions[0].height, made.left_out, made.warnings) == (1080, (), ())


def test_two_passes_are_two_commands_and_only_the_second_has_sound():
    made = plan({**MP4, "bitrate": 500, "two_pass": 1})
    first, second = lines(made)
    assert after(first, "-pass") == ["1"]
    assert after(second, "-pass") == ["2"]
    assert after(first, "-map") == ["[v0]"]
    assert after(second, "-map") == ["[v0]", "[a0]"]
    assert first[-1] == "-"
    assert second[-1] == "file:video-0-0.mp4"


def test_no_file_name_is_an_option_and_no_input_may_name_others():
    line = lines(plan(MP4))[0]
    assert after(line, "-i") == ["file:/data/-i.mp4"]
    assert after(line, "-protocol_whitelist") == ["file"]
    assert "hls" not in after(line, "-format_whitelist")[0].split(",")
    assert line.index("-format_whitelist") < line.index("-i")
    assert "-nostdin" in line


def test_threads_limit_decoder_filters_and_encoders():
    asked = query({**MP4, "video_codec": "libx265"}, MP4)
    line = lines(compile_plan(asked, film(SOURCE), replace(MEANS, threads=1)), threads=1)[0]
    assert after(line, "-threads") == ["1", "1", "1"]
    assert after(line, "-filter_complex_threads") == ["1"]
    assert after(line, "-x265-params")[0].endswith(":pools=1")


def test_no_sound_in_the_source_is_no_sound_in_the_output_muted_or_not():
    silent = replace(SOURCE, audio=())
    for mute in (0, 1):
        made = plan({**MP4, "audio_mute": mute}, source=silent)
        assert passes(made)[0].renditions[0].sound is None
        assert after(lines(made)[0], "-map") == ["[v0]"]


def test_sound_is_as_asked_for():
    asked = {"audio_bitrate": 96, "audio_sample_rate": 48000, "audio_channels_number": 1}
    line = lines(plan({**MP4, **asked, "audio_mute": 1}))[0]
    assert (after(line, "-b:a"), after(line, "-ar"), after(line, "-ac")) == (
        ["96k"],
        ["48000"],
        ["1"],
    )
    assert "volume=0" in after(line, "-filter_complex")[0]


def test_a_version_of_ffprobe_is_not_kept_to_and_that_is_said():
    asked = {"output": "metadata", "metadata_version": "4.1.5"}
    assert len(plan(MP4, asked).warnings) == len(plan(asked, asked).warnings) == 1
    assert "metadata_version" in plan(asked).warnings[0]
    assert not plan({"output": "metadata"}).warnings


def test_libfdk_aac_falls_back_with_one_warning():
    made = plan({**MP4, "audio_codec": "libfdk_aac"}, {**MP4, "audio_codec": "libfdk_aac"})
    assert after(lines(made)[0], "-c:a") == ["aac", "aac"]
    assert [w for w in made.warnings if "libfdk_aac" in w] == [
        "libfdk_aac is not part of this transcoder's ffmpeg; aac took its place"
    ]
    able = compile_plan(
        query({**MP4, "audio_codec": "libfdk_aac"}), film(SOURCE), Means(frozenset({"libfdk_aac"}))
    )
    assert after(lines(able)[0], "-c:a") == ["libfdk_aac"]
    assert able.warnings == ()


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({}, {"-crf": "23", "-g": "90", "-profile:v": "main"}),
        ({"video_codec": "libx265"}, {"-crf": "28", "-tag:v": "hvc1"}),
        ({"quality": 18}, {"-crf": "18"}),
        ({"bitrate": 700}, {"-b:v": "700k"}),
        ({"profile": "high"}, {"-profile:v": "high"}),
        ({"keyframe": 25}, {"-g": "25"}),
        ({"keyframe": "2s"}, {"-g": "50", "-force_key_frames": "expr:gte(t,n_forced*2)"}),
        ({"keyframe": "2s", "framerate": "29.97"}, {"-g": "60"}),
    ],
)
def test_video_is_encoded_as_asked_for(asked, options):
    line = lines(plan({**MP4, **asked}))[0]
    assert {option: after(line, option)[0] for option in options} == options
    assert after(line, "-movflags") == ["+faststart"]


@pytest.mark.parametrize("asked", [{"pix_format": "yuv422p"}, {"quality": 0}])
def test_a_profile_that_could_not_hold_the_video_is_not_forced(asked):
    assert after(lines(plan({**MP4, **asked}))[0], "-profile:v") == []


def test_a_start_behind_the_end_is_an_error_that_names_the_output():
    with pytest.raises(MediaError, match=r"video-0-1: start_time 10 lies behind .* end at 10 s"):
        plan(MP4, {**MP4, "start_time": 10})


def test_sound_alone_gives_metadata_and_nothing_else():
    song = replace(SOURCE, video=())
    assert described(plan({"output": "metadata"}, source=song)) == ["text-0-0"]
    for asked in (MP4, POSTER, ROW):
        with pytest.raises(MediaError, match="sound but no picture"):
            plan(asked, source=song)


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        ({"time": 0.15}, 1.5),
        ({"start_time": 3.3}, 3.3),
        ({"frame_number": 50}, 2.02),
        ({}, 0.0),
        ({"time": 1.0}, 9.98),
    ],
)
def test_a_poster_is_one_quick_seek(asked, start):
    (step,) = passes(plan({**POSTER, **asked}))
    assert start_of(step) == pytest.approx(start)
    line = lines(plan({**POSTER, **asked}))[0]
    assert "-noaccurate_seek" in line
    assert after(line, "-frames:v") == ["1"]


def test_a_poster_behind_the_end_is_the_last_frame_with_a_warning():
    made = plan({**POSTER, "start_time": 60})
    assert start_of(passes(made)[0]) == pytest.approx(9.98)
    assert made.warnings == (
        "image-0-0 shows the source's last frame: 60 s lies behind its end at 10 s",
    )


def test_frames_of_a_varying_source_are_counted():
    varying = replace(SOURCE, video=(replace(VIDEO, constant=False),))
    (step,) = passes(plan({**POSTER, "frame_number": 7}, source=varying))
    assert step.renditions[0].picture.filters.startswith(r"select=eq(n\,7),")
    assert not step.reading.inputs[0].nearby


def test_without_an_index_a_seek_takes_a_run_up():
    stream = replace(SOURCE, container="mpegts", duration=60.0)
    stream = replace(stream, video=(replace(VIDEO, duration=60.0),))
    poster, clip = POSTER | {"start_time": 40}, MP4 | {"start_time": 20, "duration": 5}
    clip_line, poster_line = lines(plan(poster, clip, source=stream))
    assert after(clip_line, "-ss") == ["4.992000", "15.000000"]
    assert after(clip_line, "-t") == ["20.000000", "5.000000"]
    assert after(poster_line, "-ss") == ["25.000000"]


def test_interval_images_are_counted_by_the_picture():
    (step,) = passes(plan({**ROW, "interval": 3}))
    assert step.renditions[0].frames == 4
    assert step.renditions[0].file == "image-0-0/thumb_%04d.png"
    with pytest.raises(MediaError, match=r"an interval of 0\.001 s gives 100000 images"):
        plan({**ROW, "interval": 0.001}, source=replace(SOURCE, duration=100.0))


def test_a_fraction_needs_a_source_that_says_how_long_it_is():
    endless = Probe("h264", None, (replace(VIDEO, duration=None),))
    with pytest.raises(MediaError, match="ask for a start_time"):
        plan({**POSTER, "time": 0.5}, source=endless)
    assert passes(plan({**POSTER, "start_time": 1}, MP4, ROW, source=endless))


formats = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"output": st.just("mp4")},
            optional={
                "height": st.integers(2, 2160),
                "resolution": st.integers(2, 2160),
                "rotate": st.sampled_from([90, 180, 270]),
                "start_time": st.floats(0, 9),
                "duration": st.floats(0.1, 20),
                "framerate": st.sampled_from(["29.97", "25", "60", "12.5"]),
                "keyframe": st.sampled_from(["1s", 30]),
                "audio_mute": st.sampled_from([0, 1]),
                "video_codec": st.sampled_from(["libx264", "libx265"]),
            },
        ),
        st.fixed_dictionaries(
            {"output": st.just("thumbnail"), "time": st.floats(0, 1)},
            optional={"width": st.integers(1, 2000), "image_format": st.just("jpg")},
        ),
        st.fixed_dictionaries({"output": st.just("thumbnails"), "interval": st.floats(0.1, 50)}),
        st.just({"output": "metadata"}),
    ),
    min_size=1,
    max_size=5,
)


@given(asked=formats, upscale=st.sampled_from([0, 1]), sound=st.booleans())
def test_every_output_is_made_once_or_left_out_with_a_warning(asked, upscale, sound):
    source = SOURCE if sound else replace(SOURCE, audio=())
    made = plan(*asked, source=source, upscale=upscale)
    assert len(made.tags) == len(set(made.tags)) == len(asked)
    if made.left_out:
        assert not upscale
        assert len(made.warnings) >= len(made.left_out)
    for step in passes(made):
        assert 0 <= start_of(step) <= 10
        for one in step.renditions:
            assert one.width >= 1
            assert one.height >= 1
            assert one.seconds is None or 0 < one.seconds <= 10
            if one.kind == "video":
                assert bool(one.sound) is sound
    for line in lines(made):
        assert line.count("-i") == 1
        files = [word for word in line if word.startswith("file:") and "/data/" not in word]
        assert files or line[-1] == "-"


@given(asked=formats)
def test_the_compiler_is_a_function(asked):
    assert plan(*asked) == plan(*asked)
