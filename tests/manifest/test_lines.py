"""Physical lines: decoding, bounds, files that are no text."""

from pathlib import Path

import pytest

from orchestrator.manifest.lines import GIVE_UP_AFTER, LINE_LIMIT, read_lines
from orchestrator.model.items import Problem
from tests.manifest.support import all_of, written


def lines_of(tmp_path: Path, content: bytes) -> list[str | Problem]:
    return list(read_lines(written(tmp_path, "m.txt", content), "m.txt"))


def test_lines_keep_their_own_ends_and_nothing_else_ends_them(tmp_path: Path) -> None:
    content = "\ufeffa\r\nb\rc\n\x0cd\u2028e\x85f\n\ng".encode()
    assert lines_of(tmp_path, content) == [
        *("a\r\n", "b\r", "c\n", "\x0cd\u2028e\x85f\n", "\n", "g")
    ]


def test_a_line_end_is_never_torn_between_two_reads(tmp_path: Path) -> None:
    content = b"".join(b"x" * length + b"\r\n" for length in range(300))
    assert lines_of(tmp_path, content) == ["x" * length + "\r\n" for length in range(300)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"caf\xe9.mov", "not valid UTF-8 at byte 4 of the line"),
        ("€".encode() + b"\xff", "not valid UTF-8 at byte 4 of the line"),
        (b"\xed\xa0\x80", "not valid UTF-8 at byte 1 of the line"),
        (b"ab\0c", "a NUL character at column 3"),
        (b"x" * LINE_LIMIT, "the line is longer than 1,048,576 characters"),
        (b"x" * (3 * LINE_LIMIT + 5), "the line is longer than 1,048,576 characters"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_unreadable_line_costs_itself_alone(
    tmp_path: Path, line: bytes, message: str, end: bytes
) -> None:
    before, problem, after = lines_of(tmp_path, end.join([b"before", line, b"after"]))
    assert isinstance(problem, Problem)
    assert (problem.file, problem.line, problem.message) == ("m.txt", 2, message)
    assert problem.hint
    assert (before, after) == (f"before{end.decode()}", "after")


def test_the_longest_line_is_read(tmp_path: Path) -> None:
    line = "x" * (LINE_LIMIT - 1) + "\n"
    assert lines_of(tmp_path, f"{line}after".encode()) == [line, "after"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.txt", "m"])
def test_utf_16_is_told_what_to_do(tmp_path: Path, encoding: str, name: str) -> None:
    path = written(tmp_path, name, "source,id\nfilm.mov,1\n".encode(encoding))
    rows, (problem,) = all_of(path)
    assert rows == []
    assert (problem.line, problem.message) == (1, "the file is UTF-16")
    assert problem.hint == "save the file as UTF-8"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(5000),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89",
        b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + bytes(range(256)) * 40,
        b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 4000,
    ],
)
@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.txt", "m"])
def test_a_binary_file_is_one_problem(tmp_path: Path, content: bytes, name: str) -> None:
    rows, (problem,) = all_of(written(tmp_path, name, content))
    assert rows == []
    assert (problem.line, problem.message) == (1, "this is not a text file")
    assert problem.key is None


def test_a_file_in_another_encoding_is_given_up_in_time(tmp_path: Path) -> None:
    problems = lines_of(tmp_path, b"caf\xe9.mov\n" * 5000)
    assert len(problems) == GIVE_UP_AFTER + 1
    assert isinstance(problems[-1], Problem)
    assert "gave up" in problems[-1].message
    assert problems[-1].line == GIVE_UP_AFTER


def test_unreadable_lines_with_good_ones_between_are_not_given_up(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, b"caf\xe9.mov\nb.mov\n" * 500)
    assert len(lines) == 1000
    assert [line.line for line in lines if isinstance(line, Problem)] == [*range(1, 1000, 2)]
