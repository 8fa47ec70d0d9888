"""The jobs that lay things over films, join films, or choose for each what it needs."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.jobs.conftest import Library, files_in
from tests.jobs.test_ladders import ladder
from tests.media import coded_clip, colours, ffmpeg, frame_numbers, picture_seconds
from tests.storage.conftest import moto  # noqa: F401 - a fixture
from tests.transcoder.packaging.media import decoded_frames
from tests.transcoder.speech.conftest import ENGLISH, english_model  # noqa: F401 - a fixture


def drawn(path: Path, colour: str, *options: str) -> Path:
    """A picture, or a film, of one colour."""
    ffmpeg("-f", "lavfi", "-i", f"color=c={colour}:s=32x32:d=1:r=10", *options, path)
    return path


@pytest.mark.slow
async def test_stitching_joins_the_parts_that_its_manifest_names(library, site):
    drawn(site / "intro.mp4", "red", "-pix_fmt", "yuv420p")
    coded_clip(site / "programme.mp4", seconds=2, rate="25", size="64x36", sound=1)
    drawn(site / "outro.mp4", "blue", "-pix_fmt", "yuv420p")
    made = await library.made("stitching") / "evening-news"
    assert files_in(made) == ["film.mp4", "poster.jpg"]
    film = made / "film.mp4"
    assert picture_seconds(film) == pytest.approx(3.0, abs=0.05)
    assert decoded_frames(film) == 75
    red, _, blue = colours(film, 1, 1)[0]
    assert red > 200 > 100 > blue
    middle = frame_numbers(film)[25:50]
    assert (middle[0], middle[-1]) == (pytest.approx(12, abs=2), pytest.approx(37, abs=2))
    red, _, blue = colours(made / "poster.jpg", 1, 1)[0]  # at 90% the outro is on
    assert blue > 100 > red


@pytest.mark.slow
async def test_logo_is_in_its_corner_and_the_other_one_comes_and_goes(library, tmp_path, site):
    film = tmp_path / "black" / "film.mp4"
    film.parent.mkdir()
    black = "color=c=black:s=320x240:r=10:d=2"
    ffmpeg("-f", "lavfi", "-i", black, "-pix_fmt", "yuv420p", "-preset", "ultrafast", film)
    drawn(site / "logo.png", "red", "-frames:v", "1")
    drawn(site / "live.png", "lime", "-frames:v", "1")
    made = await library.made("logo", film.parent) / "film" / "film.mp4"
    assert decoded_frames(made) == 20

    def seen(second: float, x: int, y: int) -> tuple[int, ...]:
        shape = f"crop=16:16:{x}:{y},scale=1:1:flags=area,format=rgb24"
        data = ffmpeg(
            "-ss", str(second), "-i", made, "-frames:v", "1", "-vf", shape, "-f", "rawvideo", "-"
        )
        return tuple(data)

    top_right, bottom_left = (320 - 8 - 24, 8 + 8), (8 + 8, 240 - 8 - 24)
    for second in (0.2, 1.0, 1.8):
        red, green, blue = seen(second, *top_right)
        assert red == pytest.approx(0.8 * 255, abs=20)
        assert max(green, blue) < 30
    shown = [seen(second, *bottom_left)[1] > 200 for second in (0.2, 1.0, 1.8)]
    assert shown == [False, True, False]


@pytest.mark.slow
async def test_speech_is_there_as_text_and_with_its_times(library, tmp_path, english_model):  # noqa: F811
    shows = tmp_path / "shows"
    shows.mkdir()
    ffmpeg("-i", ENGLISH, "-c:a", "pcm_s16le", shows / "night.wav")
    library.settings = f'speech_models = "{english_model}"'
    made = await library.made("speech", shows) / "night"
    folder = ladder(made, "transcript.txt").parent
    assert files_in(folder) == [
        "subtitles.srt",
        "subtitles.vtt",
        "timestamps.json",
        "transcript.txt",
    ]
    assert "night shift" in (folder / "transcript.txt").read_text()
    assert json.loads((folder / "timestamps.json").read_text())


def meta(library: Library, job: str) -> list[dict]:
    """What the ledger keeps of each output."""
    with sqlite3.connect(library.folder / ".orchestrator" / f"{job}.db") as db:
        return [json.loads(text) for (text,) in db.execute("SELECT meta FROM outputs")]


@pytest.mark.slow
async def test_per_title_chooses_within_its_bounds_and_says_what_it_chose(library, films):
    made = await library.made("per_title", films) / "film"
    assert files_in(made) == ["240p.mp4"]
    assert decoded_frames(made / "240p.mp4") == 50
    (found,) = meta(library, "per_title")
    assert 18 <= found["per_title"]["crf"] <= 34
    assert 0 < found["per_title"]["vmaf"] <= 100


def more(text: str) -> str:
    """The job with the rung that its comment holds."""
    before, _, after = text.partition("# Add this one, and run the job again:\n#\n")
    rung, _, rest = after.partition("\n\n")
    return before + "\n".join(line.removeprefix("# ") for line in rung.splitlines()) + "\n\n" + rest


@pytest.mark.slow
async def test_incremental_adds_the_new_rung_alone(library, films, moto, monkeypatch):  # noqa: F811
    monkeypatch.setenv("S3_KEY", "studio")
    monkeypatch.setenv("S3_SECRET", "a secret")
    local = f"s3://127.0.0.1:{moto.port}/"

    async def run(changed=lambda text: text) -> dict[str, str]:
        at_home = lambda text: changed(text.replace("s3://s3.example.com/", local))  # noqa: E731
        outcome = await library.run(library.job("incremental", at_home), films)
        assert outcome.counts == {"completed": 1}, library.reasons(outcome)
        found = moto.list_objects_v2(Bucket="films")["Contents"]
        return {each["Key"]: each["LastModified"] for each in found}

    first = await run()
    second = await run(more)
    segments = {name for name in first if name.endswith(".ts")}
    assert segments
    assert {name: second[name] for name in segments} == {name: first[name] for name in segments}
    text = moto.get_object(Bucket="films", Key="film/playlist.m3u8")["Body"].read().decode()
    assert "RESOLUTION=426x240" in text
    assert "RESOLUTION=640x360" in text
    assert {name for name in second if name.endswith(".ts")} > segments
