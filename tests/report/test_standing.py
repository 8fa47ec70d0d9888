"""How a job stands, and what a check found, for a person."""

import io

import pytest
from rich.console import Console

from orchestrator.model.outcome import Failure
from orchestrator.model.states import State
from orchestrator.report.findings import Finding
from orchestrator.report.findings_table import print_findings
from orchestrator.report.standing import Flying, LastRun, Standing, print_standing
from orchestrator.report.typed import Typed

RUN = LastRun(3, "local", 1_000.0, 1_065.0, "finished")


def shown(standing: Standing, width: int = 80) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, _environ={})
    print_standing(standing, console, Typed("night"), now=2_000.0)
    return file.getvalue()


def standing(**changes) -> Standing:
    base = {
        "counts": {State.COMPLETED: 120_000, State.FAILED: 40, State.ENCODING: 25},
        "earlier": 7,
        "flying": [Flying(f"/m/{n}.mov", State.ENCODING, 2_000.0 - 125) for n in range(25)],
        "failures": [Failure(f"/m/{n}.mov", "encode_failed", f"reason {n}") for n in range(39)]
        + [Failure("/m/gone.mov", "source_missing", "is not there")],
        "by_class": {"source_missing": 1, "encode_failed": 39},
        "run": RUN,
    }
    return Standing("night", "sqlite:////x/night.db", **(base | changes))


def test_what_is_under_way_and_since_when():
    text = shown(standing())
    assert text.count("encoding  2 min 05 s") == 10
    assert "and 15 more items" in text


def test_failures_by_class_with_examples():
    text = shown(standing())
    assert text.index("encode_failed  39 items") < text.index("source_missing  1 item ")
    assert "reason 2" in text
    assert "reason 3" not in text
    assert "and 36 more" in text
    assert "is not there" in text


def test_numbers():
    text = shown(standing())
    assert "120,000" in text
    assert "120,065" in text
    assert "took 1 min 05 s" in text


def test_how_the_last_run_ended_is_said_in_words():
    assert "stopped as asked; began" in shown(standing(run=LastRun(1, "l", 1.0, 2.0, "drained")))
    assert "interrupted; began" in shown(standing(run=LastRun(1, "l", 1.0, 2.0, "interrupted")))
    assert "has not run yet" in shown(Standing("night", "sqlite:////x/night.db"))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits(width):
    assert all(len(line) <= width for line in shown(standing(), width).splitlines())


def test_what_others_wrote_can_neither_upset_the_terminal_nor_pass_for_markup():
    few = [Failure("/m/\x1b[2J[red]a.mov", "encode_failed", "[bold]\x07")]
    text = shown(standing(failures=few, by_class={"encode_failed": 1}))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]a.mov" in text


def test_findings():
    file = io.StringIO()
    findings = [
        Finding("ffmpeg", True, "7.1", "not needed"),
        Finding("Job", False, "a.toml:1: bad\na.toml:2: worse", "correct it"),
    ]
    print_findings(findings, Console(file=file, width=70, _environ={}))
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "✓  ffmpeg  7.1",
        "✗  Job     a.toml:1: bad",
        "           a.toml:2: worse",
        "           → correct it",
        "",
        "1 to put right",
    ]
