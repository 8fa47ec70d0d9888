"""Encoded tracks for packaging, and a look at what came out of it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.media import ffmpeg, toolchain

SECONDS = 3
RATE = 25
FRAMES = SECONDS * RATE

_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0")
_HEVC = (
    *("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"),
    *("-x265-params", "log-level=error:scenecut=0:open-gop=0"),
)
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "100k")
_VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "100k")
_AV1 = ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "keyint=25")

#: File name: what ffmpeg is to make of the picture or the sound.
TRACKS: dict[str, tuple[str, ...]] = {
    "small.mp4": (*_X264, "-s", "160x90"),
    "large.mp4": (*_X264, "-s", "320x180"),
    "hevc.mp4": (*_HEVC, "-s", "160x90"),
    "av1.mp4": (*_AV1, "-s", "160x90"),
    "vp9.webm": (*_VP9, "-s", "160x90"),
    "vp8.webm": (*_VP8, "-s", "160x90"),
    "aac.mp4": ("-c:a", "aac", "-b:a", "64k"),
    "loud.mp4": ("-c:a", "aac", "-b:a", "128k"),
    "opus.mp4": ("-c:a", "libopus", "-b:a", "48k"),
    "opus.webm": ("-c:a", "libopus", "-b:a", "48k"),
    "vorbis.webm": ("-c:a", "libvorbis"),
    "flac.mp4": ("-c:a", "flac"),
    "mp3.mp4": ("-c:a", "libmp3lame", "-b:a", "64k"),
}

SUBTITLES = """\
WEBVTT

STYLE
::cue { color: lime }

00:00.500 --> 00:01.500 line:0
Hello <b>there</b>

NOTE 00:00.000 --> 00:09.000 is no cue

two
00:00:02.200 --> 00:00:02.800
General Kenobi
"""


def make_track(folder: Path, name: str) -> Path:
    """One of ``TRACKS``: three seconds, a keyframe each second."""
    picture = f"testsrc2=s=320x180:r={RATE}:d={SECONDS}"
    sound = f"aevalsrc=0.1*sin(440*2*PI*t)|0.1*sin(550*2*PI*t):s=48000:d={SECONDS}"
    options = TRACKS[name]
    source = picture if "-c:v" in options else sound
    gop = ("-g", str(RATE)) if source == picture and "libsvtav1" not in options else ()
    path = folder / name
    ffmpeg("-f", "lavfi", "-i", source, *options, *gop, path)
    return path


Tracks = Callable[[str], Path]


def decoded_frames(playlist: Path, *options: str, kind: str = "v") -> int:
    """How many frames ffmpeg decodes of a playlist or a manifest, without any complaint."""
    command = [toolchain().ffmpeg, "-v", "warning", "-nostdin", *_TRUST, *options, "-i", playlist]
    counted = ["-map", f"0:{kind}:0", "-f", "framecrc", "-"]
    done = subprocess.run([*command, *counted], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if not _is_harmless(line)]
    assert done.returncode == 0, complaints
    assert not complaints
    return sum(not line.startswith("#") for line in done.stdout.splitlines())


#: All files here are ours; the demuxers ask to be told so.
_TRUST = ("-allowed_extensions", "ALL", "-extension_picky", "0", "-protocol_whitelist", "file,crypto,data,http,tcp")


def _is_harmless(line: str) -> bool:
    return not line.strip()


def sound_seconds(playlist: Path, *options: str, index: int = 0) -> float:
    """How long the sound of a playlist is, decoded."""
    command = [toolchain().ffmpeg, "-v", "error", "-nostdin", *_TRUST, *options, "-i", playlist]
    shape = ["-map", f"0:a:{index}", "-ac", "1", "-ar", "8000", "-f", "s16le", "-"]
    done = subprocess.run([*command, *shape], check=True, capture_output=True, timeout=60)
    return len(done.stdout) / 16000
