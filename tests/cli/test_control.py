"""Commands that steer a job: what they ask for, what they print, how they exit."""

import json

import pytest

from orchestrator.ledger.wishes import Answer, Cancel, Limit, Pause, Prioritize, Resume, Retry
from tests.cli.conftest import Options


@pytest.mark.parametrize(
    ("args", "wish"),
    [
        (["prioritize", "night", "--match", "*a*", "--priority", "9"], Prioritize("*a*", 9)),
        (["pause", "night"], Pause()),
        (["resume", "night"], Resume()),
        (["cancel", "night", "--match", "*a*"], Cancel("*a*")),
        (["limits", "night", "--max-in-flight", "7"], Limit(in_flight=7)),
        (
            ["limits", "night", "--uploads=2", "--starts-per-second=0.5", "--bandwidth=10MiB"],
            Limit(uploads=2, starts_per_second=0.5, bandwidth=10 * 2**20),
        ),
        (["retry", "night", "--failed"], Retry(failed=True)),
        (["retry", "night", "--error-class", "stalled"], Retry(error_class="stalled")),
        (["retry", "night", "--match", "*x"], Retry(match="*x")),
    ],
)
def test_what_is_typed_is_what_is_asked(wired, typed, args, wish):
    result = typed(*args)
    assert (result.exit_code, result.stdout) == (0, "night: so be it\n")
    assert wired.calls == [("ask", "night", wish)]


def test_nothing_done_is_exit_code_1_and_said_on_stderr(wired, typed):
    wired.said = Answer(False, "no run of night is under way")
    result = typed("pause", "night")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "orchestrator: no run of night is under way\n"


@pytest.mark.parametrize("done", [True, False])
def test_the_answer_as_json(wired, typed, done):
    wired.said = Answer(done, "so be it", 2, {"pending": 2})
    document = json.loads(typed("cancel", "night", "--match", "*", "--json").stdout)
    assert document == {
        "job": "night",
        "done": done,
        "message": "so be it",
        "changed": 2,
        "states": {"pending": 2},
        "exit_code": 0 if done else 1,
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["retry", "night"], "--failed"),
        (["limits", "night"], "--max-in-flight"),
        (["limits", "night", "--bandwidth", "fast"], "--bandwidth fast: must be a size"),
        (["limits", "night", "--bandwidth", "0"], "--bandwidth 0"),
        (["cancel", "night", "--match", "\udcff*"], "not valid UTF-8"),
        (["cancel", "night"], "--match"),
        (["prioritize", "night", "--match", "*", "--priority", "11"], "Error"),
        (["limits", "night", "--max-in-flight", "0"], "Error"),
    ],
)
def test_wrong_usage_says_what_is_missing(wired, typed, args, words):
    result = typed(*args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not wired.calls


def test_follow_reaches_the_run(wired, typed):
    assert typed("run", "night", "--follow").exit_code == 0
    assert wired.calls == [("run", "night", Options(follow=True))]
