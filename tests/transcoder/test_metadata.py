"""The ``metadata`` output: what ffprobe says of the source, and nothing of this machine."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.ports import Produced, SourceFile
from tests.media import coded_clip, ffmpeg, probed
from tests.transcoder.encodes import Listener, encode, inputs, only

METADATA = {"output": "metadata"}

CHAPTERS = """;FFMETADATA1
title=Two halves
[CHAPTER]
TIMEBASE=1/1000
START=0
END=400
title=One
[CHAPTER]
TIMEBASE=1/1000
START=400
END=1000
title=Zwölf
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return coded_clip(
        tmp_path_factory.mktemp("clips") / "a b.mp4", size="64x48", seconds=1, sound=2
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def read(made: Produced) -> dict[str, Any]:
    return json.loads(made.path.read_bytes())


@pytest.mark.attribute("format[].output", "format[].tag")
async def test_it_is_ffprobes_own_answer_and_names_no_folder_of_ours(clip, out):
    listener = Listener()
    made = await only(clip, out, {**METADATA, "tag": "about"}, listener=listener)
    document = read(made)
    told = probed(clip)
    assert document["streams"] == told["streams"]
    assert document["format"] == {**told["format"], "filename": "a b.mp4"}
    assert document["chapters"] == []
    text = made.path.read_text()
    assert not any(part in text for part in ("/tmp", str(clip.parent), "file:"))
    assert (made.tag, made.kind, made.user_tag) == ("text-0-0", "text", "about")
    assert made.size == made.path.stat().st_size
    assert made.path.suffix == ".json"
    assert listener.told[-1] == {"text-0-0": 100}
    assert [path.name for path in out.iterdir()] == ["text-0-0.json"]


@pytest.mark.attribute("format[].output")
async def test_chapters_tags_and_programs_are_in_it(clip, out, tmp_path):
    (tmp_path / "chapters.txt").write_text(CHAPTERS, encoding="utf-8")
    film, stream = tmp_path / "film.mkv", tmp_path / "film.ts"
    ffmpeg("-i", clip, "-i", tmp_path / "chapters.txt", "-map_metadata", "1", "-c", "copy", film)
    ffmpeg("-i", clip, "-c", "copy", "-metadata", "service_name=News", stream)
    document = read(await only(film, out, METADATA))
    assert document["format"]["tags"]["title"] == "Two halves"
    assert [each["tags"]["title"] for each in document["chapters"]] == ["One", "Zwölf"]
    assert float(document["chapters"][1]["start_time"]) == pytest.approx(0.4)
    programs = read(await only(stream, out, METADATA))["programs"]
    assert programs[0]["tags"]["service_name"] == "News"
    assert programs[0]["nb_streams"] == 2


@pytest.mark.attribute("format[].metadata_version")
async def test_a_version_of_ffprobe_that_is_not_ours_gives_a_warning(clip, out):
    encoded = await encode(clip, out, {**METADATA, "metadata_version": "4.1.5"})
    (warning,) = encoded.warnings
    assert warning.message.startswith("metadata_version is not kept to")
    assert not (await encode(clip, out, METADATA)).warnings


@pytest.mark.attribute("format[].output")
@pytest.mark.attribute("stitch")
async def test_a_stitched_film_has_a_document_for_each_source(clip, out, tmp_path):
    other = coded_clip(tmp_path / "other.mkv", size="32x32", seconds=0.4)
    made = await only(inputs(clip, SourceFile(other, start=0.1)), out, METADATA)
    first, second = read(made)["sources"]
    assert first["format"]["filename"] == "a b.mp4"
    assert second["format"]["format_name"] == "matroska,webm"
    assert [each["streams"][0]["width"] for each in (first, second)] == [64, 32]
    assert "/tmp" not in made.path.read_text()


@pytest.mark.attribute("format[].output")
async def test_sound_alone_has_metadata(clip, out, tmp_path):
    sound = tmp_path / "sound.flac"
    ffmpeg("-i", clip, "-vn", sound)
    document = read(await only(sound, out, METADATA))
    assert [each["codec_name"] for each in document["streams"]] == ["flac"]
