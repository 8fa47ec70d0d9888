"""Sound in, files out: real models, a real worker, and readers that others wrote."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
import srt
import webvtt

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.runner import Limits
from orchestrator.transcoder.speech import Speech
from tests.media import children
from tests.transcoder.speech.conftest import ENGLISH
from tests.transcoder.speech.wanted import Wanted


def silent(percent: float) -> None:
    """Nobody wants to know."""


@pytest.fixture
def spanish(toolchain, bigram) -> Speech:
    return Speech(toolchain, bigram, threads=1)


@pytest.mark.attribute(
    "format[].output",
    "format[].mode",
    "format[].transcript",
    "format[].json",
    "format[].srt",
    "format[].vtt",
)
async def test_real_speech_becomes_four_files(toolchain, english_model, tmp_path):
    told: list[float] = []
    speech = Speech(toolchain, english_model, threads=1)
    spoken = await speech.transcribe(ENGLISH, Wanted(mode="speed"), tmp_path, told.append)
    names = ["subtitles.srt", "subtitles.vtt", "timestamps.json", "transcript.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert sorted(path.name for path in spoken.files) == names
    assert spoken.duration == pytest.approx(5.85, abs=0.05)
    assert spoken.detected_language == "en"
    assert spoken.meta["beam_size"] == 1
    assert told == sorted(told)
    assert told[-1] == 100
    said = (tmp_path / "transcript.txt").read_text()
    assert "night shift has finished" in said
    assert "200,000 films are ready" in said
    document = json.loads((tmp_path / "timestamps.json").read_text())
    words = [word for each in document["segments"] for word in each["words"]]
    films = next(word for word in words if word["word"] == "films")
    assert 4.0 < films["start"] < films["end"] < 5.4
    cues = list(srt.parse((tmp_path / "subtitles.srt").read_text()))
    captions = webvtt.read(tmp_path / "subtitles.vtt").captions
    assert [cue.content for cue in cues] == [caption.raw_text for caption in captions]
    assert "shift" in cues[0].content
    assert cues[-1].start.total_seconds() == pytest.approx(3.5, abs=0.5)


@pytest.mark.attribute("format[].language", "format[].translate_languages")
@pytest.mark.attribute("status.returns.status.texts[].detected_language")
@pytest.mark.slow
async def test_the_language_is_detected_and_translated(spanish, tmp_path):
    asked = Wanted(translate_languages=["en"])
    spoken = await spanish.transcribe(ENGLISH, asked, tmp_path, silent)
    assert spoken.detected_language == "es"
    assert (tmp_path / "transcript.txt").read_text() == "hola mundo\n"
    assert (tmp_path / "transcript-en.txt").read_text() == "hello world\n"
    assert "hello world" in (tmp_path / "subtitles-en.vtt").read_text()
    assert "hello world" in (tmp_path / "subtitles-en.srt").read_text()
    assert json.loads((tmp_path / "timestamps-en.json").read_text())["language"] == "en"
    assert json.loads((tmp_path / "timestamps.json").read_text())["language"] == "es"
    assert len(spoken.files) == 8
    assert spoken.meta["language"] is None


@pytest.mark.attribute(
    "format[].language",
    "format[].srt_name",
    "format[].vtt_name",
    "format[].transcript",
    "format[].json",
)
@pytest.mark.slow
async def test_files_have_the_names_and_the_language_that_were_given(spanish, tmp_path):
    asked = Wanted(language="de", transcript=0, json_file=0, srt_name="a.srt", vtt_name="b c.vtt")
    spoken = await spanish.transcribe(ENGLISH, asked, tmp_path, silent)
    assert spoken.detected_language == "de"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.srt", "b c.vtt"]
    assert "hola mundo" in (tmp_path / "a.srt").read_text()


@pytest.mark.attribute(
    "format[].transcript_name", "format[].json_name", "format[].srt", "format[].vtt"
)
@pytest.mark.slow
async def test_english_is_not_translated_again(spanish, tmp_path):
    asked = Wanted(
        language="en",
        translate_languages=["en"],
        transcript_name="été.txt",
        json_name="words",
        srt=0,
        vtt=0,
    )
    await spanish.transcribe(ENGLISH, asked, tmp_path, silent)
    names = ["words", "words-en", "été-en.txt", "été.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "été-en.txt").read_text() == "hola mundo\n"


@pytest.mark.slow
async def test_silence_is_no_speech(toolchain, spanish, tmp_path):
    quiet = made(toolchain, tmp_path / "quiet.wav", "-f", "lavfi", "-i", "anullsrc", "-t", "2")
    spoken = await spanish.transcribe(
        quiet, Wanted(translate_languages=["en"]), tmp_path / "out", silent
    )
    assert spoken.detected_language is None
    assert spoken.warnings == ("no speech was found in the sound",)
    assert (tmp_path / "out" / "transcript.txt").read_text() == ""
    assert (tmp_path / "out" / "subtitles.vtt").read_text() == "WEBVTT\n"


@pytest.mark.slow
async def test_sound_that_begins_late_keeps_the_time_of_the_picture(
    toolchain, english_model, tmp_path
):
    late = made(
        toolchain,
        tmp_path / "late.mkv",
        *("-f", "lavfi", "-i", "color=s=32x32:r=5:d=10", "-itsoffset", "3", "-i", str(ENGLISH)),
        *("-c:v", "libx264", "-c:a", "copy"),
    )
    speech = Speech(toolchain, english_model, threads=1)
    spoken = await speech.transcribe(
        late, Wanted(mode="speed"), tmp_path / "out", silent, start=1.5, length=7.2
    )
    assert spoken.duration == pytest.approx(7.2, abs=0.02)
    document = json.loads((tmp_path / "out" / "timestamps.json").read_text())
    words = [word for each in document["segments"] for word in each["words"]]
    # In the recording itself the first word begins at 0 s and the last one ends at 5.5 s.
    assert words[0]["start"] == pytest.approx(1.5, abs=0.6)
    assert words[-1]["end"] == pytest.approx(7.0, abs=0.3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-f", "lavfi", "-i", "color=s=32x32:d=1"), "the source has no sound"),
        (None, "not a media file"),
    ],
)
async def test_a_source_without_sound_that_can_be_heard(
    toolchain, spanish, tmp_path, options, reason
):
    source = tmp_path / "source.mkv"
    if options is None:
        source.write_bytes(b"not a film at all " * 99)
    else:
        made(toolchain, source, *options)
    with pytest.raises(MediaError, match=reason):
        await spanish.transcribe(source, Wanted(), tmp_path / "out", silent)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
async def test_cancelling_leaves_no_process_and_no_sound(spanish, tmp_path):
    seen: list[int] = []

    def tell(percent: float) -> None:
        if percent > 5:  # by now it is the worker that tells
            seen.extend(children())
            work.cancel()

    asked = Wanted(translate_languages=["en"])
    work = asyncio.create_task(spanish.transcribe(ENGLISH, asked, tmp_path, tell))
    with pytest.raises(asyncio.CancelledError):
        await work
    assert seen
    assert children() == []
    assert list(tmp_path.iterdir()) == []


async def test_a_worker_that_stands_still_is_ended(toolchain, bigram, tmp_path):
    speech = Speech(toolchain, bigram, threads=1, limits=Limits(stall=0.1))
    with pytest.raises(MediaError, match="stood still"):
        await speech.transcribe(ENGLISH, Wanted(), tmp_path, silent)
    assert children() == []


@pytest.mark.slow
async def test_a_damaged_model_is_named_without_its_path(toolchain, bigram, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in bigram.iterdir():
        (damaged / file.name).symlink_to(file)
    (damaged / "model.bin").unlink()
    (damaged / "model.bin").write_bytes(bytes(100))
    speech = Speech(toolchain, damaged, threads=1)
    speech.check(Wanted())
    with pytest.raises(MediaError, match="the speech model damaged could not be run") as caught:
        await speech.transcribe(ENGLISH, Wanted(), tmp_path / "out", silent)
    assert str(tmp_path) not in str(caught.value)


def made(toolchain, path: Path, *options: str) -> Path:
    subprocess.run([toolchain.ffmpeg, "-v", "error", *options, path], check=True)
    return path
