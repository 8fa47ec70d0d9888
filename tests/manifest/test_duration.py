import pytest

from orchestrator.manifest import read
from orchestrator.model.items import Problem


def read_one(tmp_path, cell, suffix="csv"):
    manifest = tmp_path / f"m.{suffix}"
    if suffix == "csv":
        manifest.write_text(f"source,duration\nhttps://h/a.mp4,{cell}\n")
    else:
        manifest.write_text(f'{{"source": "https://h/a.mp4", "duration": {cell}}}\n')
    (entry,) = read(manifest)
    return entry


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("90", 90.0), (" 12.5 ", 12.5), ("1:30:00", 5400.0), ("100:00:01.5", 360001.5), ("", None)],
)
def test_a_duration_in_seconds_or_as_a_clock_shows_it(tmp_path, cell, seconds):
    row = read_one(tmp_path, cell)
    assert row.duration == seconds
    assert row.fields["duration"] == cell


@pytest.mark.parametrize("cell", ["0", "-3", "nan", "1e9", "90 min", "1:30", "1:75:00", "0:00:00"])
def test_what_is_no_duration_is_told(tmp_path, cell):
    problem = read_one(tmp_path, cell)
    assert isinstance(problem, Problem)
    assert (problem.line, problem.field) == (2, "duration")
    assert "h:mm:ss" in problem.hint


def test_json_gives_it_as_a_number_or_as_text(tmp_path):
    assert read_one(tmp_path, "90.5", "jsonl").duration == 90.5
    assert read_one(tmp_path, '"0:01:30"', "jsonl").duration == 90.0


def test_the_columns_name_is_in_lower_case(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("source,Duration\nhttps://h/a.mp4,90\n")
    (problem,) = read(manifest)
    assert "'duration', not 'Duration'" in problem.message
