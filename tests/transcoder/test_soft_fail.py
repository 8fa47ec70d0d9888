"""``allow_soft_fail`` with the real ffmpeg: what fails is left out, what does not is made."""

from dataclasses import replace

import pytest

from orchestrator.transcoder.ports import EncodingFailed, MediaError
from orchestrator.transcoder.probe import probe
from tests.media import ffmpeg, toolchain
from tests.transcoder.encodes import encode, inputs

SMALL = {"output": "mp4", "width": 64, "height": 48}
SOFT = {"allow_soft_fail": 1}


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """One second of picture, and no sound."""
    path = tmp_path_factory.mktemp("silent") / "silent.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=1", str(path))
    return path


@pytest.mark.attribute("format[].allow_soft_fail", "status.returns.status.warnings")
async def test_sound_that_is_not_there_fails_alone(silent, tmp_path):
    made = await encode(silent, tmp_path, {"output": "mp3", **SOFT}, SMALL)
    [video] = made.outputs
    assert (video.tag, video.format_index) == ("video-0-0", 1)
    assert (await probe(toolchain(), video.path)).video[0].width == 64
    [missed] = made.missed
    assert (missed.tag, missed.format_index) == ("audio-0-0", 0)
    assert "no sound" in missed.reason
    [warning] = made.warnings
    assert warning.document() == {
        "message": "Errors Ignored by 'allow_soft_fail'",
        "details": missed.reason,
        "tag": "audio-0-0",
    }


@pytest.mark.attribute("format[].allow_soft_fail")
async def test_a_file_that_could_not_be_had_fails_its_output_alone(silent, tmp_path):
    url, why = "http://a/b", "query.format[0]: can't be downloaded: it is not there"
    subtitles = {"sources": [{"source": url, "language": "en"}]}
    wants = ({"logo": {"source": url}}, {"subtitles": subtitles})
    given = replace(inputs(silent), lost={url: why})
    made = await encode(given, tmp_path, *({**SMALL, **SOFT, **want} for want in wants), SMALL)
    assert [each.tag for each in made.outputs] == ["video-0-2"]
    assert [each.tag for each in made.missed] == ["video-0-0", "video-0-1"]
    assert all(each.reason.endswith(why) for each in made.missed)


async def test_one_that_can_not_be_written_fails_alone(silent, tmp_path):
    (tmp_path / "video-0-0.mp4").mkdir()
    made = await encode(silent, tmp_path, {**SMALL, **SOFT}, {**SMALL, "height": 24})
    [good] = made.outputs
    assert (good.format_index, good.meta["height"]) == (1, 24)
    [missed] = made.missed
    assert missed.tag == "video-0-0"
    assert "folder" in missed.reason
    assert made.warnings[-1].tag == "video-0-0"


async def test_an_output_that_fails_and_nothing_else_is_worth_a_retry(silent, tmp_path):
    (tmp_path / "video-0-0.mp4").mkdir()
    with pytest.raises(EncodingFailed):
        await encode(silent, tmp_path, {**SMALL, **SOFT})


async def test_what_may_not_fail_fails_the_task(silent, tmp_path):
    with pytest.raises(MediaError, match="no sound"):
        await encode(silent, tmp_path, {"output": "mp3"}, {**SMALL, **SOFT})


async def test_a_task_without_any_output_has_failed(silent, tmp_path):
    with pytest.raises(MediaError, match="no sound") as caught:
        await encode(silent, tmp_path, {"output": "mp3", **SOFT})
    assert not isinstance(caught.value, EncodingFailed)
