"""Encoded tracks for packaging, and a look at what came out of it."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.transcoder.packaging import (
    Packaging,
    Packing,
    Rendition,
    Track,
    write_manifests,
)
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


async def package(folder: Path, packing: Packing, *tracks: Track) -> tuple[Rendition, ...]:
    """Package all tracks, and write the masters beside them."""
    packaging = Packaging(toolchain(), packing, folder)
    made = tuple([await packaging.add(track) for track in tracks])
    await write_manifests(folder, made, packing)
    return made


def files_in(folder: Path, pattern: str = "*") -> list[str]:
    """The paths below a folder, hidden ones too, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(pattern))


#: Options of inputs by suffix. All files here are ours; the HLS demuxer asks to be told so.
_TRUST = {
    ".m3u8": (
        *("-allowed_extensions", "ALL", "-extension_picky", "0"),
        *("-protocol_whitelist", "file,crypto,data,http,tcp"),
    ),
    ".mpd": ("-allowed_extensions", "ALL"),
}


def decoded_frames(path: Path, *options: str, kind: str = "v") -> int:
    """How many frames ffmpeg decodes of a playlist, a manifest or a file, with no error."""
    counted = ["-map", f"0:{kind}:0", "-f", "framecrc", "-"]
    done = _decoded(path, options, counted)
    assert not done.stderr, done.stderr
    return sum(not line.startswith(b"#") for line in done.stdout.splitlines())


def packets(path: Path) -> list[str]:
    """Size and checksum of each of the picture's packets, as ffmpeg's decoder would get them."""
    copied = ["-map", "0:v:0", "-c", "copy", "-f", "framecrc", "-"]
    lines = _decoded(path, (), copied).stdout.decode().splitlines()
    return [
        line.split(",", 5)[4].strip() + line.split(",", 6)[5] for line in lines if line[0] != "#"
    ]


def sound_seconds(path: Path, *options: str) -> float:
    """How long the first sound of a playlist, a manifest or a file is, decoded."""
    shape = ["-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "s16le", "-"]
    return len(_decoded(path, options, shape).stdout) / 16000


def _decoded(
    path: Path, options: Sequence[str], wanted: Sequence[str]
) -> subprocess.CompletedProcess[bytes]:
    command = [toolchain().ffmpeg, "-v", "error", "-nostdin", *_TRUST.get(path.suffix, ())]
    return subprocess.run(
        [*command, *options, "-i", path, *wanted], check=True, capture_output=True, timeout=60
    )
