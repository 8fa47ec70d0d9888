"""The other commands."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator import __version__
from orchestrator.config import Config
from orchestrator.model.items import Problem
from orchestrator.model.outcome import Failure
from orchestrator.model.states import State
from orchestrator.query import Job
from orchestrator.report.findings import Finding
from orchestrator.report.logs import configure_logging
from tests.cli.conftest import Options


def planned(number: int):
    return [
        SimpleNamespace(
            key=f"/m/{n}.mov", action="new" if n % 2 else "skip", reason="x", priority=5, row=None
        )
        for n in range(number)
    ]


def test_a_dry_run_into_a_pipe_shows_everything(wired, typed):
    wired.planned = planned(500)
    result = typed("run", "night", "--dry-run", "--limit", "3")
    lines = result.stdout.splitlines()
    assert lines[1] == "new\t/m/1.mov\tx"
    assert len([line for line in lines if "\t" in line]) == 500
    assert "500  in all; nothing was done" in lines[-1]
    assert wired.calls == [("plan", "night", Options(limit=3))]


def test_a_dry_run_on_a_terminal_shows_a_screenful(wired, monkeypatch, capsys):
    from orchestrator.cli import plan

    configure_logging(None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    wired.planned = planned(500)
    job = Job(name="night", path=Path("night.toml"), manifest="m.csv", query={"format": []})
    plan.show_plan(SimpleNamespace(config=Config(), job=job), Options(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 22
    assert all(len(line) <= 60 for line in lines)
    assert "and 484 more" in lines[16]
    assert any("250  skip" in line for line in lines)


def test_a_dry_run_as_json(wired, typed):
    wired.planned = planned(3)
    document = json.loads(typed("run", "night", "--dry-run", "--json").stdout)
    assert document["totals"] == {"skip": 2, "new": 1}
    assert document["items"][1] == {
        "key": "/m/1.mov",
        "action": "new",
        "reason": "x",
        "priority": 5,
    }


def test_validate_says_all_is_good(wired, typed):
    result = typed("validate", "night", "--manifest", "x.csv")
    assert (result.exit_code, result.stdout) == (0, "night: 3 rows read, all good\n")
    assert wired.calls == [("validate", "night", Options("x.csv"))]


def test_validate_lists_problems(wired, typed):
    found = [Problem("m.csv", "is empty", "give a path", n, "source") for n in (2, 9)]
    wired.problems = (found, 1002, 5000)
    result = typed("validate", "night")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "m.csv:2: source: is empty (give a path)",
        "m.csv:9: source: is empty (give a path)",
        "and 1,000 more",
        "night: 5,000 rows read, 1,002 problems",
    ]
    document = json.loads(typed("validate", "night", "--json").stdout)
    assert (document["problems_total"], document["exit_code"]) == (1002, 2)


def test_export(wired, typed, here):
    result = typed("export", "night", "--to", "out.csv")
    assert (result.exit_code, result.stdout) == (0, "3 rows written to out.csv\n")


@pytest.mark.parametrize(
    ("to", "words"), [("out.xlsx", ".csv or .jsonl"), ("no/such/out.csv", "no folder")]
)
def test_export_to_a_place_that_cannot_be(wired, typed, to, words):
    result = typed("export", "night", "--to", to)
    assert result.exit_code == 2
    assert words in result.stderr
    assert wired.calls == []


def test_serve_says_where(wired, typed, here):
    result = typed("serve", "--listen", "127.0.0.1:9")
    assert result.exit_code == 0
    assert "serving at http://127.0.0.1:8080" in result.stdout
    assert (here / ".orchestrator/serve.log").is_file()
    assert wired.calls == [("serve", "127.0.0.1:9")]


def test_doctor_with_good_news(wired, typed):
    wired.findings = [Finding("ffmpeg", True, "7.1", "a hint that is not needed")]
    result = typed("doctor")
    assert result.exit_code == 0
    assert "✓  ffmpeg  7.1" in result.stdout
    assert "hint" not in result.stdout
    assert "ready to run" in result.stdout


def test_doctor_with_bad_news(wired, typed):
    wired.findings = [Finding("ffmpeg", True, "7.1"), Finding("Disk", False, "full", "make room")]
    result = typed("doctor", "--service", "qencode")
    assert result.exit_code == 1
    assert "✗  Disk" in result.stdout
    assert "→ make room" in result.stdout
    assert "1 to put right" in result.stdout
    assert wired.calls == [("diagnose", ("qencode",))]
    document = json.loads(typed("doctor", "--json").stdout)
    assert [each["ok"] for each in document["findings"]] == [True, False]


def test_doctor_takes_a_job_and_asks_its_service(wired, typed, here):
    file = here / "jobs/night.toml"
    file.write_text('service = "qencode"\n' + file.read_text())
    assert "✓  Job  night" in typed("doctor", "night").stdout
    assert wired.calls == [("diagnose", ("qencode",))]


def test_doctor_asks_each_service_of_a_job_that_has_several(wired, typed, here):
    file = here / "jobs/night.toml"
    file.write_text('services = ["qencode", "local"]\n' + file.read_text())
    typed("doctor", "night")
    typed("doctor", "night", "--service", "edge")
    typed("doctor", "night", "--services", "edge, local")
    typed("doctor", "--services", "edge,local")
    assert [services for _, services in wired.calls] == [
        ("qencode", "local"),
        ("edge",),
        ("edge", "local"),
        ("edge", "local"),
    ]
    wired.calls.clear()
    assert typed("doctor", "--service", "edge", "--services", "local").exit_code == 2
    assert not wired.calls


def test_doctor_finds_a_bad_config_and_a_bad_job(wired, typed, here):
    assert "✗  Job" in typed("doctor", "nigth").stdout
    (here / "config.toml").write_text("[limits]\nuplods = 3\n")
    result = typed("doctor")
    assert result.exit_code == 1
    assert "✗  Settings" in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        ["run", "night"],
        ["run", "night", "--dry-run"],
        ["validate", "night"],
        ["status", "night"],
        ["export", "night", "--to", "out.csv"],
        ["doctor"],
        ["doctor", "night"],
        ["samples", "clips"],
        ["serve"],
    ],
)
def test_log_lines_keep_off_the_terminal(wired, typed, args):
    wired.reader = reader()
    result = typed(*args)
    assert result.exit_code == 0
    assert wired.calls
    assert "a line for the log" not in result.output


def test_samples(wired, typed, here):
    assert typed("samples", "clips").stdout == "2 clips in clips\n"


def test_version(typed):
    assert typed("--version").stdout == f"orchestrator {__version__}\n"


def test_without_arguments_it_helps(typed):
    assert "status" in typed().output


def last_run(**changes):
    base = {"number": 3, "service": "local", "started_at": 1e9, "ended_at": None, "outcome": None}
    base |= {"pid": os.getpid(), "host": socket.gethostname()}
    return SimpleNamespace(**(base | changes))


def reader(**changes):
    base = {
        "counts": lambda: {State.COMPLETED: 4, State.FAILED: 2, State.ENCODING: 1},
        "earlier": lambda: {State.COMPLETED: 9},
        "by_error_class": lambda: {"encode_failed": 2},
        "failures": lambda limit: [
            Failure(f"/m/{n}.mov", "encode_failed", "no video") for n in range(2)
        ],
        "in_flight": lambda limit: [
            SimpleNamespace(key="/m/7.mov", state=State.ENCODING, since=1.0)
        ],
        "paused": lambda: False,
        "last_run": lambda: last_run(ended_at=1e9 + 65, outcome="finished"),
    }
    return SimpleNamespace(**(base | changes))


def test_status(wired, typed):
    wired.reader = reader()
    text = typed("status", "night").stdout
    assert "run 3 at local: finished" in text
    assert "took 1 min 05 s" in text
    assert "completed" in text
    assert "no longer in the manifest" in text
    assert "encode_failed  2 items" in text
    assert text.count("no video") == 2
    assert "/m/7.mov" in text
    assert "orchestrator export night --to night.csv" in text


def test_status_while_a_run_goes_on(wired, typed):
    wired.reader = reader(last_run=last_run)
    assert "run 3 at local: going on since" in typed("status", "night").stdout


def test_status_of_a_paused_run(wired, typed):
    wired.reader = reader(last_run=last_run, paused=lambda: True)
    assert "run 3 at local: paused; began" in typed("status", "night").stdout


def test_status_after_a_run_that_was_killed(wired, typed):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    wired.reader = reader(last_run=lambda: last_run(pid=gone.pid))
    assert "ended without a word" in typed("status", "night").stdout
    wired.reader = reader(last_run=lambda: last_run(pid=gone.pid, host="another"))
    assert "going on since" in typed("status", "night").stdout


def test_status_before_the_first_run(wired, typed):
    wired.reader = reader(
        last_run=lambda: None,
        counts=dict,
        earlier=dict,
        by_error_class=dict,
        failures=lambda limit: [],
        in_flight=lambda limit: [],
    )
    assert "has not run yet" in typed("status", "night").stdout


def test_status_as_json(wired, typed):
    wired.reader = reader()
    document = json.loads(typed("status", "night", "--json").stdout)
    assert document["counts"] == {"completed": 4, "failed": 2, "encoding": 1}
    assert document["flying"] == [{"key": "/m/7.mov", "state": "encoding", "since": 1.0}]
    assert document["run"]["outcome"] == "finished"
