"""What a manifest is given while its run goes on."""

import asyncio
import os
from pathlib import Path

import pytest

from orchestrator.ledger import Ingested
from orchestrator.manifest import read
from orchestrator.model.decisions import Action
from orchestrator.model.items import Problem, Row
from orchestrator.wiring import following
from orchestrator.wiring.beside import beside
from orchestrator.wiring.following import Follower, Seen


class Told:
    """A ledger that takes every row but those whose key is in ``bad``."""

    def __init__(self, manifest: Path, bad: tuple[str, ...] = ()) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self.looks = 0
        self.bad = bad
        seen = Seen()
        self.follower = Follower(
            str(manifest), seen, lambda: read(str(manifest)), self.take, self.look, self.note
        )
        self.first = [row.key for row in seen.noting(read(str(manifest)))]
        self._changed = asyncio.Event()

    async def take(self, rows):
        good = [row for row in rows if row.key not in self.bad]
        self.rows += good
        problems = tuple(Problem("m", "is no good", key=r.key) for r in rows if r.key in self.bad)
        return Ingested(len(good), True, {Action.NEW: len(good)}, problems, len(problems))

    def look(self):
        self.looks += 1
        self._changed.set()

    def note(self, message):
        self.notes.append(message)
        self._changed.set()

    async def until(self, what):
        async with asyncio.timeout(20):
            while not what():
                self._changed.clear()
                await self._changed.wait()

    @property
    def names(self):
        return [Path(row.source or "").name for row in self.rows]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    for name, seconds in (("LOOK", 0.02), ("READ", 0.1), ("QUIET", 0.06), ("RESTLESS", 0.4)):
        monkeypatch.setattr(following, name, seconds)


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()

    def make(*names):
        for name in names:
            path = folder / f"{name}.mp4"
            path.write_bytes(b"x")
            os.utime(path, (1e9, 1e9))
        return folder

    return make


async def test_rows_that_are_added_to_a_list_are_taken_in_once(tmp_path, media):
    media("a", "b", "c")
    manifest = tmp_path / "list.txt"
    manifest.write_text("in/a.mp4\n")
    told = Told(manifest)
    async with beside(told.follower.run()):
        with manifest.open("a") as file:
            file.write("in/b.mp4\n")
        await told.until(lambda: told.names == ["b.mp4"])
        with manifest.open("a") as file:
            file.write("in/c.mp4\nin/gone.mp4\n")
        await told.until(lambda: told.names == ["b.mp4", "c.mp4"] and len(told.notes) == 3)
        assert sum("does not exist" in note for note in told.notes) == 1
        media("gone")  # the missing source is put in place: no line is changed for that
        await told.until(lambda: told.names == ["b.mp4", "c.mp4", "gone.mp4"])
    assert told.looks == 3
    assert "1 added to list.txt" in told.notes


async def test_a_changed_row_is_handed_on_and_a_moved_one_is_not(tmp_path, media):
    media("a", "b", "c")
    manifest = tmp_path / "list.csv"
    manifest.write_text("source,priority\nin/a.mp4,5\nin/b.mp4,5\n")
    told = Told(manifest)
    async with beside(told.follower.run()):
        manifest.write_text("source,priority\nin/c.mp4,5\nin/b.mp4,9\nin/a.mp4,5\n")
        await told.until(lambda: len(told.rows) == 2)
    assert [(row.key[-5:], row.priority) for row in told.rows] == [("c.mp4", 5), ("b.mp4", 9)]


async def test_files_that_are_put_into_a_folder_are_taken_in_when_they_are_whole(media):
    folder = media("a")
    told = Told(folder)
    async with beside(told.follower.run()):
        growing = folder / "growing.mp4"
        growing.write_bytes(b"x")
        media("b")
        await told.until(lambda: told.names == ["b.mp4"])
        os.utime(growing, (1e9, 1e9))
        await told.until(lambda: told.names == ["b.mp4", "growing.mp4"])
    assert len(told.first) == 1


async def test_a_file_that_never_rests_is_read_but_for_its_last_row(tmp_path, media):
    media(*"abcdefgh")
    manifest = tmp_path / "list.txt"
    manifest.write_text("in/a.mp4\n")
    told = Told(manifest)

    async def restless():
        with manifest.open("a", buffering=1) as file:
            while True:
                for name in "bcdefgh":
                    file.write(f"in/{name}.mp4\n" if len(told.rows) < 3 else "# waiting\n")
                    await asyncio.sleep(0.03)

    async with beside(told.follower.run(), restless()):
        await told.until(lambda: len(told.rows) >= 3)
    assert told.names[0] == "b.mp4"


async def test_bad_rows_are_told_once(tmp_path, media):
    media("a", "b", "c")
    manifest = tmp_path / "list.txt"
    manifest.write_text("in/a.mp4\n")
    bad = str(tmp_path / "in" / "b.mp4")
    told = Told(manifest, bad=(bad,))
    async with beside(told.follower.run()):
        manifest.write_text("in/a.mp4\nin/b.mp4\n")
        await told.until(lambda: len(told.notes) == 1)
        manifest.write_text("in/a.mp4\nin/b.mp4\nin/c.mp4\n")
        await told.until(lambda: told.names == ["c.mp4"])
    assert sum("left out until it is mended: m: is no good" in note for note in told.notes) == 1


def test_what_is_known_survives_being_put_in_order():
    rows = [Row(f"k{number}", f"/m/{number}.mp4") for number in range(1000)]
    seen = Seen()
    assert list(seen.noting(rows[:500])) == rows[:500]
    seen.settle()
    assert seen.unknown(rows) == rows[500:]
    assert seen.unknown(rows) == []
    seen.settle()
    assert seen.unknown(rows) == []
    problem = Problem("m", "is bad")
    assert seen.unknown([problem, problem]) == [problem, problem]
