"""kill -9 at every point where it could hurt: nothing lost, nothing started twice.

The engine's process is killed; the service lives on behind a proxy that holds a
request for as long as the kill takes, so that each crash hits its point exactly.
"""

import asyncio
import random
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.endtoend.conftest import run, running, served
from tests.endtoend.programs import House
from tests.endtoend.proxy import ANSWER, REQUEST, Proxy

pytestmark = pytest.mark.timeout(120)


async def finishes(home: House) -> None:
    """A rerun finishes; every clip was started once; every output is there, whole."""
    code, output = await run(home)
    assert code == 0, output
    assert Counter(home.starts()) == Counter({"one.mp4": 1, "two.mp4": 1})
    for name in ("one", "two"):
        collected = home.folder / "outputs" / name / "small.mp4"
        assert collected.stat().st_size > 1000
    assert not list(home.folder.rglob("*.part"))
    assert home.sound()


async def killed_at(home: House, proxy: Proxy, word: str, at: str) -> None:
    """Run until a request whose path has ``word`` is held at ``at``; kill; let go."""
    proxy.hold(word, at)
    async with running(home) as program:
        async with asyncio.timeout(60):
            await proxy.reached[word, at].wait()
        await program.kill()
    proxy.release(word, at)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "at"),
    [
        ("access_token", REQUEST),
        ("create_task", ANSWER),
        ("upload_file", REQUEST),
        ("upload_file", ANSWER),
        ("start_encode2", REQUEST),
        ("start_encode2", ANSWER),
        ("status", REQUEST),
        ("download", REQUEST),
        ("download", ANSWER),
    ],
)
async def test_killed_around_a_request(home: House, word: str, at: str) -> None:
    async with served(home) as (_, proxy):
        await killed_at(home, proxy, word, at)
        await finishes(home)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["uploading", "encoding", "collecting"])
async def test_killed_as_soon_as_a_state_is_on_record(home: House, state: str) -> None:
    async with served(home):
        async with running(home) as program:
            async with asyncio.timeout(60):
                await home.reach(state)
            await program.kill()
        await finishes(home)


@pytest.mark.slow
async def test_killed_in_the_middle_of_a_large_upload(home: House) -> None:
    padded = home.folder / "clips" / "two.mp4"
    with padded.open("ab") as file:
        size = 24 * 2**20
        file.write(size.to_bytes(4, "big") + b"free" + bytes(size - 8))  # a box of padding
    async with served(home) as (_, proxy):
        async with running(home) as program:
            async with asyncio.timeout(60):
                await proxy.count("PATCH upload_file", 5)
            await program.kill()
        sent = proxy.seen["PATCH upload_file"]
        await finishes(home)
        # Chunks are of 1 MiB: what had arrived was not sent again.
        assert proxy.seen["PATCH upload_file"] - sent <= 25 - (sent - 5)
        assert proxy.seen["HEAD upload_file"] >= 1


@pytest.mark.slow
async def test_a_service_restarted_in_the_middle_is_waited_for(home: House) -> None:
    async with served(home) as (service, proxy), running(home) as program:
        async with asyncio.timeout(60):
            await home.reach("encoding")
        await service.kill()
        again, url = await home.serve(str(proxy.upstream.host) + f":{proxy.upstream.port}")
        assert url == str(proxy.upstream).rstrip("/")
        try:
            async with asyncio.timeout(60):
                assert await program.end() == 0, program.output
            await finishes(home)
        finally:
            await again.kill()


@pytest.mark.slow
async def test_the_service_inside_the_run_dies_with_it_and_goes_on(home: House) -> None:
    args = ("--service", "local")
    async with running(home, *args) as program:
        async with asyncio.timeout(60):
            await home.reach("encoding")
        await program.kill()
    code, output = await run(home, *args)
    assert code == 0, output
    assert sorted(home.starts("local")) == ["one.mp4", "two.mp4"]
    assert (home.folder / "outputs" / "one" / "small.mp4").exists()
    assert not _ffmpegs_in(home.folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_killed_at_random_moments_again_and_again(home: House) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    clips = [f"more-{number}.mp4" for number in range(10)]
    for name in clips:
        shutil.copy(home.folder / "clips" / "one.mp4", home.folder / "clips" / name)
    async with served(home):
        for _ in range(20):
            async with running(home) as program:
                with suppress(TimeoutError):
                    await asyncio.wait_for(program.process.wait(), moments.uniform(1.0, 4.0))
            assert home.sound()
        code, output = await run(home)
        assert code == 0, output
        assert Counter(home.starts()) == Counter(["one.mp4", "two.mp4", *clips])
        made = {path.parent.name for path in home.folder.glob("outputs/*/small.mp4")}
        assert made == {"one", "two", *(Path(name).stem for name in clips)}


def _ffmpegs_in(folder: Path) -> list[str]:
    """Command lines of processes that still work in ``folder``."""
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [line.decode(errors="replace") for line in lines if str(folder).encode() in line]
