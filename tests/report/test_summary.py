"""What a person reads after a run."""

import io

import pytest
from rich.console import Console

from orchestrator.model.items import Problem
from orchestrator.model.outcome import Ending, Failure, RunOutcome
from orchestrator.model.states import State
from orchestrator.report.summary import next_steps, summary
from orchestrator.report.typed import Typed


def outcome(ending: Ending = Ending.FINISHED, **changes) -> RunOutcome:
    base = {
        "counts": {State.COMPLETED: 199_876, State.FAILED: 0},
        "skipped": 120_000,
        "seconds": 7260.0,
        "sent_bytes": 3_200_000_000_000,
        "got_bytes": 410_000_000_000,
        "started": 79_876,
        "outputs_folder": "/media/out",
    }
    return RunOutcome("night", ending, "sqlite:////x/night.db", **(base | changes))


def failing(number: int) -> RunOutcome:
    few = tuple(
        Failure(f"/media/{n}.mov", "encode_failed", "the file has no video") for n in range(20)
    )
    return outcome(
        counts={State.COMPLETED: 5, State.FAILED: number},
        failures=few[:number],
        failures_by_class={"source_missing": 1, "encode_failed": number - 1},
    )


def shown(result: RunOutcome, width: int = 80, *, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system=None, _environ={}
    )
    summary(result, console, Typed("jobs/night.toml"))
    return file.getvalue()


def test_a_good_night():
    text = shown(outcome())
    assert "night  finished  in 2 h 01 min" in text
    assert "199,876" in text
    assert "120,000 of them before this run" in text
    assert "79,876 encodes started, 3.2 TB uploaded, 410 GB collected" in text
    assert "/media/out" in text
    assert "sqlite:////x/night.db" in text
    assert "orchestrator export jobs/night.toml --to night.csv" in text
    assert "failed" not in text


def test_failures_are_counted_by_class_and_the_first_are_explained():
    text = shown(failing(124))
    assert "finished, 124 items failed" in text
    assert text.index("123  encode_failed") < text.index("1  source_missing")
    assert text.count("encode_failed: the file has no video") == 10
    assert "and 114 more: orchestrator status jobs/night.toml" in text


def test_few_failures_are_all_shown():
    text = shown(failing(3))
    assert text.count("encode_failed: ") == 3
    assert "more:" not in text


def test_a_refused_manifest_says_where_and_what():
    few = tuple(Problem("m.csv", "is empty", "give a path", n, "source") for n in range(2, 14))
    text = shown(
        outcome(
            Ending.REFUSED, counts={}, problems=few, problems_total=40, message="nothing was begun"
        )
    )
    assert text.count("nothing was begun") == 1
    assert "m.csv:2: source: is empty (give a path)" in text
    assert "and 30 more problems" in text


@pytest.mark.parametrize(
    ("result", "commands"),
    [
        (outcome(), ["export"]),
        (failing(2), ["run", "status", "export"]),
        (outcome(Ending.DRAINED), ["run", "export"]),
        (outcome(Ending.ACCOUNT, counts={State.PENDING: 2}), ["doctor", "run"]),
        (outcome(Ending.BROKEN, counts={}), ["run"]),
        (outcome(Ending.REFUSED, counts={}), ["validate", "run"]),
    ],
)
def test_what_to_type_next(result, commands):
    assert [command.split()[1] for command, _ in next_steps(result, Typed("night"))] == commands


def test_what_others_wrote_can_neither_upset_the_terminal_nor_pass_for_markup():
    bad = (Failure("/m/\x1b[2J[red]a.mov", "encode_failed", "[bold]x\x07"),)
    text = shown(outcome(counts={State.FAILED: 1}, failures=bad, message="two\nlines\x1b[1m"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]a.mov" in text
    assert "[bold]x" in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits(width):
    text = shown(failing(124), width, terminal=True)
    assert all(len(line) <= width for line in text.splitlines())


def test_a_rerun_with_nothing_left_says_so():
    text = shown(outcome(counts={State.COMPLETED: 12_000}, skipped=12_000, started=0))
    assert "nothing to do: all 12,000 items are done already" in text
    text = shown(outcome(counts={State.COMPLETED: 1}, skipped=1, started=0))
    assert "nothing to do: the item is done already" in text


def test_in_a_pipe_paths_stay_whole():
    key = "/media/" + "a-long-folder/" * 12 + "film.mov"
    failure = Failure(key, "encode_failed", "the file has no video")
    result = outcome(
        counts={State.FAILED: 1}, failures=(failure,), failures_by_class={"encode_failed": 1}
    )
    assert key in shown(result)


def test_a_rerun_is_told_as_this_run_was_typed():
    typed = Typed("jobs/night.toml", ".venv/bin/orchestrator", "--manifest in.csv", "--keep-going")
    commands = [command for command, _ in next_steps(failing(1), typed)]
    assert commands[:2] == [
        ".venv/bin/orchestrator run jobs/night.toml --manifest in.csv --keep-going",
        ".venv/bin/orchestrator status jobs/night.toml",
    ]
    refused = next_steps(
        outcome(Ending.REFUSED, counts={}), Typed("night", manifest="--manifest m")
    )
    assert next(refused)[0] == "orchestrator validate night --manifest m"
