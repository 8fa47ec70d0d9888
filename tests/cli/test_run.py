"""``orchestrator run``: what it asks for, what it shows, how it exits."""

import json

import pytest

from orchestrator.cli import exits
from orchestrator.model.errors import AccountProblem, BadInput, LedgerInUse
from orchestrator.model.items import Problem
from orchestrator.model.outcome import Ending, Failure, RunOutcome
from orchestrator.model.states import State
from tests.cli.conftest import Options


def outcome(ending: Ending, **changes) -> RunOutcome:
    return RunOutcome("night", ending, "sqlite:////x/night.db", **changes)


FAILED = {State.COMPLETED: 3, State.FAILED: 2}


@pytest.mark.parametrize(
    ("ending", "counts", "code"),
    [
        (Ending.FINISHED, {State.COMPLETED: 5}, 0),
        (Ending.FINISHED, {}, 0),
        (Ending.FINISHED, FAILED, 1),
        (Ending.REFUSED, {}, 2),
        (Ending.ACCOUNT, FAILED, 3),
        (Ending.BROKEN, FAILED, 4),
        (Ending.CLOSED, {State.COMPLETED: 2, State.UPLOADING: 1, State.PENDING: 3}, 0),
        (Ending.CLOSED, FAILED, 1),
        (Ending.DRAINED, FAILED, 130),
    ],
)
def test_exit_codes(wired, typed, ending, counts, code):
    wired.outcome = outcome(ending, counts=counts)
    assert typed("run", "night").exit_code == code


def test_every_ending_has_an_exit_code_and_the_help_names_it(typed):
    text = " ".join(typed("--help").stdout.replace("│", " ").split())
    for ending in Ending:
        assert f"{exits.exit_code(outcome(ending, counts=FAILED))} " in text


def test_options_reach_the_run(wired, typed):
    args = ["--manifest", "x.csv", "--service", "qencode", "--keep-going", "--limit", "7"]
    assert typed("run", "night", *args).exit_code == 0
    assert wired.calls == [("run", "night", Options("x.csv", "qencode", True, 7))]


def test_several_services_reach_the_run(wired, typed):
    assert typed("run", "night", "--services", "edge, local,").exit_code == 0
    assert wired.calls == [("run", "night", Options(services=("edge", "local")))]


def test_one_service_or_several(wired, typed):
    result = typed("run", "night", "--services", "edge,local", "--service", "edge")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
    assert wired.calls == []


def test_the_summary_names_the_job_as_it_was_typed(wired, typed):
    result = typed("run", "jobs/night.toml")
    assert "finished" in result.stdout
    assert "orchestrator export jobs/night.toml" in result.stdout


def test_a_name_that_the_shell_would_split_is_quoted(wired, typed, here):
    (here / "jobs/night.toml").rename(here / "jobs/two words.toml")
    (here / "jobs/two words.toml").write_text(
        'name = "two"\n' + (here / "jobs/two words.toml").read_text()
    )
    assert "export 'two words' --to" in typed("run", "two words").stdout


def test_notes_and_the_log_keep_off_standard_output(wired, typed, here):
    wired.during = lambda observer: observer.note("qencode is busy")
    result = typed("run", "night")
    assert "qencode is busy" in result.stderr
    assert "qencode is busy" not in result.stdout
    assert (here / ".orchestrator/night.log").is_file()


def test_json_is_the_only_thing_on_standard_output(wired, typed):
    wired.during = lambda observer: observer.note("qencode is busy")
    wired.outcome = outcome(
        Ending.FINISHED,
        counts=FAILED,
        failures=(Failure("k", "encode_failed", "no video"),),
        problems=(Problem("m.csv", "is empty", line=3),),
    )
    result = typed("run", "night", "--json")
    document = json.loads(result.stdout)
    assert document["counts"] == {"completed": 3, "failed": 2}
    assert document["ending"] == "finished"
    assert (document["exit_code"], result.exit_code) == (1, 1)
    assert document["failures"] == [
        {"key": "k", "error_class": "encode_failed", "error": "no video"}
    ]
    assert document["problems"][0]["line"] == 3


# --- when it can't even begin --------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        (BadInput("no such service"), 2, "bad_input"),
        (AccountProblem("the key is refused"), 3, "account"),
        (LedgerInUse("another run has it"), 4, "ledger"),
        (
            ExceptionGroup("x", [ValueError("odd"), AccountProblem("the key is refused")]),
            3,
            "account",
        ),
        (KeyboardInterrupt(), 130, "internal"),
    ],
)
def test_errors_become_a_line_and_an_exit_code(wired, typed, error, code, error_class):
    wired.error = error
    result = typed("run", "night", "--json")
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    document = json.loads(result.stdout)
    assert (document["exit_code"], document["error"]["class"]) == (code, error_class)


def test_what_nobody_foresaw_is_one_line_with_the_traceback_in_the_log(wired, typed, here):
    wired.error = ZeroDivisionError("at https://me:hunter2@host/x")
    result = typed("run", "night")
    assert result.exit_code == 4
    said = result.stderr.strip()
    assert "\n" not in said
    assert "ZeroDivisionError" in said
    assert str(here / ".orchestrator/night.log") in said
    log = (here / ".orchestrator/night.log").read_text()
    assert "Traceback" in log
    assert "hunter2" not in log + said


def test_an_unforeseen_error_outside_a_run_has_a_log_as_well(wired, typed, here):
    wired.error = RuntimeError("odd")
    assert typed("validate", "night").exit_code == 4
    assert "Traceback" in (here / ".orchestrator/orchestrator.log").read_text()


# --- which job is meant ------------------------------------------------------------


@pytest.mark.parametrize("name", ["night", "night.toml", "jobs/night.toml", "./jobs/night.toml"])
def test_ways_to_name_a_job(wired, typed, name):
    assert typed("run", name).exit_code == 0
    assert wired.calls[0][1] == "night"


def test_a_job_beside_the_config_is_found_from_a_folder_below(wired, typed, here, monkeypatch):
    (here / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(here / "deep/er")
    assert typed("run", "night").exit_code == 0


def test_a_misspelt_job_is_answered_with_the_nearest(wired, typed):
    result = typed("run", "nigth")
    assert result.exit_code == 2
    assert result.stderr == "orchestrator: there is no job 'nigth' (did you mean \"night\"?)\n"


def test_no_jobs_at_all(wired, typed, here):
    (here / "jobs/night.toml").unlink()
    assert "job files are in jobs/" in typed("run", "night").stderr


def test_a_bad_config_names_its_line(wired, typed, here):
    (here / "config.toml").write_text("[limits]\nuplods = 3\n")
    result = typed("run", "night", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["problems"][0]["line"] == 2


def test_a_bad_job_names_its_line(wired, typed, here):
    (here / "jobs/night.toml").write_text('manifest = "m.csv"\nqery = 1\n')
    result = typed("run", "night")
    assert result.exit_code == 2
    assert "jobs/night.toml:2: qery" in result.stderr


@pytest.mark.parametrize(
    "args", [["run"], ["run", "night", "--limit", "0"], ["run", "night", "--x"]]
)
def test_wrong_usage(wired, typed, args):
    assert typed(*args).exit_code == 2
