"""A ladder of four rungs: our plan beside ffmpeg commands written by hand for the same rungs.

The source is 10 s of HEVC at 2560x1440 and 16 Mbit/s. One command of those by hand splits the
decoded picture over all rungs, as a person does who knows ffmpeg well; the
others are one command a rung, as most scripts do it. Encoders, presets,
keyframes, sound and threads are the same. What is compared is encoding alone;
the whole task, with its checks and its packaging, is measured beside it.
"""

import asyncio
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.encoding.footage import bunny, drawn
from benchmarks.harness import GIB, Goal, Result, check_room, in_turns, machine, medians, table
from orchestrator.query import EncodeQuery, parse_query
from orchestrator.transcoder.encoder import FfmpegEncoder
from orchestrator.transcoder.plan import Means, Pass, commands, compile_plan, material
from orchestrator.transcoder.ports import Inputs, Produced, SourceFile
from orchestrator.transcoder.probe import probe_source
from orchestrator.transcoder.toolchain import Toolchain, describe, find_toolchain

SECONDS, ROUNDS = 10, 3
RUNGS = {1080: "1920:1080", 720: "1280:720", 480: "854:480", 360: "640:360"}
THREADS = os.cpu_count() or 2

#: What cameras and phones record 1440 lines of HEVC at.
RATE = ("-b:v", "16M", "-maxrate", "20M", "-bufsize", "32M")

_VIDEO = (
    *("-c:v", "libx264", "-preset", "faster", "-crf", "23", "-profile:v", "main"),
    *("-x264-params", "open-gop=0", "-g", "90", "-force_key_frames", "expr:gte(t,n_forced*9)"),
)
_SOUND = ("-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-ac", "2")
_Sample = dict[str, float]


def make_source(toolchain: Toolchain, path: Path, seconds: int) -> None:
    """Filmed-looking pictures where there are some, else drawn ones; with grain, as cameras see."""
    film = bunny()
    grain = "scale=2560:1440:flags=lanczos,noise=alls=3:allf=t,format=yuv420p"
    source = ("-stream_loop", "1", "-i", str(film)) if film else drawn("mandelbrot=s=1280x720:r=25")
    codec = ("-c:v", "libx265", "-preset", "veryfast", *RATE, "-x265-params", "log-level=error")
    sized = ("-t", str(seconds), "-vf", grain, "-r", "25")
    made = (*source, *sized, *codec, "-c:a", "aac", "-ac", "2")
    subprocess.run([toolchain.ffmpeg, "-v", "error", "-y", *made, path], check=True)


def query() -> EncodeQuery:
    """What the transcoder is asked for."""
    streams = [{"height": lines} for lines in RUNGS]
    return parse_query(
        {"source": "tus:0", "format": [{"output": "advanced_hls", "stream": streams}]}
    )


async def planned(toolchain: Toolchain, source: Path) -> list[tuple[str, ...]]:
    """The commands of our own plan."""
    film = material(Inputs((SourceFile(source),)), [await probe_source(toolchain, source)])
    abilities = await describe(toolchain)
    plan = compile_plan(query(), film, Means(abilities.encoders, THREADS))
    passes = [step for step in plan.steps if isinstance(step, Pass)]
    return [line for each in passes for line in commands(each, toolchain.ffmpeg, THREADS)]


def by_hand(toolchain: Toolchain, source: Path) -> list[tuple[str, ...]]:
    """One command for all rungs, split as best as can be."""
    pads = "".join(f"[in{lines}]" for lines in RUNGS)
    scaled = ";".join(f"[in{lines}]scale={size}[v{lines}]" for lines, size in RUNGS.items())
    outputs: list[str] = []
    for lines in RUNGS:
        outputs += ["-map", f"[v{lines}]", "-threads", f"{THREADS}", *_VIDEO, f"{lines}.mp4"]
    graph = f"[0:v]split={len(RUNGS)}{pads};{scaled}"
    sound = ("-map", "0:a?", *_SOUND, "sound.mp4") if _heard(source) else ()
    return [(*_opened(toolchain, source), "-filter_complex", graph, *outputs, *sound)]


def each_alone(toolchain: Toolchain, source: Path) -> list[tuple[str, ...]]:
    """One command a rung, sound and all."""
    return [
        (
            *_opened(toolchain, source),
            *("-map", "0:v", "-map", "0:a?", "-vf", f"scale={size}", "-threads", f"{THREADS}"),
            *(*_VIDEO, *_SOUND, f"{lines}.mp4"),
        )
        for lines, size in RUNGS.items()
    ]


class _Watcher:
    """Somebody has to be told."""

    def progress(self, percents: Mapping[str, float]) -> None:
        """Nobody waits for it."""

    async def landed(self, made: Produced) -> None:
        """Nobody stores it."""


def compete(folder: Path, toolchain: Toolchain, source: Path, rounds: int) -> dict[str, _Sample]:
    """Everybody's seconds, of CPU and by the clock; medians over the rounds."""
    ours = asyncio.run(planned(toolchain, source))
    hand, alone = by_hand(toolchain, source), each_alone(toolchain, source)
    encoder = FfmpegEncoder(toolchain, threads=THREADS, nice=0)

    def task(out: Path) -> None:
        inputs = Inputs((SourceFile(source),))
        asyncio.run(encoder.encode(query(), inputs, out, _Watcher()))

    contenders: dict[str, Callable[[Path], None]] = {
        "ours": lambda out: _run(ours, out),
        "one command by hand": lambda out: _run(hand, out),
        "one command a rung": lambda out: _run(alone, out),
        "ours, checked and packaged": task,
    }
    samples: dict[str, list[_Sample]] = {name: [] for name in contenders}
    for number, name in in_turns(list(contenders), rounds):
        out = folder / f"{number}-{len(samples[name])}-{name.replace(' ', '-')}"
        out.mkdir()
        samples[name].append(_timed(contenders[name], out))
    return {name: medians(taken) for name, taken in samples.items()}


def bench(folder: Path, seconds: int = SECONDS, rounds: int = ROUNDS) -> Result:
    """All of it, in ``folder``."""
    found = machine()
    check_room(folder, GIB)
    toolchain = find_toolchain()
    source = folder / "source.mp4"
    make_source(toolchain, source, seconds)
    figures = compete(folder, toolchain, source, rounds)
    ours, hand, alone = (figures[name] for name in list(figures)[:3])
    rows = [(name, f"{each['cpu']:.1f}", f"{each['wall']:.1f}") for name, each in figures.items()]
    print(table(("", "CPU s", "wall s"), rows))
    load = round(os.getloadavg()[0], 2)
    goals = {
        "CPU: 1.03 by hand / ours": Goal(1.0, 1.03 * hand["cpu"] / ours["cpu"]),
        "wall: 1.03 by hand / ours": Goal(1.0, 1.03 * hand["wall"] / ours["wall"]),
        "CPU: 0.7 a rung / ours": Goal(1.0, 0.7 * alone["cpu"] / ours["cpu"]),
    }
    return Result("ladder", {"machine": found, "load_after": load, **figures}, goals)


def _opened(toolchain: Toolchain, source: Path) -> tuple[str, ...]:
    threads = ("-threads", f"{THREADS}", "-filter_complex_threads", f"{THREADS}")
    return (f"{toolchain.ffmpeg}", "-v", "error", "-y", *threads, "-i", f"{source}")


def _heard(source: Path) -> bool:
    probe = asyncio.run(probe_source(find_toolchain(), source))
    return bool(probe.audio)


def _run(lines: list[tuple[str, ...]], out: Path) -> None:
    for line in lines:
        subprocess.run(line, cwd=out, check=True, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[Path], None], out: Path) -> _Sample:
    before, begun = _children(), time.perf_counter()
    work(out)
    return {"cpu": _children() - before, "wall": time.perf_counter() - begun}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result = bench(Path(folder))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
