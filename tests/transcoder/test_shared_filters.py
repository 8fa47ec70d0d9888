"""Renditions of one pass share the filters that they begin with, and come out the same."""

from pathlib import Path

import pytest

from orchestrator.query import Mp4
from orchestrator.transcoder.plan.commands import _shared, commands
from orchestrator.transcoder.plan.steps import Chain, Input, Pass, Reading, Rendition
from tests.media import coded_clip, ffmpeg, toolchain
from tests.transcoder.encodes import encode


@pytest.mark.parametrize(
    ("chains", "first", "rests"),
    [
        (["fps=5,scale=2:2", "fps=5,scale=4:4"], "fps=5,", ["scale=2:2", "scale=4:4"]),
        (["fps=5", "fps=5"], "", ["fps=5", "fps=5"]),
        (["fps=5,hflip", "fps=5"], "", ["fps=5,hflip", "fps=5"]),
        (["a='x,y',b,c", "a='x,y',b,d"], "a='x,y',b,", ["c", "d"]),
        ([r"a=x\,y,b", r"a=x\,z,b"], "", [r"a=x\,y,b", r"a=x\,z,b"]),
        (["movie=m[l];[x][l]overlay,b"] * 2, "", ["movie=m[l];[x][l]overlay,b"] * 2),
    ],
)
def test_what_chains_begin_with(chains: list[str], first: str, rests: list[str]) -> None:
    assert _shared(chains) == (first, rests)


@pytest.mark.slow
async def test_outputs_made_together_are_those_made_alone(tmp_path: Path) -> None:
    source = coded_clip(tmp_path / "in.mp4", seconds=1, size="64x48")
    asked = [
        {"output": "mp4", "height": high, "framerate": "10", "rotate": 90} for high in (48, 32)
    ]
    together = tmp_path / "together"
    together.mkdir()
    pictures = [frames(made.path) for made in (await encode(source, together, *asked)).outputs]
    for number, one in enumerate(asked):
        alone = tmp_path / f"{number}"
        alone.mkdir()
        (made,) = (await encode(source, alone, one)).outputs
        assert frames(made.path) == pictures[number]


def test_the_shared_part_runs_once() -> None:
    made = [
        Rendition(
            f"{n}", "video", n, Mp4(output="mp4"), f"{n}.mp4", Chain(f"hflip,fps=5,scale={n}:2")
        )
        for n in (2, 4)
    ]
    step = Pass(tuple(made), Reading((Input(Path("in.mp4")),), picture="0:0"))
    (line,) = commands(step, toolchain().ffmpeg, 1)
    graph = line[line.index("-filter_complex") + 1]
    assert graph.count("hflip") == graph.count("fps=5") == 1


def frames(path: Path) -> bytes:
    return ffmpeg("-i", path, "-f", "framemd5", "-")
