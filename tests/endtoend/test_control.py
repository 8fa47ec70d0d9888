"""A job that runs in one process, steered from others."""

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.endtoend.conftest import MP4, clip, run, running, served
from tests.endtoend.programs import House

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def home(tmp_path: Path) -> House:
    """Four clips, called a to d, that are encoded one at a time."""
    home = House(tmp_path)
    clip(tmp_path / "clips" / "a.mp4")
    for name in "bcd":
        shutil.copy(tmp_path / "clips" / "a.mp4", tmp_path / "clips" / f"{name}.mp4")
    home.write_job(MP4 + "\n[limits]\nin_flight = 1\nuploads = 1\nupload_ahead = 1")
    return home


async def said(home: House, *args: str, code: int = 0) -> str:
    """What a command about the job prints; its exit code is checked."""
    async with asyncio.timeout(60):
        program = await home.start(args[0], "job.toml", *args[1:])
        assert await program.end() == code, program.output
    return program.output


def rows(home: House, query: str) -> list[tuple]:
    with sqlite3.connect(f"file:{home.ledger}?mode=ro", uri=True) as db:
        return db.execute(query).fetchall()


def states(home: House) -> dict[str, str]:
    return {Path(key).stem: state for key, state in rows(home, "SELECT key, state FROM items")}


@pytest.mark.slow
async def test_a_run_is_paused_reordered_cut_down_and_goes_on(home: House) -> None:
    async with served(home) as (_, proxy):
        proxy.hold("status")  # no encode ends
        async with running(home) as program:
            async with asyncio.timeout(60):
                await home.reach("encoding")
            assert "paused: nothing new" in await said(home, "pause")
            assert ": paused; began" in await said(home, "status")
            answer = await said(home, "prioritize", "--match", "*/d.mp4", "--priority", "9")
            assert "1 waiting item now has priority 9" in answer
            document = json.loads(await said(home, "cancel", "--match", "*/c.mp4", "--json"))
            assert document["changed"] == 1
            assert states(home)["c"] == "cancelled"
            assert "at most 2 encodes in flight" in await said(home, "limits", "--max-in-flight=2")
            proxy.release("status")
            async with asyncio.timeout(60):
                await home.reach("completed")
            assert "going on" in await said(home, "resume")
            async with asyncio.timeout(60):
                assert await program.end() == 0, program.output
        assert Counter(home.starts()) == Counter({"a.mp4": 1, "b.mp4": 1, "d.mp4": 1})
        delays = [
            answered - at for answered, at in rows(home, "SELECT answered_at, at FROM wishes")
        ]
        assert len(delays) == 5
        assert max(delays) < 2.0
        assert home.sound()


@pytest.mark.slow
async def test_what_was_cancelled_while_encoding_is_let_go_and_may_be_retried(home: House) -> None:
    async with served(home) as (_, proxy):
        proxy.hold("status")
        async with running(home) as program:
            async with asyncio.timeout(60):
                await home.reach("encoding")
            answer = await said(home, "cancel", "--match", "*")
            assert "4 cancelled" in answer
            assert "may still be finished and billed" in answer
            async with asyncio.timeout(20):
                assert await program.end() == 0, program.output
        proxy.release("status")
        assert set(states(home).values()) == {"cancelled"}
        # No run is under way now: the ledger is changed directly, and the next run does it.
        assert "no run of job is under way" in await said(home, "pause", code=1)
        assert "matches 'nothing'" in await said(home, "retry", "--match", "nothing", code=1)
        assert "2 items back to pending" in await said(home, "retry", "--match", "*/[ab].mp4")
        answer = await said(home, "prioritize", "--match", "*/b.mp4", "--priority", "8")
        assert "1 waiting item now has priority 8" in answer
        code, output = await run(home)
        assert code == 0, output
        assert states(home) == {
            "a": "completed",
            "b": "completed",
            "c": "cancelled",
            "d": "cancelled",
        }
        assert home.starts()[1:] == ["b.mp4", "a.mp4"]


@pytest.mark.slow
async def test_a_run_that_follows_takes_up_what_is_added_and_ends_by_ctrl_c(home: House) -> None:
    listed = home.folder / "list.txt"
    listed.write_text("clips/a.mp4\n")
    async with served(home):
        async with running(home, "--manifest", "list.txt", "--follow") as program:
            async with asyncio.timeout(60):
                await home.reach("completed")
            with listed.open("a") as file:
                file.write("clips/b.mp4\n")
            async with asyncio.timeout(60):
                while states(home) != {"a": "completed", "b": "completed"}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            program.interrupt()
            async with asyncio.timeout(30):
                assert await program.end() == 130, program.output
        assert "1 added to list.txt" in program.output
        assert home.starts() == ["a.mp4", "b.mp4"]
