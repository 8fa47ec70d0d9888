"""Plain lists."""

from pathlib import Path

import pytest

from tests.manifest.support import all_of, written


@pytest.mark.parametrize("name", ["m.txt", "m.list", "m", "m.TXT"])
def test_one_source_a_line(tmp_path: Path, name: str) -> None:
    text = "\ufeff# films\r\n\r\n  a, b.mov \r\n\t# more\r\nhttps://h/c.mov\r\n./#d.mov"
    rows, problems = all_of(written(tmp_path, name, text), fingerprint="none")
    assert problems == []
    assert [(row.line, row.source) for row in rows] == [
        (3, f"{tmp_path}/a, b.mov"),
        (5, "https://h/c.mov"),
        (6, f"{tmp_path}/#d.mov"),
    ]


def test_a_bad_line_is_one_problem(tmp_path: Path) -> None:
    content = b"a.mov\nb\0.mov\n\xff\ngopher://h/x\nb.mov\n"
    path = written(tmp_path, "m.txt", content)
    rows, problems = all_of(path, fingerprint="none")
    assert [row.line for row in rows] == [1, 5]
    assert [str(problem) for problem in problems] == [
        f"{path}:2: a NUL character at column 2 (remove it: text has no such character)",
        f"{path}:3: not valid UTF-8 at byte 1 of the line (save the file as UTF-8)",
        (
            f"{path}:4: source: gopher:// can't be read"
            " (use http, https, ftp, sftp, s3, or a local path)"
        ),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n"])
def test_a_list_of_nothing(tmp_path: Path, text: str) -> None:
    _, (problem,) = all_of(written(tmp_path, "m.txt", text))
    assert (problem.line, problem.message) == (0, "the manifest names no source")
