"""Folders and patterns."""

import os
from pathlib import Path

import pytest

from orchestrator.manifest.scan import has_magic, pattern_root
from tests.manifest.support import all_of, media


def names(folder: Path, where: str | Path) -> list[str]:
    rows, problems = all_of(where)
    assert problems == []
    return [str(row.source).removeprefix(f"{folder}/") for row in rows]


def test_files_first_then_folders_each_sorted(tmp_path: Path) -> None:
    media(
        tmp_path, "b/2.mov", "b.mov", "a/z/3.mov", "a/1.mov", "B.MOV", "a.wav", "é.mkv", "c.d/e.ts"
    )
    rows, problems = all_of(tmp_path)
    assert problems == []
    assert [(row.source, row.fields["parent"]) for row in rows] == [
        (f"{tmp_path}/B.MOV", "."),
        (f"{tmp_path}/a.wav", "."),
        (f"{tmp_path}/b.mov", "."),
        (f"{tmp_path}/é.mkv", "."),
        (f"{tmp_path}/a/1.mov", "a"),
        (f"{tmp_path}/a/z/3.mov", "a/z"),
        (f"{tmp_path}/b/2.mov", "b"),
        (f"{tmp_path}/c.d/e.ts", "c.d"),
    ]
    assert {row.line for row in rows} == {0}
    assert all(row.key == row.source and row.size == 5 and row.fingerprint for row in rows)


def test_what_is_no_media_hidden_or_unfinished_is_left_out(tmp_path: Path) -> None:
    media(
        tmp_path,
        *("a.mov", "a.srt", "poster.jpg", "mov", "notes.txt", "noext"),
        *(".b.mov", ".a.mov.X1y2Z3", "._a.mov", ".cache/c.mov"),
        *("d.mov.part", "e.mov.crdownload", "f.mov.tmp", "g.mov.download", "h.mov~", "i.mov.aria2"),
        *("lost+found/j.mov", "@eaDir/a.mov", "#recycle/k.mov"),
        # A browser keeps l.mov's place while l.mov.part grows.
        *("l.mov", "l.mov.part"),
    )
    assert names(tmp_path, tmp_path) == ["a.mov"]


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    media(tmp_path, "lib/a.mov", "store/b.mov")
    (tmp_path / "lib/c.mov").symlink_to(tmp_path / "store/b.mov")
    (tmp_path / "lib/more").symlink_to(tmp_path / "store")
    assert names(tmp_path, tmp_path / "lib") == ["lib/a.mov", "lib/c.mov", "lib/more/b.mov"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    media(tmp_path, "a/b/1.mov", "c/2.mov")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/b/self").symlink_to(".")
    (tmp_path / "a/b/nothing").symlink_to("nothing")
    (tmp_path / "a/other").symlink_to(tmp_path / "c")
    (tmp_path / "c/back").symlink_to(tmp_path / "a")
    assert names(tmp_path, tmp_path) == [
        *("a/b/1.mov", "a/other/2.mov", "c/2.mov", "c/back/b/1.mov")
    ]


def test_a_link_to_nothing_and_an_empty_file_are_problems(tmp_path: Path) -> None:
    media(tmp_path, "b.mov")
    (tmp_path / "a.mov").symlink_to("nowhere.mov")
    (tmp_path / "c.mov").touch()
    rows, (broken, empty) = all_of(tmp_path)
    assert [row.fields["name"] for row in rows] == ["b.mov"]
    assert (broken.file, broken.line, broken.field) == (str(tmp_path), 0, "source")
    assert broken.message == f"{tmp_path}/a.mov is a link to a file that does not exist"
    assert empty.message == f"{tmp_path}/c.mov is empty"
    assert empty.key == f"{tmp_path}/c.mov"


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    media(tmp_path, "b.mov")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mov")).write_bytes(b"media")
    rows, (problem,) = all_of(tmp_path)
    assert [row.fields["name"] for row in rows] == ["b.mov"]
    assert problem.message == rf"the name of {tmp_path}/\udcff.mov is not UTF-8"
    str(problem).encode()


def test_a_tree_deeper_than_the_stack(tmp_path: Path) -> None:
    folders = [Path(f"{tmp_path}/" + "d/" * depth) for depth in range(1, 1201)]
    for folder in folders:
        folder.mkdir()
    (film,) = media(tmp_path, "a.mov")
    film = film.rename(folders[-1] / "a.mov")
    try:
        assert names(tmp_path, tmp_path) == ["d/" * 1200 + "a.mov"]
    finally:
        # The removal of temporary folders recurses, so this one can't be left to it.
        film.unlink()
        for folder in reversed(folders):
            folder.rmdir()


@pytest.mark.parametrize("where", [".", "sub"])
def test_a_folder_without_media(tmp_path: Path, where: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "notes.txt").touch()
    _, (problem,) = all_of(tmp_path / where)
    assert (problem.line, problem.message) == (0, "no media file in this folder or below")
    assert problem.hint


TREE = ("a.mov", "a.mkv", "a.xyz", "x/b.mov", "x/y/c.mov", "x/y/z/d.mkv", "w/b.mov", "x/.h/e.mov")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.mov", ["a.mov"]),
        ("*", ["a.mkv", "a.mov"]),
        ("*.xyz", ["a.xyz"]),
        ("a.m*", ["a.mkv", "a.mov"]),
        ("?.[m]ov", ["a.mov"]),
        ("*/b.mov", ["w/b.mov", "x/b.mov"]),
        ("**/*.mov", ["a.mov", "w/b.mov", "x/b.mov", "x/y/c.mov"]),
        ("**", ["a.mkv", "a.mov", "w/b.mov", "x/b.mov", "x/y/c.mov", "x/y/z/d.mkv"]),
        ("x/**/*.m*", ["x/b.mov", "x/y/c.mov", "x/y/z/d.mkv"]),
        ("**/y/**/*.mkv", ["x/y/z/d.mkv"]),
        ("**/y/*", ["x/y/c.mov"]),
        ("[wx]/*", ["w/b.mov", "x/b.mov"]),
        ("x/.h/*.mov", ["x/.h/e.mov"]),
        ("x/./y/../*.mov", ["x/b.mov"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, found: list[str]) -> None:
    media(tmp_path, *TREE)
    assert names(tmp_path, f"{tmp_path}/{pattern}") == found


def test_the_parent_of_what_a_pattern_finds(tmp_path: Path) -> None:
    media(tmp_path, *TREE)
    rows, _ = all_of(f"{tmp_path}/x/**/*.mov")
    assert [row.fields["parent"] for row in rows] == [".", "y"]
    rows, _ = all_of(f"{tmp_path}/x/**/*.mov", base=tmp_path)
    assert [row.fields["parent"] for row in rows] == ["x", "x/y"]


def test_a_pattern_does_not_enter_what_it_can_not_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media(tmp_path, *TREE)
    entered: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        entered.append(path.removeprefix(str(tmp_path)))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert names(tmp_path, f"{tmp_path}/x/y*/*.mov") == ["x/y/c.mov"]
    assert entered == ["/x", "/x/y"]


@pytest.mark.parametrize("pattern", ["*.mp4", "nowhere/*.mov", "**/*.webm"])
def test_a_pattern_that_finds_nothing(tmp_path: Path, pattern: str) -> None:
    media(tmp_path, *TREE)
    _, problems = all_of(f"{tmp_path}/{pattern}")
    assert len(problems) == 1
    assert problems[0].file == f"{tmp_path}/{pattern}"
    assert problems[0].message in (
        "no media file matches this pattern",
        f"the folder {tmp_path}/nowhere can't be read: No such file or directory",
    )


def test_home_and_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media(tmp_path, "a.mov")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert names(tmp_path, "~") == names(tmp_path, "~/*.mov") == ["a.mov"]
    assert names(tmp_path, ".") == names(tmp_path, "*.mov") == ["a.mov"]


def test_a_path_with_signs_of_a_pattern_that_exists_is_no_pattern(tmp_path: Path) -> None:
    media(tmp_path, "films [2024]/a.mov")
    assert has_magic("films [2024]")
    assert names(tmp_path, tmp_path / "films [2024]") == ["films [2024]/a.mov"]


@pytest.mark.parametrize(
    ("pattern", "root"),
    [("/*.mov", "/"), ("/v/x/*.mov", "/v/x"), ("/v/*/x/a.mov", "/v"), ("/v/a.mov", "/v")],
)
def test_the_fixed_part_of_a_pattern(pattern: str, root: str) -> None:
    assert pattern_root(pattern) == root
