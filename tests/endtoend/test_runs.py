"""Runs as a person makes them: exit codes, words, outputs."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from tests.endtoend.conftest import MP4, clip, run, running, served
from tests.endtoend.programs import House

pytestmark = pytest.mark.timeout(120)

LOCAL = ("--service", "local")


def made(home: House) -> dict[str, int]:
    """What was collected, and when it was written."""
    outputs = home.folder / "outputs"
    files = (path for path in outputs.rglob("*") if path.is_file())
    return {str(path.relative_to(outputs)): path.stat().st_mtime_ns for path in files}


async def test_a_job_runs_to_its_end_and_a_rerun_has_nothing_to_do(home: House) -> None:
    code, output = await run(home, *LOCAL)
    assert code == 0, output
    before = made(home)
    assert set(before) == {"one/small.mp4", "two/small.mp4"}
    code, output = await run(home, *LOCAL)
    assert code == 0
    assert "all 2 items are done already" in output
    assert made(home) == before


@pytest.mark.slow
async def test_a_broken_file_fails_alone_with_a_reason(home: House) -> None:
    (home.folder / "clips" / "broken.mp4").write_bytes(b"this is not a video" * 100)
    code, output = await run(home, *LOCAL)
    assert code == 1
    assert "broken.mp4" in output
    assert "not" in output
    assert "/clips/one.mp4" not in output.split("Failed")[-1]
    assert (home.folder / "outputs" / "one" / "small.mp4").exists()
    assert not (home.folder / "outputs" / "broken").exists()
    code, output = await run(home, *LOCAL)
    assert code == 1  # still failed, and still said
    assert "broken.mp4" in output


@pytest.mark.slow
async def test_a_changed_source_is_encoded_again(home: House) -> None:
    await run(home, *LOCAL)
    clip(home.folder / "clips" / "one.mp4", seconds=2)
    code, _ = await run(home, *LOCAL)
    assert code == 0
    with sqlite3.connect(home.ledger) as db:
        rows = dict(db.execute("SELECT key, attempts FROM items"))
    assert {Path(key).name: tries for key, tries in rows.items()} == {"one.mp4": 2, "two.mp4": 1}


@pytest.mark.slow
async def test_a_changed_query_is_encoded_again(home: House) -> None:
    await run(home, *LOCAL)
    home.write_job(MP4.replace("120", "60"))
    code, _ = await run(home, *LOCAL)
    assert code == 0
    with sqlite3.connect(home.ledger) as db:
        assert [tries for (tries,) in db.execute("SELECT attempts FROM items")] == [2, 2]


@pytest.mark.slow
async def test_bad_input_is_said_before_anything_starts(home: House) -> None:
    (home.folder / "list.csv").write_text(
        "source,priority\nclips/one.mp4,9\nclips/gone.mp4,5\nclips/one.mp4,fast\n"
    )
    code, output = await run(home, *LOCAL, "--manifest", "list.csv")
    assert code == 2
    assert "list.csv:3" in output
    assert "list.csv:4" in output
    assert not (home.folder / "outputs").exists()
    code, output = await run(home, *LOCAL, "--manifest", "list.csv", "--keep-going")
    assert code == 1
    assert (home.folder / "outputs" / "one" / "small.mp4").exists()


@pytest.mark.slow
async def test_two_rows_for_one_folder_are_refused(home: House) -> None:
    clip(home.folder / "more" / "one.mp4")
    (home.folder / "list.txt").write_text("clips/one.mp4\nmore/one.mp4\n")
    code, output = await run(home, *LOCAL, "--manifest", "list.txt")
    assert code == 2
    assert "list.txt:2" in output
    assert "same folder" in output


@pytest.mark.slow
async def test_limit_and_dry_run(home: House) -> None:
    code, output = await run(home, *LOCAL, "--dry-run")
    assert code == 0
    assert "one.mp4" in output
    assert not home.ledger.exists()
    code, _ = await run(home, *LOCAL, "--limit", "1")
    with sqlite3.connect(home.ledger) as db:
        states = sorted(state for (state,) in db.execute("SELECT state FROM items"))
    assert states == ["completed", "pending"]
    assert code == 0


@pytest.mark.slow
async def test_a_bad_key_is_an_account_problem(home: House) -> None:
    async with served(home):
        config = home.folder / "config.toml"
        config.write_text(config.read_text().replace('"${env:REMOTE_KEY}"', '"another-key"'))
        code, output = await run(home)
        assert code == 3
        assert "another-key" not in output
        with sqlite3.connect(home.ledger) as db:
            assert db.execute("SELECT DISTINCT state FROM items").fetchall() == [("pending",)]


@pytest.mark.slow
async def test_a_secret_that_is_not_set_is_said_before_anything_starts(home: House) -> None:
    home.write_job(
        MP4 + 'destination = { url = "s3://h/b/{name}", key = "k", secret = "${env:NO}" }'
    )
    code, output = await run(home, *LOCAL)
    assert code == 2
    assert "query.format[0].destination.secret" in output
    assert "NO is not set" in output
    code, output = await run(home, "--service", "qencode")
    assert code == 2
    assert "QENCODE_API_KEY is not set" in output
    assert not home.ledger.exists()


async def test_an_interrupt_drains_and_a_rerun_goes_on(home: House) -> None:
    async with served(home):
        async with running(home) as program:
            async with asyncio.timeout(60):
                await home.reach("encoding")
            program.interrupt()
            async with asyncio.timeout(20):
                assert await program.end() == 130
        assert "Stopping" in program.output
        code, output = await run(home)
        assert code == 0, output
        assert sorted(home.starts()) == ["one.mp4", "two.mp4"]


@pytest.mark.slow
async def test_a_second_process_is_refused(home: House) -> None:
    async with served(home) as (_, proxy):
        proxy.hold("status")
        async with running(home) as program:
            async with asyncio.timeout(60):
                await home.reach("encoding")
            code, output = await run(home)
            assert code == 4
            assert str(program.process.pid) in output


@pytest.mark.slow
async def test_json_is_one_document_on_stdout(home: House) -> None:
    program = await home.start("run", "job.toml", *LOCAL, "--json")
    assert await program.end() == 0
    outcome = json.loads(program.output)
    assert outcome["counts"]["completed"] == 2


@pytest.mark.slow
async def test_no_secret_is_left_anywhere(home: House) -> None:
    async with served(home):
        code, output = await run(home, "-v")
        assert code == 0
    for path in (home.folder / ".orchestrator").rglob("*"):
        if path.is_file() and "serve" not in path.parts:
            assert b"key-of-the-tests" not in path.read_bytes(), path
    assert "key-of-the-tests" not in output
