"""The parts of the benchmarks that decide something: turns, medians, ratios, verdicts."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as every
from benchmarks.harness import (
    Goal,
    Result,
    check_room,
    digest,
    in_turns,
    last_result,
    medians,
    random_files,
    ratio,
    table,
)


@given(st.integers(1, 6), st.integers(1, 6))
def test_everybody_runs_once_a_round(contenders: int, rounds: int) -> None:
    turns = list(in_turns(range(contenders), rounds))
    assert Counter(turns) == {
        (number, one): 1 for number in range(rounds) for one in range(contenders)
    }
    assert [number for number, _ in turns] == sorted(number for number, _ in turns)


def test_nobody_always_follows_the_same_and_two_runs_are_alike() -> None:
    turns = [one for _, one in in_turns("abcde", 5)]
    followed = {before for before, one in pairwise(turns) if one == "a"}
    assert len(followed) > 2
    assert turns == [one for _, one in in_turns("abcde", 5)]


def test_each_figure_has_its_own_median() -> None:
    samples = [{"rate": 3.0, "cpu": 1.0}, {"rate": 1.0, "cpu": 9.0}, {"rate": 2.0, "cpu": 5.0}]
    assert medians(samples) == {"rate": 2.0, "cpu": 5.0}


def test_a_ratio_needs_both_sides() -> None:
    assert ratio({"rate": 3.0}, {"rate": 2.0}) == 1.5
    assert ratio(None, {"rate": 2.0}) is None
    assert ratio({"rate": 2.0}, None) is None


@pytest.mark.parametrize(
    ("ratios", "met"),
    [
        ([2.0, 3.0], True),
        ([2.0, 1.999], False),
        ([2.0, None], None),
        ([1.0, None], False),
        ([], True),
    ],
)
def test_a_result_is_met_only_when_every_goal_is(
    ratios: list[float | None], met: bool | None
) -> None:
    goals = {str(place): Goal(2.0, value) for place, value in enumerate(ratios)}
    assert Result("x", {}, goals).met is met


def test_the_line_says_no_more_than_was_reached() -> None:
    result = Result("upload", {"rate": 7}, {"a": Goal(0.95, 0.9499999), "b": Goal(2, None)})
    assert json.loads(result.line()) == {
        "name": "upload",
        "figures": {"rate": 7},
        "ratio": {"a": 0.949, "b": None},
        "goal": {"a": 0.95, "b": 2},
        "met": False,
    }
    assert result.verdict() == (
        "a: 0.949, MISSED (goal: at least 0.95)\nb: not measured (goal: at least 2)"
    )


def test_the_last_result_is_found_among_other_lines() -> None:
    first, last = (Result(name, {}, {}).line() for name in ("first", "last"))
    lines = ["a table\n", f"{first}\n", "{not json\n", f"{last}\n", '{"other": 1}\n', "bye\n"]
    assert last_result(lines) == last
    assert last_result(["{}\n", "[1]\n", "text\n"]) is None


def test_columns_line_up() -> None:
    assert table(["who", "rate"], [["ours", "1000"], ["a peer", "7"]]) == (
        "who     rate\n------  ----\nours    1000\na peer     7"
    )


def test_too_little_room_says_what_to_do(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(SystemExit, match="TMPDIR"):
        check_room(tmp_path, 2**70)


def test_files_have_their_size_and_differ(tmp_path: Path) -> None:
    size = 2**20 + 5
    paths = random_files(tmp_path / "new", 2, size)
    assert [path.stat().st_size for path in paths] == [size, size]
    assert digest(paths[0]) != digest(paths[1])


def test_every_module_but_the_harness_is_a_benchmark() -> None:
    assert {"upload", "tus_node"} <= set(every.names())
    assert not {"harness", "__main__", "__init__", "uploading"} & set(every.names())
