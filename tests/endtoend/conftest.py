"""A folder to work in, and clips in it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.transcoder.toolchain import find_toolchain
from tests.endtoend.programs import House, Program
from tests.endtoend.proxy import Proxy

MP4 = """
payload = "{name}"
[[query.format]]
output = "mp4"
height = 120
tag = "small"
"""


def clip(path: Path, *, seconds: float = 1.0, sound: bool = True, size: str = "160x120") -> Path:
    """A short generated clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = ["-f", "lavfi", "-i", f"sine=440:duration={seconds}"] if sound else []
    subprocess.run(
        [
            str(find_toolchain().ffmpeg),
            *("-v", "error", "-y", "-f", "lavfi"),
            *("-i", f"testsrc2=size={size}:rate=25:duration={seconds}"),
            *tone,
            *("-c:v", "libx264", "-preset", "ultrafast", str(path)),
        ],
        check=True,
    )
    return path


@pytest.fixture
def home(tmp_path: Path) -> House:
    """A folder with two clips and a job that makes small MP4s of them."""
    home = House(tmp_path)
    for name in ("one", "two"):
        clip(tmp_path / "clips" / f"{name}.mp4")
    home.write_job(MP4)
    return home


Served = Callable[[House], "AsyncIterator[tuple[Program, Proxy]]"]


@asynccontextmanager
async def served(home: House) -> AsyncIterator[tuple[Program, Proxy]]:
    """``orchestrator serve`` in another process, and a proxy in front of it."""
    service, url = await home.serve()
    try:
        async with Proxy(url) as proxy:
            home.write_config(proxy.url)
            yield service, proxy
    finally:
        if service.process.returncode is None:
            await service.kill()


@asynccontextmanager
async def running(home: House, *args: str) -> AsyncIterator[Program]:
    """``orchestrator run``; killed at the end if it still runs."""
    program = await home.start("run", "job.toml", *args)
    try:
        yield program
    finally:
        if program.process.returncode is None:
            await program.kill()


async def run(home: House, *args: str) -> tuple[int, str]:
    """``orchestrator run`` to its end; exit code and output."""
    async with asyncio.timeout(100):
        program = await home.start("run", "job.toml", *args)
        return await program.end(), program.output
