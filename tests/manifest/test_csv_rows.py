"""CSV and TSV manifests."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.csv_rows import RECORD_LINES, Records, read_csv
from orchestrator.manifest.rows import RowMaker
from orchestrator.model.items import Problem, Row, StitchPart
from tests.manifest.support import all_of, places, written

HTTP = "https://h.example/"


def rows_of(tmp_path: Path, text: str | bytes, name: str = "m.csv") -> list[Row]:
    rows, problems = all_of(written(tmp_path, name, text), fingerprint="none")
    assert problems == []
    return rows


def problems_of(tmp_path: Path, text: str | bytes, name: str = "m.csv") -> list[Problem]:
    _, problems = all_of(written(tmp_path, name, text), fingerprint="none")
    assert {problem.file for problem in problems} <= {str(tmp_path / name)}
    return problems


def test_every_column_arrives(tmp_path: Path) -> None:
    (row,) = rows_of(
        tmp_path,
        "title,source,id,priority,payload,tags\n"
        f'"Film, the first",{HTTP}Films/a.b.mov, x1 ,0,"{{""n"": 1}}","news, sport  2024"\n',
    )
    assert row == Row(
        key="x1",
        source=f"{HTTP}Films/a.b.mov",
        priority=0,
        payload='{"n": 1}',
        tags=("news", "sport", "2024"),
        fields={
            "name": "a.b.mov",
            "stem": "a.b",
            "parent": "Films",
            "id": "x1",
            "title": "Film, the first",
        },
        line=2,
    )


def test_absent_and_empty_values_get_their_defaults(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "source,id,priority,payload,tags\na.mov,,,,\n")
    path = str(tmp_path / "a.mov")
    assert (row.key, row.source) == (path, path)
    assert (row.priority, row.payload, row.tags, row.stitch) == (5, None, (), ())
    assert row.fields["id"] == path


def test_a_filled_column_called_name_wins_over_the_file_name(tmp_path: Path) -> None:
    first, second = rows_of(tmp_path, "source,name\na.mov,Alpha\nb.mov,\n")
    assert (first.fields["name"], first.fields["stem"]) == ("Alpha", "a")
    assert second.fields["name"] == "b.mov"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_and_a_byte_order_mark(tmp_path: Path, end: str) -> None:
    text = end.join(["\ufeffsource,title", "a.mov,x", "", 'b.mov,"1', '2"', "c.mov,z"])
    rows = rows_of(tmp_path, text)
    assert [row.line for row in rows] == [2, 4, 6]
    assert [row.fields["title"] for row in rows] == ["x", f"1{end}2", "z"]


def test_tabs_in_a_tsv(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, 'source\ttitle\na, b.mov\t"x\ty"\n', "m.TSV")
    assert (row.fields["name"], row.fields["title"]) == ("a, b.mov", "x\ty")


def test_rows_of_empty_cells_are_left_out(tmp_path: Path) -> None:
    assert [row.line for row in rows_of(tmp_path, "source,id\n,\n , \na.mov,\n,,,\n")] == [4]


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        (f"{HTTP}a.mov {HTTP}b.mov", (StitchPart(f"{HTTP}a.mov"), StitchPart(f"{HTTP}b.mov"))),
        (f"{HTTP}a.mov | {HTTP}b.mov|", (StitchPart(f"{HTTP}a.mov"), StitchPart(f"{HTTP}b.mov"))),
        (
            (
                f'["{HTTP}a.mov", {{"url": "HTTPS://H.example/b.mov", '
                '"start_time": "120.0", "duration": 60.57}]'
            ),
            (StitchPart(f"{HTTP}a.mov"), StitchPart(f"{HTTP}b.mov", 120.0, 60.57)),
        ),
    ],
)
def test_stitch_lists(tmp_path: Path, cell: str, parts: tuple[StitchPart, ...]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["stitch"], [cell]])
    (row,) = rows_of(tmp_path, text.getvalue())
    assert (row.source, row.stitch) == (None, parts)
    assert row.key == f"{HTTP}a.mov {HTTP}b.mov"
    assert (row.fields["name"], row.fields["stem"], row.fields["parent"]) == ("a.mov", "a", ".")


@pytest.mark.parametrize(
    ("line", "field", "message", "key"),
    [
        (",x,,,", "source", "no source", "x"),
        (f"a.mov,x,,,{HTTP}b.mov", "stitch", "both source and stitch are given", "x"),
        ("a.mov,x,11,,", "priority", "'11' is not an integer from 0 to 10", "x"),
        ("a.mov,x,-1,,", "priority", "'-1' is not an integer from 0 to 10", "x"),
        ("a.mov,x,5.0,,", "priority", "'5.0' is not an integer from 0 to 10", "x"),
        ("a.mov,x,high,,", "priority", "'high' is not an integer from 0 to 10", "x"),
        ("a.mov,x,٣,,", "priority", "'٣' is not an integer from 0 to 10", "x"),
        (f"a.mov,x,,{'p' * 1001},", "payload", "1,001 characters; 1,000 are allowed", "x"),
        (",x,,,b.mov", "stitch", "part 1: not a URL", "x"),
        (f",x,,,{HTTP}a gopher://h/b", "stitch", "part 2: gopher:// can't be read", "x"),
        (",x,,,[]", "stitch", "the list is empty", "x"),
        (',x,,,"[""https://h/a"","', "stitch", "malformed JSON at character", "x"),
        (",x,,,[1]", "stitch", "part 1 is neither a URL nor an object with a url", "x"),
        (
            ',x,,,"[{""url"": ""http://h/a"", ""to"": 1}]"',
            "stitch",
            "part 1: 'to' is not known",
            "x",
        ),
        (
            ',x,,,"[{""url"": ""http://h/a"", ""duration"": 0}]"',
            "stitch",
            "part 1: duration is not a number of seconds",
            "x",
        ),
        (
            ',x,,,"[{""url"": ""http://h/a"", ""start_time"": ""NaN""}]"',
            "stitch",
            "part 1: start_time is not a number of seconds",
            "x",
        ),
    ],
)
def test_a_bad_row_is_one_problem(
    tmp_path: Path, line: str, field: str, message: str, key: str
) -> None:
    text = f"source,id,priority,payload,stitch\n{line}\nz.mov,,,,\n"
    rows, (problem,) = all_of(written(tmp_path, "m.csv", text), fingerprint="none")
    assert (problem.line, problem.field, problem.key) == (2, field, key)
    assert problem.message.startswith(message)
    assert problem.hint
    assert [row.line for row in rows] == [3]


def test_the_key_of_a_bad_row_without_id_is_its_source(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "source,priority\nHTTP://H:80/a.mov,x\n")
    assert (problem.key, problem.field) == ("http://h/a.mov", "priority")


@pytest.mark.parametrize("line", ["a.mov", "a.mov,1,2", 'a.mov,"1",2'])
def test_a_wrong_number_of_cells(tmp_path: Path, line: str) -> None:
    rows, (problem,) = all_of(
        written(tmp_path, "m.csv", f"source,id\nz.mov,\n{line}\ny.mov,\n"), fingerprint="none"
    )
    assert problem.line == 3
    assert problem.message == f"{line.count(',') + 1} cells, but the header has 2"
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize(
    ("text", "lines", "opened"),
    [
        # to the end of the file
        ('source,id\na.mov,1\nb.mov,"2\nc.mov,3\nd.mov,4\n', [2, 4, 5], 3),
        # to the next quoted cell
        ('source,id\na.mov,"1\nb.mov,2\nc.mov,"3"\n', [3, 4], 2),
        # to an empty quoted cell: the row then has cells enough, but text follows
        ('source,id\na.mov,"1\nb.mov,2\n"c.mov",3\n', [3, 4], 2),
        # to a quote that closes it where a row could end
        ('source,id\na.mov,"1\nb.mov,2"\n"c.mov",3\n', [2, 4], None),
        # behind a cell that goes over lines rightly
        ('source,id,t\na.mov,"1\n1","2\nb.mov,3,x\n', [4], 3),
        # over more lines than any row has
        ('source,id\na.mov,"1\n' + "b.mov,2\n" * (RECORD_LINES + 5), [*range(3, 108)], 2),
        # over more characters than any cell has
        ('source,id\na.mov,"1\n' + f"{'b' * 60_000}.mov,2\n" * 5, [*range(3, 8)], 2),
        # up to a line that can't be read
        ('source,id\na.mov,"1\nb.mov,2\n\0\nc.mov,3\n', [3, 5], 2),
    ],
)
def test_an_open_quote_costs_one_row(
    tmp_path: Path, text: str, lines: list[int], opened: int | None
) -> None:
    rows, problems = all_of(written(tmp_path, "m.csv", text), fingerprint="none")
    assert [row.line for row in rows] == lines
    quotes = [problem.line for problem in problems if "quote" in problem.message]
    assert quotes == ([opened] if opened else [])


def test_text_behind_a_quoted_cell(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, 'source,id\n"a".mov,1\nb.mov,2\n')
    assert (problem.line, problem.message) == (2, "text after a quoted cell")


def test_a_miscounted_row_of_several_lines_points_at_its_open_cell(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, 'source,id,t\n\na.mov,"1\n1,2,3"\nb.mov,2,3\n')[:1]
    assert problem.line == 3
    assert "is a quote left open here?" in problem.message


def test_a_cell_that_is_too_long(tmp_path: Path) -> None:
    rows, (problem,) = all_of(
        written(tmp_path, "m.csv", f"source\n{'a' * 140_000}\nb.mov\n"), fingerprint="none"
    )
    assert (problem.line, problem.message) == (2, "a cell has more than 131,072 characters")
    assert [row.line for row in rows] == [3]


@pytest.mark.parametrize(
    ("header", "field", "part"),
    [
        ("id,title", "source", "no column is called source or stitch"),
        ("/videos/a.mov", "source", "no column is called source or stitch"),
        ("source,Priority", "Priority", "lower case: 'priority'"),
        ("source,title,title", "title", "two columns are called 'title'"),
        ("source,,title", "", "a column has no name"),
        ("source,a{b", "a{b", "can't be a column's name"),
    ],
)
def test_a_bad_header_ends_it(tmp_path: Path, header: str, field: str, part: str) -> None:
    (problem,) = problems_of(tmp_path, f"\n{header}\n1,2,3\n4,5,6\n")
    assert (problem.line, problem.field) == (2, field)
    assert part in problem.message


@pytest.mark.parametrize(
    ("name", "header", "hint"),
    [
        ("m.csv", "source;id", "semicolons seem"),
        ("m.csv", "source\tid", "tabs seem"),
        ("m.tsv", "source,id", "commas seem"),
        ("m.csv", "a.mov", "a plain list of sources is a .txt file"),
    ],
)
def test_the_hint_names_the_wrong_separator(
    tmp_path: Path, name: str, header: str, hint: str
) -> None:
    (problem,) = problems_of(tmp_path, f"{header}\nx\n", name)
    assert hint in str(problem)


def test_a_damaged_header_ends_it(tmp_path: Path) -> None:
    assert places(problems_of(tmp_path, b"sour\xffce\na.mov\n")) == [(1, "")]


def test_nothing_but_a_header_and_nothing_at_all(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "source,id\n\n")
    assert problem.message == "the manifest has a header and no rows"
    (problem,) = problems_of(tmp_path, "")
    assert problem.message == "the manifest is empty"
    assert problem.hint


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), min_size=1)
    ),
    delimiter=st.sampled_from(",\t"),
    # With "\\n" and minimal quoting, the module writes a lone "\\r" without quotes.
    style=st.sampled_from(
        [(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_ALL, "\n")]
    ),
)
@pytest.mark.slow
def test_what_the_csv_module_writes_reads_back(
    table: list[list[str]], delimiter: str, style: tuple[int, str]
) -> None:
    quoting, end = style
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(table)
    lines = io.StringIO(text.getvalue(), newline="")
    records = list(Records(iter(lines), "m.csv", delimiter))
    assert [record[1] for record in records if not isinstance(record, Problem)] == table


@given(st.text(st.sampled_from('a",\r\n'), max_size=60))
def test_no_lines_are_lost_or_counted_twice(text: str) -> None:
    maker = RowMaker("m", "/v", "/v", lambda _path: ("", None))
    lines = list(io.StringIO(f"source,id\n{text}", newline=""))
    entries = list(read_csv(iter(lines), maker, "m", ","))
    numbers = [entry.line for entry in entries]
    assert all(1 <= number <= len(lines) for number in numbers if number)
    assert numbers == sorted(numbers)
