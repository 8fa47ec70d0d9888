"""JSON Lines manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.jsonl_rows import read_jsonl
from orchestrator.manifest.rows import RowMaker
from orchestrator.model.items import Row, StitchPart
from tests.manifest.support import all_of, written

HTTP = "https://h.example/"


def only_row(tmp_path: Path, values: dict[str, Any]) -> Row:
    path = written(tmp_path, "m.jsonl", json.dumps(values))
    (row,), problems = all_of(path, fingerprint="none")
    assert problems == []
    return row


def test_every_key_arrives(tmp_path: Path) -> None:
    row = only_row(
        tmp_path,
        {
            "source": " spaced.mov ",
            "id": 17,
            "priority": 10,
            "payload": {"n": [1, "é"]},
            "tags": ["two words", " x ", ""],
            "title": "T",
            "year": 2024,
            "rate": 29.97,
            "hdr": True,
            "none": None,
            "deep": {"a": [1]},
        },
    )
    assert (row.key, row.source) == ("17", f"{tmp_path}/ spaced.mov ")
    assert (row.priority, row.payload) == (10, '{"n":[1,"é"]}')
    assert row.tags == ("two words", "x")
    assert row.fields == {
        "name": " spaced.mov ",
        "stem": " spaced",
        "parent": ".",
        "id": "17",
        "title": "T",
        "year": "2024",
        "rate": "29.97",
        "hdr": "true",
        "none": "",
        "deep": '{"a":[1]}',
    }
    assert row.line == 1


def test_a_stitch_list(tmp_path: Path) -> None:
    row = only_row(
        tmp_path,
        {"stitch": [f"{HTTP}a/1.mov", {"url": f"{HTTP}b/2.mov", "start_time": 0, "duration": "9"}]},
    )
    assert row.source is None
    assert row.stitch == (StitchPart(f"{HTTP}a/1.mov"), StitchPart(f"{HTTP}b/2.mov", 0.0, 9.0))
    assert row.key == f"{HTTP}a/1.mov {HTTP}b/2.mov"
    assert row.fields["parent"] == "a"


def test_null_is_the_same_as_not_given(tmp_path: Path) -> None:
    names = ("stitch", "id", "priority", "payload", "tags")
    row = only_row(tmp_path, {"source": "a.mov"} | dict.fromkeys(names))
    assert (row.priority, row.payload, row.tags, row.stitch) == (5, None, (), ())
    assert row.key == row.source


def test_tags_may_be_text(tmp_path: Path) -> None:
    assert only_row(tmp_path, {"source": "a.mov", "tags": "a, b"}).tags == ("a", "b")


def test_lines_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    line = '{"source": "a.mov"}'
    path = written(tmp_path, "m.ndjson", f"\ufeff{line}\r\n\r\n \t\r\n{line}\r\n{line}")
    rows, problems = all_of(path, fingerprint="none")
    assert [row.line for row in rows] == [1, 4, 5]
    assert problems == []


@pytest.mark.parametrize(
    ("line", "field", "message", "key"),
    [
        ('{"source": "a.mov"', "", "malformed JSON at column 19: ", None),
        ("{'source': 1}", "", "malformed JSON at column 2: ", None),
        ('{"source": "a\\ud800.mov"}', "", "malformed JSON at column 14: ", None),
        ("[", "", "malformed JSON at column ", None),
        ('["a.mov"]', "", "a list, not an object", None),
        ('"a.mov"', "", "text, not an object", None),
        ("12", "", "a number, not an object", None),
        ("null", "", "null, not an object", None),
        ('{"source": "a\\u0000.mov"}', "", "a NUL character", None),
        ("{}", "source", "no source", None),
        ('{"source": " ", "id": "k"}', "source", "no source", "k"),
        ('{"source": 7, "id": "k"}', "source", "a number, not text", "k"),
        ('{"source": "http://h/a", "stitch": ["http://h/b"]}', "stitch", "both source", None),
        ('{"stitch": []}', "stitch", "the list is empty", None),
        ('{"stitch": {"url": "http://h/b"}, "id": "k"}', "stitch", "not a list", "k"),
        ('{"stitch": ["a.mov"], "id": "k"}', "stitch", "part 1: not a URL", "k"),
        ('{"source": "a.mov", "id": 1.5}', "id", "a number, not text or an integer", None),
        ('{"source": "a.mov", "id": 99999999999999999999999}', "id", "a number, not", None),
        ('{"source": "a.mov", "id": true}', "id", "true or false, not", None),
        ('{"source": "http://h/a", "priority": true}', "priority", "'true' is not", "http://h/a"),
        ('{"source": "http://h/a", "priority": 2.0}', "priority", "'2.0' is not", "http://h/a"),
        ('{"source": "http://h/a", "priority": 11}', "priority", "'11' is not", "http://h/a"),
        ('{"source": "http://h/a", "tags": [1]}', "tags", "neither text nor", "http://h/a"),
        ('{"source": "http://h/a", "tags": {"a": 1}}', "tags", "neither text nor", "http://h/a"),
        ('{"source": "a.mov", "id": "k", "Tags": "x"}', "Tags", "column names are in lower", "k"),
        (
            '{"source": "a.mov", "id": "k", "x": ' + "[" * 400 + "]" * 400 + "}",
            "x",
            "the value is nested too deeply",
            "k",
        ),
        ('{"source": "a.mov", "x": ' + "[" * 9000 + "]" * 9000 + "}", "", "malformed JSON", None),
    ],
)
def test_a_bad_line_is_one_problem(
    tmp_path: Path, line: str, field: str, message: str, key: str | None
) -> None:
    good = '{"source": "z.mov"}'
    path = written(tmp_path, "m.jsonl", f"{good}\n\n{line}\n{good}\n")
    rows, (problem,) = all_of(path, fingerprint="none")
    assert (problem.file, problem.line, problem.field) == (str(path), 3, field)
    assert problem.message.startswith(message)
    assert problem.key == key
    assert problem.hint
    assert [row.line for row in rows] == [1, 4]


def test_an_escaped_backslash_before_u0000_is_no_nul(tmp_path: Path) -> None:
    assert only_row(tmp_path, {"source": "a.mov", "x": "\\u0000"}).fields["x"] == "\\u0000"


def test_an_empty_file(tmp_path: Path) -> None:
    _, (problem,) = all_of(written(tmp_path, "m.jsonl", "\n\n"))
    assert (problem.line, problem.message) == (0, "the manifest is empty")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["source", "stitch", "id", "priority", "payload", "tags", "x"]) | TEXT


@given(st.dictionaries(NAMES, JSON, max_size=7))
def test_any_object_is_a_row_or_a_problem_with_its_line(values: dict[str, Any]) -> None:
    maker = RowMaker("m", "/v", "/v", lambda _path: ("", None))
    (entry,) = read_jsonl(iter([json.dumps(values)]), maker, "m")
    assert entry.line == 1
    if isinstance(entry, Row):
        assert all(isinstance(text, str) for text in entry.fields.values())
        assert (entry.source is None) == bool(entry.stitch)
