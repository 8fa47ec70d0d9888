"""``read``: which form, streaming, and that nothing makes it raise."""

import os
import threading
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.manifest import read
from orchestrator.model.items import Problem, Row
from tests.manifest.support import all_of, media, written


def test_relative_sources_are_relative_to_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media(tmp_path, "jobs/films/a.mov")
    written(tmp_path / "jobs", "m.txt", "films/a.mov\n")
    monkeypatch.chdir(tmp_path)
    (row,), problems = all_of("jobs/m.txt")
    assert problems == []
    assert row.source == f"{tmp_path}/jobs/films/a.mov"
    assert row.fields["parent"] == "films"
    (row,), _ = all_of("jobs/m.txt", base=Path("jobs/films"))
    assert row.fields["parent"] == "."


def test_a_problem_names_the_file_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "m.csv", "source\n\nno.mov\n")
    monkeypatch.chdir(tmp_path)
    _, (problem,) = all_of("./m.csv")
    assert str(problem).startswith(f"./m.csv:3: source: {tmp_path}/no.mov does not exist (")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("missing.csv", "there is no such file or folder"),
        ("missing", "there is no such file or folder"),
        ("film.mov", ".mov is no form of manifest (this is a source"),
        ("m.xlsx", ".xlsx is no form of manifest (a manifest is a .csv"),
        ("a\0b", "the path holds a NUL character"),
        ("b\udcff.csv", r"b\udcff.csv: the path is not UTF-8"),
        ("x/y.csv/z", "there is no such file or folder"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, name: str, part: str) -> None:
    media(tmp_path, "film.mov", "m.xlsx")
    rows, (problem,) = all_of(f"{tmp_path}/{name}")
    assert rows == []
    assert part in str(problem)
    assert problem.hint


def test_a_manifest_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "m.txt", "a.mov\n")

    def refused(*_args: object, **_options: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    _, (problem,) = all_of(path)
    assert problem.message == "can't be read: Permission denied"


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [("m.csv", "source\n", "https://h/a.mov\n"), ("m.jsonl", "", '{"source": "https://h/a.mov"}\n'),
     ("m.txt", "", "https://h/a.mov\n"), ("m", "", "https://h/a.mov\n")],
)  # fmt: skip
def test_rows_come_before_the_manifest_ends(
    tmp_path: Path, name: str, head: str, line: str
) -> None:
    """A pipe whose writer waits for the rows before it writes on."""
    pipe = tmp_path / name
    os.mkfifo(pipe)
    seen = threading.Event()
    waited: list[bool] = []

    def write() -> None:
        with pipe.open("w") as file:
            # More than the reader's buffers hold, so that it need not ask for more.
            file.write(head + line * 3000)
            file.flush()
            waited.append(seen.wait(30))
            file.write(line)

    writer = threading.Thread(target=write)
    writer.start()
    rows = read(pipe)
    first = list(islice(rows, 10))
    seen.set()
    rest = list(rows)
    writer.join()
    assert waited == [True]
    assert all(isinstance(row, Row) for row in first)
    assert len(first) + len(rest) == 3001


#: All of them at once would take some 20 MB; their text alone takes more than half of one.
ROWS = 20_000


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("m.csv", "source,id\n", 'https://h/{0}/film.mov,"{0}"\n'),
        ("m.jsonl", "", '{{"source": "https://h/{0}/film.mov", "id": {0}}}\n'),
        ("m.txt", "", "https://h/{0}/film.mov\n"),
    ],
)
@pytest.mark.slow
def test_memory_does_not_grow_with_the_manifest(
    tmp_path: Path, name: str, head: str, line: str
) -> None:
    text = head + "".join(line.format(number) for number in range(ROWS))
    path = written(tmp_path, name, text)
    tracemalloc.start()
    try:
        good = sum(isinstance(entry, Row) for entry in read(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert good == ROWS
    assert peak < len(text)


def test_a_reader_that_stops_early_leaves_no_file_open(tmp_path: Path) -> None:
    """An open file would warn when it is collected, and warnings are errors."""
    path = written(tmp_path, "m.csv", "source\n" + "https://h/a\n" * 10_000)
    rows = read(path)
    next(rows)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    rows.close()  # type: ignore[attr-defined]
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors - 1


FORMS = ["m.csv", "m.tsv", "m.jsonl", "m.txt"]
PIECES = st.sampled_from(
    [sign.encode() for sign in '\t\n\r\0 ,":[]{}~/#é\ufeff']
    + [b"\xff", b"source", b"stitch", b"id", b"https://h/a", b'{"source": "a"}']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FORMS),
    head=st.sampled_from([b"", b"source\n", b"source,id\n", b"stitch\tid\n"]),
    content=st.binary(max_size=300) | st.lists(PIECES, max_size=40).map(b"".join),
)
def test_no_bytes_make_it_raise_or_go_on_for_ever(
    tmp_path: Path, name: str, head: bytes, content: bytes
) -> None:
    path = written(tmp_path, name, head + content)
    most = len((head + content).replace(b"\r", b"\n").split(b"\n")) + 6
    entries = list(islice(read(path), most + 1))
    assert 1 <= len(entries) <= most
    for entry in entries:
        str(entry).encode()
        assert isinstance(entry, Row) or (isinstance(entry, Problem) and entry.message)
