"""Per-title encoding with the real encoder: what comes out, and what the status says of it."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.query import parse_query
from orchestrator.transcoder import processes
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.pertitle import PerTitle, measuring, target
from orchestrator.transcoder.pertitle.windows import candidates
from orchestrator.transcoder.plan import Means, compile_plan, material
from orchestrator.transcoder.ports import Encoded, Member, Produced, SourceFile
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.runner import EncodeError, Limits
from tests.media import children, ffmpeg, picture_seconds, stream, toolchain
from tests.transcoder.encodes import Listener, encode, inputs, only

#: Drawn by ffmpeg; smooth colours score less than hard edges do.
SMOOTH = "gradients=s=160x90:r=25:n=3:speed=0.02:seed=23:type=circular"
FINE = "mandelbrot=s=160x90:r=25:maxiter=250:end_scale=0.05:end_pts=400:inner=mincol"
EDGES = "cellauto=s=160x90:r=25:rule=110:seed=3"
_FRAMES = ("-fps_mode", "passthrough", "-f", "rawvideo", "-")
PER_TITLE = {"output": "mp4", "optimize_bitrate": 1}


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("easy") / "easy.mp4", SMOOTH)


def drawn(path: Path, picture: str, seconds: float = 1.0) -> Path:
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", picture, "-t", str(seconds), *codec, path)
    return path


def found(made: Produced | Member) -> dict[str, Any]:
    """What the status says of the choice."""
    return dict(made.meta["per_title"])


def vmaf(path: Path, source: Path) -> float:
    """The score of a whole output, as ffmpeg says it."""
    log = path.with_suffix(".csv")
    ffmpeg(
        "-i", path, "-i", source, "-lavfi", f"libvmaf=log_fmt=csv:log_path={log}", "-f", "null", "-"
    )
    heads, *rows = [line.split(",") for line in log.read_text().splitlines()]
    scores = [float(row[heads.index("vmaf")]) for row in rows]
    return sum(scores) / len(scores)


@pytest.mark.attribute("format[].optimize_bitrate")
@pytest.mark.parametrize(
    ("codec", "picture"),
    [("libx264", SMOOTH), pytest.param("libx265", EDGES, marks=pytest.mark.slow)],
)
async def test_an_easy_film_gets_smaller_and_is_good_enough(
    tmp_path: Path, codec: str, picture: str
) -> None:
    easy = drawn(tmp_path / "easy.mp4", picture)
    plain = {"output": "mp4", "video_codec": codec}
    made = await encode(easy, tmp_path, plain, {**plain, **PER_TITLE})
    usual, better = made.outputs
    told = found(better)
    assert told["crf"] > told["default_crf"]
    assert better.size < usual.size
    assert usual.size - better.size == pytest.approx(told["saved"], rel=0.2, abs=100)
    assert names(tmp_path) == {"easy.mp4", better.path.name, usual.path.name}
    score = vmaf(better.path, easy)
    assert score > target(90) - 1
    assert told["vmaf"] == pytest.approx(score, abs=1)


@pytest.mark.slow
async def test_a_film_that_scores_too_little_keeps_the_default(tmp_path: Path) -> None:
    source = drawn(tmp_path / "fine.mp4", FINE)
    made = await only(source, tmp_path, {**PER_TITLE, "video_codec": "libx265"})
    told = found(made)
    assert told["vmaf"] < target(90)
    assert (told["crf"], told["saved"]) == (told["default_crf"], 0)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.attribute("format[].min_crf", "format[].max_crf", "format[].adjust_crf")
@pytest.mark.slow
async def test_limits_and_adjustment_reach_the_output(tmp_path: Path, easy: Path) -> None:
    limits: list[dict[str, int]] = [
        {"max_crf": 10},
        {"min_crf": 40},
        {"min_crf": 20, "max_crf": 20, "adjust_crf": 5},
        {"max_crf": 23, "adjust_crf": -3},
    ]
    made = await encode(easy, tmp_path, *({**PER_TITLE, **each} for each in limits))
    assert [found(each)["crf"] for each in made.outputs] == [10, 40, 20, 20]
    sizes = [each.size for each in made.outputs]
    assert sizes[0] > sizes[2] == sizes[3] > sizes[1]
    # libx264 writes what it was told into the stream.
    assert b"crf=40.0" in made.outputs[1].path.read_bytes()


@pytest.mark.attribute("format[].optimize_bitrate")
@pytest.mark.slow
async def test_streams_have_their_own_and_what_is_ignored_is_said(
    tmp_path: Path, easy: Path
) -> None:
    listener = Listener()
    ladder = {
        "output": "advanced_hls",
        "stream": [
            {"height": 90, "optimize_bitrate": 1, "bitrate": 9000},
            {"height": 60, "quality": 30},
        ],
    }
    made = await encode(easy, tmp_path, ladder, listener=listener)
    first, second = made.outputs[0].members
    assert found(first)["crf"] > 23
    assert "per_title" not in second.meta
    assert first.bitrate is not None
    assert first.bitrate < 1000
    (notice,) = made.warnings
    assert (notice.tag, "bitrate is ignored" in notice.details) == (first.tag, True)
    shares = [each[first.tag] for each in listener.told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 50
    assert shares[-1] == 100


@pytest.mark.slow
async def test_a_second_run_measures_nothing(
    tmp_path: Path, easy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await kept(tmp_path / "1", easy, tmp_path / "curves", {**PER_TITLE})
    copy = Path(await asyncio.to_thread(shutil.copy, easy, tmp_path / "copy.mp4"))

    async def never(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measuring, "run", never)
    again = await kept(tmp_path / "2", copy, tmp_path / "curves", {**PER_TITLE})
    (one,), (other,) = first.outputs, again.outputs
    assert found(one) == found(other)
    assert one.path.read_bytes() == other.path.read_bytes()
    assert not again.warnings


async def kept(out: Path, source: Path, curves: Path, asked: dict[str, Any]) -> Encoded:
    """An encode with a folder for what is measured."""
    await asyncio.to_thread(out.mkdir)
    encoder = FfmpegEncoder(toolchain(), threads=1, nice=0, curves=curves)
    query = parse_query({"source": "tus:0", "format": [asked]})
    return await encoder.encode(query, inputs(source), out, Listener())


async def test_an_analysis_that_fails_costs_the_task_nothing(
    tmp_path: Path, easy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise EncodeError("the samples can't be read")

    monkeypatch.setattr(measuring, "run", broken)
    made = await encode(easy, tmp_path, {**PER_TITLE, "max_crf": 21})
    (output,) = made.outputs
    assert "per_title" not in output.meta
    assert b"crf=21.0" in output.path.read_bytes()
    (notice,) = made.warnings
    assert notice.message == "Per-Title Encoding"
    assert notice.details.endswith("the samples can't be read")
    assert names(tmp_path) == {output.path.name}


@pytest.mark.slow
async def test_samples_of_a_stitched_film(tmp_path: Path, easy: Path) -> None:
    small = drawn(tmp_path / "small.mp4", "testsrc2=s=64x64:r=5", 14.0)
    (tmp_path / "out").mkdir()
    film = inputs(SourceFile(easy), SourceFile(small, 1.0, 12.5))
    made = await only(film, tmp_path / "out", PER_TITLE)
    assert found(made)["vmaf"] > 50
    assert picture_seconds(made.path) == pytest.approx(13.5, abs=0.1)
    video = stream(made.path, "video")
    assert video is not None
    assert video["width"] == 160


@pytest.mark.slow
async def test_black_is_no_sample(tmp_path: Path) -> None:
    """The middle of each fifth is black: samples are taken beside it."""
    black = "drawbox=c=black:t=fill:enable='between(mod(t,3),1,2.2)'"
    source = drawn(tmp_path / "black.mp4", f"testsrc2=s=64x36:r=5,{black}", 15.0)
    film = material(inputs(source), [await probe_source(toolchain(), source)])
    query = parse_query({"source": "tus:0", "format": [PER_TITLE]})
    plan = compile_plan(query, film, Means(threads=1))
    (made,) = plan.steps[0].renditions  # type: ignore[union-attr] # it is a pass
    samples = measuring.Samples(toolchain(), 1, Limits(), film, made, tmp_path)
    places = [await samples._choose(each) for each in candidates(0.0, 15.0)]
    assert [place.start + 1 for place in places] == pytest.approx([0.75, 3.75, 6.75, 9.75, 12.75])


@pytest.mark.parametrize("patience", [0.0, 3600.0])
async def test_it_ends_in_time_and_when_cancelled(
    tmp_path: Path, easy: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    """No process is left, and no file."""
    started = asyncio.Event()
    original = processes.child

    def noted(*args: Any, **kwargs: Any) -> Any:
        started.set()
        return original(*args, **kwargs)

    monkeypatch.setattr("orchestrator.transcoder.runner.child", noted)
    film = material(inputs(easy), [await probe_source(toolchain(), easy)])
    query = parse_query({"source": "tus:0", "format": [PER_TITLE]})
    plan = compile_plan(query, film, Means(threads=1))
    titles = PerTitle(toolchain(), 1, Limits(), patience=patience)
    work = tmp_path / "work"
    work.mkdir()
    running = asyncio.ensure_future(titles.analyse(query, film, plan, work, Listener()))
    if patience:
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        findings = await running
        assert findings.crfs == {"video-0-0": 23.0}
        assert "too long" in findings.warnings[0].details
    assert names(work) == set()
    assert children() == []


@pytest.mark.slow
async def test_a_limit_may_ask_for_a_lossless_video(tmp_path: Path, easy: Path) -> None:
    made = await only(easy, tmp_path, {**PER_TITLE, "max_crf": 0})
    assert found(made)["crf"] == 0
    assert ffmpeg("-i", made.path, *_FRAMES) == ffmpeg("-i", easy, *_FRAMES)
