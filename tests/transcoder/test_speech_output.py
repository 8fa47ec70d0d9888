"""The ``speech_to_text`` output, from a task's source to its folder of texts."""

import json
import sys
from pathlib import Path

import pytest
import srt
import webvtt

from orchestrator.query import parse_query
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.ports import Encoded, Inputs, MediaError, Produced, SourceFile
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.speech import Speech
from tests.media import coded_clip, ffmpeg, toolchain
from tests.transcoder.client import Client
from tests.transcoder.encodes import Listener, inputs
from tests.transcoder.speech.bigram import make_model
from tests.transcoder.speech.conftest import ENGLISH

SPEECH = {"output": "speech_to_text"}
FOUR = ["subtitles.srt", "subtitles.vtt", "timestamps.json", "transcript.txt"]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A model that hears "hola mundo" in all speech."""
    return make_model(tmp_path_factory.mktemp("models") / "bigram")


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """The spoken sentences under a picture of two seconds."""
    folder = tmp_path_factory.mktemp("clips")
    picture = coded_clip(folder / "picture.mp4", size="64x48")
    ffmpeg("-i", picture, "-i", ENGLISH, "-c:v", "copy", "-c:a", "aac", folder / "film.mp4")
    return folder / "film.mp4"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


async def spoken(
    source: Path | Inputs,
    out: Path,
    models: Path | None,
    *formats: dict[str, object],
    listener: Listener | None = None,
) -> Encoded:
    given = source if isinstance(source, Inputs) else inputs(source)
    named = {"stitch": ["tus:0"] * len(given.sources)} if len(given.sources) > 1 else {}
    asked = parse_query({**(named or {"source": "tus:0"}), "format": list(formats or (SPEECH,))})
    speech = Speech(toolchain(), models, threads=1)
    encoder = FfmpegEncoder(toolchain(), threads=1, nice=0, speech=speech)
    return await encoder.encode(asked, given, out, listener or Listener())


def length(made: Produced) -> float:
    return json.loads((made.path / "timestamps.json").read_text())["duration"]


@pytest.mark.attribute(
    "format[].output",
    "format[].transcript",
    "format[].json",
    "format[].srt",
    "format[].vtt",
    "format[].tag",
)
@pytest.mark.attribute("status.returns.status.texts[].detected_language")
@pytest.mark.slow
async def test_a_source_becomes_a_folder_of_texts(film, models, out):
    listener = Listener()
    encoded = await spoken(film, out, models, {**SPEECH, "tag": "said"}, listener=listener)
    (made,) = encoded.outputs
    assert (made.tag, made.kind, made.output) == ("text-0-0", "text", "speech_to_text")
    assert (made.user_tag, made.entry) == ("said", "transcript.txt")
    assert sorted(path.name for path in made.path.iterdir()) == FOUR
    assert made.size == sum(path.stat().st_size for path in made.path.iterdir())
    assert made.duration == pytest.approx(5.85, abs=0.1)
    assert (made.path / "transcript.txt").read_text() == "hola mundo\n"
    assert made.meta["detected_language"] == "es"
    assert made.meta["mode"] == "balanced"
    assert list(srt.parse((made.path / "subtitles.srt").read_text()))
    assert webvtt.read(made.path / "subtitles.vtt").captions[0].text == "hola mundo"
    percents = [told["text-0-0"] for told in listener.told]
    assert percents == sorted(percents)
    assert len(percents) > 2
    assert percents[-1] == 100
    assert [path.name for path in out.iterdir()] == ["text-0-0"]


@pytest.mark.attribute("format[].output", "format[].start_time")
@pytest.mark.attribute("stitch", "stitch[].start_time", "stitch[].duration")
@pytest.mark.slow
async def test_a_stitched_film_is_heard_as_one_and_leaves_no_sound_behind(film, models, out):
    silent = coded_clip(out.parent / "silent.mp4", size="64x48", seconds=1)
    parts = inputs(SourceFile(film, start=0.5, duration=1.5), silent, film)
    listener = Listener()
    asked = {**SPEECH, "start_time": 2, "srt": 0}
    (made,) = (await spoken(parts, out, models, asked, listener=listener)).outputs
    # 1.5 s, 1 s without sound, 5.85 s; less the first 2.
    assert length(made) == pytest.approx(6.35, abs=0.1)
    assert [path.name for path in out.iterdir()] == ["text-0-0"]
    percents = [told["text-0-0"] for told in listener.told]
    assert percents == sorted(percents)


@pytest.mark.slow
@pytest.mark.attribute("format[].output")
async def test_nobody_speaking_is_a_warning(models, out, tmp_path):
    quiet = tmp_path / "quiet.flac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=d=1.5", quiet)
    encoded = await spoken(quiet, out, models)
    (warning,) = encoded.warnings
    assert (warning.message, warning.tag) == ("no speech was found in the sound", "text-0-0")


@pytest.mark.attribute("format[].output")
@pytest.mark.slow
async def test_what_can_not_be_done_is_said_before_anything_is_encoded(
    film, models, out, monkeypatch
):
    both = ({"output": "mp4"}, SPEECH)
    with pytest.raises(MediaError, match=r"text-0-0: .*speech_models"):
        await spoken(film, out, None, *both)
    with pytest.raises(MediaError, match=r"text-0-0: translate_languages: .* English alone"):
        await spoken(film, out, models, both[0], {**SPEECH, "translate_languages": ["fr"]})
    silent = coded_clip(out.parent / "silent.mp4", size="64x48", seconds=1)
    with pytest.raises(MediaError, match="text-0-0: the source has no sound"):
        await spoken(silent, out, models, *both)
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MediaError, match=r"pip install 'orchestrator\[speech\]'"):
        await spoken(film, out, models, *both)
    assert not list(out.iterdir())


@pytest.mark.attribute("format[].output")
async def test_a_transcript_that_may_fail_costs_the_others_nothing(film, out):
    asked = ({**SPEECH, "allow_soft_fail": 1}, {"output": "metadata"})
    encoded = await spoken(film, out, None, *asked)
    assert [made.output for made in encoded.outputs] == ["metadata"]
    (missed,) = encoded.missed
    assert "speech_models" in missed.reason


@pytest.mark.attribute(
    "format[].start_time",
    "format[].duration",
    "format[].transcript",
    "format[].json_name",
    "format[].srt",
    "format[].language",
    "format[].mode",
)
@pytest.mark.attribute("status.returns.status.texts[].detected_language")
@pytest.mark.slow
async def test_the_service_listens_to_a_part_and_names_files_as_asked(models, settings, http):
    asked = {
        **SPEECH,
        "start_time": "1.5",
        "duration": 2,
        "transcript": 0,
        "srt": "0",
        "json_name": "a.json",
        "language": "de",
        "mode": "speed",
    }
    async with Transcoder(settings(speech_models=models)) as transcoder:
        client = Client(transcoder.url, http)
        _, status = await client.encode(ENGLISH.read_bytes(), [asked])
        assert status["status"] == "completed", status
        (text,) = status["texts"]
        async with http.get(text["url"]) as answer:
            document = await answer.json(content_type=None)
        folder = text["url"].removesuffix("a.json")
        there = ("subtitles.vtt", "transcript.txt", "subtitles.srt")
        answers = [(await http.get(folder + name)).status for name in there]
    assert document["duration"] == pytest.approx(2.0, abs=0.05)
    assert document["language"] == "de"
    assert answers == [200, 404, 404]
    assert text["detected_language"] == "de"
    assert (text["meta"]["model"], text["meta"]["mode"]) == (models.name, "speed")
    assert text["output_format"] == "speech_to_text"
    assert sorted(text["storage"]["names"]) == ["a.json", "subtitles.vtt"]
    assert "names" not in text["meta"]
