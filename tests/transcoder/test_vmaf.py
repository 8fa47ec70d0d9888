"""The ``vmaf`` output: the scores of a video against the task's source."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.transcoder.ports import Encoded, Inputs, MediaError, Produced, SourceFile
from orchestrator.transcoder.server import Transcoder
from tests.media import ffmpeg
from tests.transcoder.client import Client
from tests.transcoder.encodes import Listener, encode, inputs

URL = "https://example.com/distorted.mp4"
VMAF = {"output": "vmaf", "distorted": URL}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def reference(clips) -> Path:
    """One second of moving detail, 25 frames, without a loss."""
    path = clips / "reference.mkv"
    picture = "testsrc2=s=192x108:r=25:d=1"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=1", "-c:v", "ffv1", path)
    return path


@pytest.fixture(scope="module")
def good(clips, reference) -> Path:
    return coded(reference, clips / "good.mp4", "-crf", "18")


@pytest.fixture(scope="module")
def bad(clips, reference) -> Path:
    return coded(reference, clips / "bad.mp4", "-crf", "45")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def coded(source: Path, path: Path, *options: str) -> Path:
    ffmpeg("-i", source, "-an", "-c:v", "libx264", "-preset", "ultrafast", *options, path)
    return path


async def measured(
    source: Path | Inputs, distorted: Path, out: Path, *asked: dict[str, Any], **more: Any
) -> Encoded:
    given = source if isinstance(source, Inputs) else inputs(source)
    film = Inputs(given.sources, {URL: distorted})
    return await encode(film, out, *({**VMAF, **each} for each in asked or ({},)), **more)


def scores(made: Produced) -> list[float]:
    document = json.loads(made.path.read_bytes())
    return [frame["metrics"]["vmaf"] for frame in document["frames"]]


@pytest.mark.attribute("format[].output", "format[].distorted", "format[].tag")
@pytest.mark.slow
async def test_a_better_copy_scores_higher_and_every_frame_is_in_the_file(
    reference, good, bad, out
):
    listener = Listener()
    (one,) = (await measured(reference, good, out, {"tag": "q"}, listener=listener)).outputs
    frames = scores(one)
    assert len(frames) == 25
    assert one.meta["vmaf"] == pytest.approx(sum(frames) / 25, abs=0.01)
    assert one.meta["vmaf_min"] == pytest.approx(min(frames), abs=0.01)
    harmonic = 25 / sum(1 / (each + 1) for each in frames) - 1
    assert one.meta["vmaf_harmonic_mean"] == pytest.approx(harmonic, abs=0.01)
    assert one.meta["vmaf_model"] == "vmaf_v0.6.1"
    assert (one.tag, one.user_tag, one.kind, one.output) == ("text-0-0", "q", "text", "vmaf")
    assert "/tmp" not in one.path.read_text()
    percents = [told["text-0-0"] for told in listener.told]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert [path.name for path in out.iterdir()] == ["text-0-0.json"]
    (other,) = (await measured(reference, bad, out)).outputs
    assert other.meta["vmaf"] < one.meta["vmaf"] - 10
    (same,) = (await measured(reference, reference, out)).outputs
    assert same.meta["vmaf_min"] > 95


@pytest.mark.attribute("format[].distorted")
async def test_a_smaller_frame_is_scaled_up_to_the_sources(reference, clips, bad, out):
    small = coded(reference, clips / "small.mp4", "-crf", "10", "-vf", "scale=96:54")
    (made,) = (await measured(reference, small, out)).outputs
    assert (made.meta["width"], made.meta["height"]) == (192, 108)
    assert 0 < made.meta["vmaf"] < 90


@pytest.mark.attribute("format[].distorted")
async def test_another_rate_is_brought_to_the_sources_with_a_warning(reference, clips, out):
    halved = coded(reference, clips / "halved.mp4", "-crf", "5", "-vf", "fps=12.5:round=up")
    encoded = await measured(reference, halved, out, {"shortest": 1})
    (made,) = encoded.outputs
    found = scores(made)
    # Every second frame of the source has its like, the others the one before.
    assert len(found) == 25
    assert made.meta["framerate"] == 25
    fitting = [each for each in found if each > 90]
    assert 10 <= len(fitting) <= 15
    (warning,) = encoded.warnings
    assert "12.5 frames per second and the source 25" in warning.message
    assert warning.tag == "text-0-0"


@pytest.mark.attribute("format[].n_subsample", "format[].duration", "format[].vmaf_model")
@pytest.mark.slow
async def test_less_is_measured_where_less_is_asked_for(reference, good, out):
    asked = (
        {"n_subsample": "5"},
        {"duration": "0.4"},
        {"vmaf_model": "vmaf_v0.6.1neg"},
        {"vmaf_model": "vmaf_4k_v0.6.1"},
        {"vmaf_model": "vmaf_4k_v0.6.1neg"},
        {"vmaf_model": "vmaf_v0.6.1"},
    )
    some, short, *models = (await measured(reference, good, out, *asked)).outputs
    assert (len(scores(some)), some.meta["frames"]) == (5, 5)
    assert len(scores(short)) == 10
    assert [each.meta["vmaf_model"] for each in models] == [
        each["vmaf_model"] for each in asked[2:]
    ]
    assert len({round(each.meta["vmaf"], 3) for each in models}) >= 3
    # No model of "no enhancement gain" thinks more of a picture than its like.
    assert models[0].meta["vmaf"] <= models[3].meta["vmaf"]


@pytest.mark.attribute("format[].shortest")
async def test_the_end_of_the_shorter_one_ends_it_where_asked_for(reference, clips, out):
    cut = coded(reference, clips / "cut.mp4", "-crf", "5", "-t", "0.6")
    encoded = await measured(reference, cut, out, {"shortest": 1}, {"shortest": 0})
    stopped, held = encoded.outputs
    assert len(scores(stopped)) == 15
    assert len(scores(held)) == 25
    assert held.meta["vmaf"] < stopped.meta["vmaf"] - 5
    (warning,) = encoded.warnings
    assert (warning.tag, "shortest=1" in warning.message) == ("text-0-1", True)
    assert "ends at 0.60 s and the source at 1.00 s" in warning.message


@pytest.mark.attribute("format[].distorted")
async def test_a_turned_source_is_compared_upright(clips, reference, out):
    phone, upright = clips / "phone.mp4", clips / "upright.mp4"
    plain = coded(reference, clips / "plain.mp4", "-crf", "1")
    ffmpeg("-display_rotation:v:0", "-90", "-i", plain, "-c", "copy", phone)
    coded(phone, upright, "-crf", "10")
    (made,) = (await measured(phone, upright, out)).outputs
    assert (made.meta["width"], made.meta["height"]) == (108, 192)
    assert made.meta["vmaf"] > 90


@pytest.mark.attribute("stitch")
@pytest.mark.attribute("format[].distorted")
async def test_a_stitched_film_is_a_reference_too(clips, reference, out):
    film = inputs(SourceFile(reference, start=0.2, duration=0.4), reference)
    joined = "[0:v]trim=0.2:0.6,setpts=PTS-STARTPTS[a];[a][1:v]concat"
    path = clips / "joined.mp4"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10")
    ffmpeg("-i", reference, "-i", reference, "-filter_complex", joined, *codec, path)
    (made,) = (await measured(film, path, out)).outputs
    assert len(scores(made)) == 35
    assert made.meta["vmaf_min"] > 90


@pytest.mark.attribute("format[].distorted")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mp4", b"", "the video is empty"),
        ("list.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n", "playlist or a script"),
        ("noise.mp4", bytes(range(256)) * 40, "not a media file"),
    ],
)
async def test_a_distorted_file_that_is_no_video_is_refused(
    reference, out, tmp_path, name, content, reason
):
    hostile = tmp_path / name
    hostile.write_bytes(content)
    with pytest.raises(MediaError, match=f"text-0-0: distorted can't be compared: .*{reason}"):
        await measured(reference, hostile, out)
    assert not list(out.iterdir())


@pytest.mark.attribute("format[].distorted")
async def test_sound_alone_can_be_compared_with_nothing(reference, clips, out):
    sound = clips / "sound.flac"
    ffmpeg("-i", reference, "-vn", sound)
    with pytest.raises(MediaError, match="distorted has sound but no picture"):
        await measured(reference, sound, out)
    with pytest.raises(MediaError, match="the source has sound but no picture"):
        await measured(sound, reference, out)


@pytest.mark.attribute("format[].distorted")
async def test_frames_too_small_for_vmaf_are_refused_and_odd_ones_taken(clips, out):
    odd, tiny = clips / "odd.mkv", clips / "tiny.mkv"
    for path, size in ((odd, "33x35"), (tiny, "31x64")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}:r=10:d=0.3", "-c:v", "ffv1", path)
    (made,) = (await measured(odd, odd, out)).outputs
    assert made.meta["vmaf"] > 90
    with pytest.raises(MediaError, match="frame of 31x64 is too small to be compared"):
        await measured(tiny, odd, out)


@pytest.mark.attribute("format[].distorted")
async def test_the_other_outputs_go_on_where_the_comparison_may_fail(reference, out, tmp_path):
    (tmp_path / "empty.mp4").touch()
    film = Inputs(inputs(reference).sources, {URL: tmp_path / "empty.mp4"})
    asked = ({**VMAF, "allow_soft_fail": 1}, {"output": "metadata"})
    encoded = await encode(film, out, *asked)
    assert [made.output for made in encoded.outputs] == ["metadata"]
    assert [missed.tag for missed in encoded.missed] == ["text-0-0"]


@pytest.mark.attribute("format[].output", "format[].distorted")
async def test_the_service_fetches_what_is_compared_and_tells_the_score(
    reference, good, settings, http
):
    async def send(request: web.Request) -> web.FileResponse:
        return web.FileResponse(good)

    application = web.Application()
    application.router.add_get("/good.mp4", send)
    async with (
        TestServer(application) as server,
        Transcoder(settings(allow_private_sources=True)) as transcoder,
    ):
        client, url = Client(transcoder.url, http), str(server.make_url("/good.mp4"))
        asked = [{"output": "vmaf", "distorted": url}]
        _, status = await client.encode(reference.read_bytes(), asked)
        assert status["status"] == "completed", status
        (text,) = status["texts"]
        assert 80 < text["meta"]["vmaf"] <= 100
        async with http.get(text["url"]) as answer:
            document = await answer.json(content_type=None)
    assert document["pooled_metrics"]["vmaf"]["mean"] == text["meta"]["vmaf"]
