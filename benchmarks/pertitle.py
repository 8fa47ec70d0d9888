"""Per-title encoding beside one rate factor for every film, by bytes and by VMAF.

For a single film there is nothing to win at an equal score: the same encoder
then has the same rate factor. What a search wins, it wins over a library, where
some films need less than others. So a few clips that differ stand for one. They
are compared with the default, 23, for what is saved; with the one rate factor
at which the worst clip scores as much as the worst per title, which is what a
library needs where no film may look bad; and with the one of an equal mean.
"""

import asyncio
import json
import math
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from benchmarks.encoding.footage import bunny, drawn
from benchmarks.harness import Goal, Result, machine, table
from orchestrator.query import parse_query
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.ports import Inputs, Produced, SourceFile
from orchestrator.transcoder.toolchain import Toolchain, find_toolchain

SECONDS, SIZE = 2.4, "640x360"
DEFAULT, FIXED = 23, (20, 23, 26, 29, 32, 35)

_DRAWN = {
    "titles": "smptehdbars=s=640x360:r=25",
    "test card": "testsrc2=s=640x360:r=25",
    "soft colours": "gradients=s=640x360:r=25:n=3:speed=0.01:seed=23:type=circular",
    "hard edges": "life=s=160x90:r=25:mold=12:ratio=0.12:seed=7:life_color=#ffd166:"
    "death_color=#118ab2:mold_color=#073b4c,scale=640:360:flags=neighbor",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A clip that was encoded; ``crf`` is what it was encoded at."""

    crf: float
    size: int
    score: float


class _Watcher:
    """Somebody has to be told."""

    def progress(self, percents: Mapping[str, float]) -> None:
        """Nobody waits for it."""

    async def landed(self, made: Produced) -> None:
        """Nobody stores it."""


def make_clips(toolchain: Toolchain, folder: Path) -> list[Path]:
    """The clips, near lossless: parts of a film where there is one, and drawn ones."""
    film = bunny()
    inputs = {name: drawn(picture) for name, picture in _DRAWN.items()}
    if film is not None:
        for start in (0.0, 2.6):
            inputs[f"film from {start:g} s"] = ("-ss", f"{start}", "-i", f"{film}")
    codec = ("-an", "-s", SIZE, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast")
    paths = []
    for name, source in inputs.items():
        path = folder / f"{name.replace(' ', '-')}.mp4"
        made = (*source, "-t", f"{SECONDS}", *codec, "-crf", "6", str(path))
        subprocess.run([toolchain.ffmpeg, "-v", "error", "-y", *made], check=True)
        paths.append(path)
    return paths


async def encoded(toolchain: Toolchain, clip: Path, folder: Path) -> tuple[Made, dict[float, Made]]:
    """The clip per title, and at each of the fixed rate factors: all outputs of one task."""
    asked = [{"output": "mp4", "optimize_bitrate": 1}]
    asked += [{"output": "mp4", "quality": crf} for crf in FIXED]
    out = folder / f"out-{clip.stem}"
    out.mkdir()
    encoder = FfmpegEncoder(toolchain, nice=0)
    query = parse_query({"source": "tus:0", "format": asked})
    done = await encoder.encode(query, Inputs((SourceFile(clip),)), out, _Watcher())
    found = float(done.outputs[0].meta["per_title"]["crf"])
    made = [
        Made(crf, output.size, _score(toolchain, output.path, clip))
        for crf, output in zip((found, *map(float, FIXED)), done.outputs, strict=True)
    ]
    return made[0], {each.crf: each for each in made[1:]}


def _score(toolchain: Toolchain, path: Path, clip: Path) -> float:
    log = path.with_suffix(".json")
    graph = f"libvmaf=log_fmt=json:log_path={log.name}"
    compare = ("-i", path, "-i", clip, "-lavfi", graph, "-f", "null", "-")
    subprocess.run([toolchain.ffmpeg, "-v", "error", *compare], check=True, cwd=path.parent)
    return float(json.loads(log.read_bytes())["pooled_metrics"]["vmaf"]["mean"])


def at_score(
    fixed: list[dict[float, Made]], score: float, pooled: Callable[[list[float]], float]
) -> float | None:
    """The bytes of all clips at the one rate factor that gives this score, pooled over them.

    None where no measured rate factors lie on both sides of it.
    """
    means = [(pooled([clip[crf].score for clip in fixed]), crf) for crf in map(float, FIXED)]
    for (better, low), (worse, high) in pairwise(means):
        if worse <= score <= better:
            share = (better - score) / (better - worse) if better > worse else 0.0
            return sum(
                math.exp((1 - share) * math.log(clip[low].size) + share * math.log(clip[high].size))
                for clip in fixed
            )
    return None


def bench(folder: Path) -> Result:
    """All of it, in ``folder``."""
    found = machine()
    toolchain = find_toolchain()
    clips = make_clips(toolchain, folder)
    both = [asyncio.run(encoded(toolchain, clip, folder)) for clip in clips]
    rows = []
    for clip, (ours, fixed) in zip(clips, both, strict=True):
        usual = fixed[float(DEFAULT)]
        less = f"{100 * (1 - ours.size / usual.size):.1f} %"
        cells = (usual.size, f"{usual.score:.2f}", f"{ours.crf:g}", ours.size, f"{ours.score:.2f}")
        rows.append((clip.stem.replace("-", " "), *map(str, cells), less))
    print(table(("clip", "bytes at 23", "VMAF", "found", "bytes", "VMAF", "saved"), rows))
    size = sum(ours.size for ours, _ in both)
    score = fmean(ours.score for ours, _ in both)
    curves = [each for _, each in both]
    worst = min(ours.score for ours, _ in both)
    equal, at_least = at_score(curves, score, fmean), at_score(curves, worst, min)
    usual_size = sum(each[float(DEFAULT)].size for each in curves)
    figures = {
        "machine": found,
        "clips": [
            dict(zip(("clip", "bytes_23", "vmaf_23", "crf", "bytes", "vmaf"), row, strict=False))
            for row in rows
        ],
        "bytes": size,
        "mean_vmaf": round(score, 2),
        "worst_vmaf": round(worst, 2),
        "mean_vmaf_23": round(fmean(each[float(DEFAULT)].score for each in curves), 2),
        "bytes_23": usual_size,
        "bytes_fixed_at_equal_mean": equal and round(equal),
        "bytes_fixed_at_equal_worst": at_least and round(at_least),
    }
    goals = {
        "bytes: CRF 23 / per title": Goal(1.0, usual_size / size),
        "bytes: fixed at equal worst VMAF / per title": Goal(1.0, at_least and at_least / size),
        "bytes: fixed at equal mean VMAF / per title": Goal(1.0, equal and equal / size),
    }
    return Result("pertitle", figures, goals)


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = bench(Path(folder))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
