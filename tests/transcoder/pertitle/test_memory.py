"""What was measured is found again, by what the file holds; damage is no trouble."""

import os
from pathlib import Path

from orchestrator.transcoder.pertitle.memory import Curves, identity, key_of
from orchestrator.transcoder.pertitle.search import Point

POINTS = [Point(23.0, 95.5, 1000), Point(27.5, 93.1, 700)]


def test_points_come_back(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "curves")
    key = key_of(["abc"], "scale=2:2", 23)
    assert curves.load(key) == {}
    curves.save(key, POINTS)
    assert Curves(tmp_path / "curves").load(key) == {point.crf: point for point in POINTS}
    assert curves.load(key_of(["abc"], "scale=4:4", 23)) == {}


def test_a_damaged_file_is_measured_again(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    for text in ("", "{}", "[[1]]", "[1, 2]", '[["a", 1, 2]]', "\0"):
        (tmp_path / "key.json").write_text(text)
        assert curves.load("key") == {}


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    curves = Curves(tmp_path, most=10)
    for number in range(11):
        curves.save(f"{number}", POINTS)
        if number < 10:
            os.utime(tmp_path / f"{number}.json", (number, number))
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {f"{number}" for number in range(2, 11)}


def test_an_unwritable_folder_costs_nothing_but_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    curves = Curves(tmp_path / "file")
    curves.save("key", POINTS)
    assert curves.load("key") == {}


def test_a_file_is_known_by_what_it_holds(tmp_path: Path) -> None:
    data = os.urandom(9_000_000)
    first, copy, other = (tmp_path / name for name in ("first", "copy", "other"))
    first.write_bytes(data)
    copy.write_bytes(data)
    os.utime(copy, (1, 1))
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert identity(first) == identity(copy) != identity(other)
    (tmp_path / "empty").touch()
    assert identity(tmp_path / "empty") != identity(first)
