"""Outputs of many files, from a run as a person makes it to the last segment on disk."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.endtoend.conftest import clip, run, running, served
from tests.endtoend.programs import House

pytestmark = pytest.mark.timeout(120)

JOB = """
payload = "{name}"
[[query.format]]
output = "advanced_hls"
segment_duration = 1
[[query.format.stream]]
size = "160x120"
keyframe = "1s"
tag = "120p"
[[query.format.stream]]
size = "80x60"
keyframe = "1s"
tag = "60p"
[[query.format]]
output = "thumbnails"
interval = 0.5
width = 40
image_format = "jpg"
sprite = 1
columns = 2
tag = "sprite"
[[query.format]]
output = "mp4"
height = 60
tag = "small"
"""

LADDER = {
    "playlist.m3u8",
    *(f"{name}/chunklist.m3u8" for name in ("video_1", "video_2", "audio_1")),
    *(
        f"{name}/segment_{number}.ts"
        for name in ("video_1", "video_2", "audio_1")
        for number in (1, 2)
    ),
}


@pytest.fixture
def ladders(home: House) -> House:
    for name in ("one", "two"):
        clip(home.folder / "clips" / f"{name}.mp4", seconds=2)
    job = home.write_job(JOB)
    job.write_text(job.read_text() + 'verify = "decode"\n')
    return home


def inside(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder: its size, and when it was written."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    }


def check(home: House) -> None:
    """Everything is there, and on record as it is there, nothing of it twice."""
    for name in ("one", "two"):
        found = inside(home.folder / "outputs" / name)
        ladder = {path for path in found if path.startswith("advanced_hls/")}
        assert ladder == {f"advanced_hls/{path}" for path in LADDER}
        assert set(found) - ladder == {"small.mp4", *(p for p in found if p.startswith("sprite/"))}
        assert sum(path.startswith("sprite/") for path in found) == 2
        with sqlite3.connect(home.ledger) as db:
            select = "SELECT o.size, o.path FROM outputs o JOIN items i ON i.id = o.item_id"
            rows = db.execute(f"{select} WHERE i.key LIKE ?", [f"%/{name}.mp4"]).fetchall()
        assert len(rows) == 4
        assert sum(size or 0 for size, _ in rows) == sum(size for size, _ in found.values())
        assert len({path for _, path in rows}) == 3


@pytest.mark.slow
async def test_ladders_sprites_and_files_are_collected_verified_and_left_alone(
    ladders: House,
) -> None:
    code, output = await run(ladders, "--service", "local")
    assert code == 0, output
    check(ladders)
    before = inside(ladders.folder / "outputs")
    code, output = await run(ladders, "--service", "local")
    assert code == 0
    assert "all 2 items are done already" in output
    assert inside(ladders.folder / "outputs") == before


async def some_segments(home: House) -> None:
    """Until some have been collected, and the run is not yet at its end."""
    while not any((home.folder / "outputs").rglob("segment_*.ts")):  # noqa: ASYNC110 - another process's
        await asyncio.sleep(0.005)


@pytest.mark.slow
async def test_killed_among_the_segments_it_goes_on(ladders: House) -> None:
    async with served(ladders) as (_, proxy):
        proxy.hold("video_2/segment_2")
        async with running(ladders) as program:
            async with asyncio.timeout(60):
                await proxy.reached["video_2/segment_2", "request"].wait()
                await some_segments(ladders)
            await program.kill()
        proxy.release("video_2/segment_2")
        there = inside(ladders.folder / "outputs")
        segments = {path: told for path, told in there.items() if path.endswith(".ts")}
        assert segments
        assert not any(path.endswith("playlist.m3u8") for path in there)
        code, output = await run(ladders)
        assert code == 0, output
        assert Counter(ladders.starts()) == Counter({"one.mp4": 1, "two.mp4": 1})
    check(ladders)
    after = inside(ladders.folder / "outputs")
    assert {path: after[path] for path in segments} == segments
