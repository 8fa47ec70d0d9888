"""The jobs that make files: one run of each on a short film, and what is in them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from tests.jobs.conftest import JOBS, ROOT, files_in
from tests.media import probed, stream
from tests.transcoder.packaging.media import decoded_frames

#: Each is run by a test of its own, in this folder.
NAMES = sorted(path.stem for path in JOBS.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_validate_finds_nothing_wrong(name, films, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = [] if any(JOBS.glob(f"{name}.[cj]*")) else ["--manifest", str(films)]
    done = CliRunner().invoke(app, ["validate", f"jobs/{name}.toml", *own])
    assert (done.exit_code, done.output) == (0, f"{name}: 1 row read, all good\n")


def size(path: Path) -> tuple[int, int]:
    video = stream(path, "video")
    assert video is not None
    return video["width"], video["height"]


async def test_mp4_has_the_rungs_that_the_film_can_fill(library, films):
    made = await library.made("mp4", films)
    assert files_in(made) == ["film/240p.mp4", "film/360p.mp4"]
    assert size(made / "film/360p.mp4") == (640, 360)
    assert size(made / "film/240p.mp4") == (426, 240)
    assert decoded_frames(made / "film/240p.mp4") == 50


@pytest.mark.slow
async def test_webm_is_vp9_and_opus(library, films):
    made = await library.made("webm", films)
    assert files_in(made) == ["film/240p.webm"]
    codecs = [each["codec_name"] for each in probed(made / "film/240p.webm")["streams"]]
    assert codecs == ["vp9", "opus"]
    assert decoded_frames(made / "film/240p.webm") == 50


@pytest.mark.slow
async def test_av1_is_av1(library, films):
    made = await library.made("av1", films)
    assert files_in(made) == ["film/360p.mp4"]
    video = stream(made / "film/360p.mp4", "video")
    assert video is not None
    assert (video["codec_name"], video["height"]) == ("av1", 360)
    assert decoded_frames(made / "film/360p.mp4") == 50


async def test_metadata_says_what_the_film_is(library, films):
    made = await library.made("metadata", films)
    assert files_in(made) == ["film/metadata.json"]
    found = json.loads((made / "film/metadata.json").read_text())
    assert [each["codec_name"] for each in found["streams"]] == ["h264", "aac"]
