"""Helpers for tests that look at media: tiny clips, and what is really in a file.

Clips are coded: a frame's brightness is its number, so that a picture tells
when it was taken. They are lossless enough to survive scaling and encoding.
"""

import json
import subprocess
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.transcoder.toolchain import Toolchain, find_toolchain

#: Brightness per frame of ``coded_clip``: so far apart that an encoder can't blur them.
STEP = 3


@cache
def toolchain() -> Toolchain:
    """The programs that the product itself would use."""
    return find_toolchain()


def ffmpeg(*args: str | Path) -> bytes:
    """Run ffmpeg; the answer is its standard output. Raises where it fails."""
    command = [toolchain().ffmpeg, "-v", "error", "-nostdin", "-y", *args]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def probed(path: Path) -> dict[str, Any]:
    """ffprobe's JSON of a file: ``format`` and ``streams``."""
    command = [toolchain().ffprobe, "-v", "error", "-show_format", "-show_streams"]
    done = subprocess.run(
        [*command, "-of", "json", path], check=True, capture_output=True, timeout=60
    )
    return json.loads(done.stdout)


def stream(path: Path, kind: str) -> dict[str, Any] | None:
    """The first stream of a kind (``video``, ``audio``) of a file, None without one."""
    return next((each for each in probed(path)["streams"] if each["codec_type"] == kind), None)


def picture_seconds(path: Path) -> float:
    """How long a file's picture lasts, from the file's start to its last frame's end."""
    video = stream(path, "video")
    assert video is not None
    return float(video["start_time"]) + float(video["duration"])


def keyframe_times(path: Path) -> list[float]:
    """The times of a video's keyframes, in seconds."""
    packets = _packets(path, "pts_time,flags")
    return sorted(float(time) for time, flags in packets if "K" in flags)


def frame_times(path: Path) -> list[float]:
    """The times of a video's frames, in seconds, in order."""
    return sorted(float(packet[0]) for packet in _packets(path, "pts_time"))


def _packets(path: Path, fields: str) -> list[list[str]]:
    command = [toolchain().ffprobe, "-v", "error", "-select_streams", "v:0"]
    shown = ["-show_entries", f"packet={fields}", "-of", "csv=p=0"]
    done = subprocess.run([*command, *shown, path], check=True, capture_output=True, timeout=60)
    return [line.strip(",").split(",") for line in done.stdout.decode().split()]


def grey_frames(path: Path, width: int, height: int) -> list[bytes]:
    """Every frame of a video or an image, one byte of luma per pixel (16 to 235)."""
    shape = f"scale={width}:{height}:flags=area:out_range=tv,format=yuv420p,extractplanes=y"
    data = ffmpeg("-i", path, "-vf", shape, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    size = width * height
    return [data[at : at + size] for at in range(0, len(data), size)]


def colours(path: Path, width: int = 4, height: int = 4) -> list[tuple[int, int, int]]:
    """The pixels of a file's first frame, scaled to a small grid, as red, green, blue."""
    shape = f"format=rgb24,scale={width}:{height}:flags=area,format=rgb24"
    data = ffmpeg("-i", path, "-frames:v", "1", "-vf", shape, "-f", "rawvideo", "-")
    return [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]


def frame_numbers(path: Path) -> list[int]:
    """Which frames of a ``coded_clip`` a video or an image shows."""
    return [round((max(frame) - 20) / STEP) for frame in grey_frames(path, 1, 1)]


def coded_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    rate: str = "25",
    size: str = "320x240",
    sound: int = 0,
    gop: int = 20,
    options: tuple[str, ...] = (),
) -> Path:
    """A clip whose frames tell their number, with ``sound`` channels (0: no track).

    At most 70 frames, because brightness ends there.
    """
    assert seconds * Fraction(rate) <= 70
    picture = f"color=c=black:s={size}:r={rate},format=yuv420p,geq=lum='20+{STEP}*N':cb=128:cr=128"
    inputs: list[str | Path] = ["-f", "lavfi", "-i", picture]
    if sound:
        tones = "|".join(f"0.2*sin({300 + 100 * channel}*2*PI*t)" for channel in range(sound))
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[sound]
        inputs += ["-f", "lavfi", "-i", f"aevalsrc={tones}:c={layout}:s=48000"]
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "6", "-g", str(gop), "-bf", "2")
    ffmpeg(*inputs, "-t", str(seconds), *codec, "-c:a", "aac", *options, path)
    return path


def quadrants(path: Path, *, size: str = "320x240", options: tuple[str, ...] = ()) -> Path:
    """A short clip whose corners are red, green, blue and white, clockwise from the top left."""
    width, height = (int(side) for side in size.split("x"))
    half = f"{width // 2}x{height // 2}"
    inputs = [
        word
        for colour in ("red", "lime", "blue", "white")
        for word in ("-f", "lavfi", "-i", f"color=c={colour}:s={half}:r=10:d=0.5")
    ]
    grid = "[0][1][2][3]xstack=inputs=4:layout=0_0|w0_0|w0_h0|0_h0,format=yuv420p"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "6")
    ffmpeg(*inputs, "-filter_complex", grid, *codec, *options, path)
    return path


def loudness(path: Path) -> int:
    """The largest sample of a file's sound, 0 to 32768."""
    data = ffmpeg("-i", path, "-map", "0:a:0", "-ac", "1", "-f", "s16le", "-")
    samples = memoryview(data[: len(data) // 2 * 2]).cast("h")
    return max((abs(sample) for sample in samples), default=0)


def children() -> list[int]:
    """The processes that this one has started and that are still there (Linux).

    Servers that tests share run on Node.js and stay until the end.
    """
    threads = Path("/proc/self/task").iterdir()
    started = [pid for thread in threads for pid in _text(thread / "children").split()]
    return [int(pid) for pid in started if _text(Path(f"/proc/{pid}/comm")).strip() != "node"]


def _text(path: Path) -> str:
    """What the kernel says there; nothing when the thread or process has just ended."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
