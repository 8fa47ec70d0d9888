import dataclasses

import pytest

from orchestrator.model.items import Attempt, Item, Problem
from orchestrator.model.states import State

ITEM = Item(id=1, key="a", state=State.PENDING, source="/media/a.mp4")
ATTEMPT = Attempt(number=1, service="qencode", fingerprint="f", digest="d")


@pytest.mark.parametrize(
    ("source", "local"),
    [
        ("/media/a.mp4", True),
        ("https://host/a.mp4", False),
        ("s3://bucket/a", False),
        (None, False),
    ],
)
def test_a_local_source_is_a_path(source, local):
    assert dataclasses.replace(ITEM, source=source).is_local is local


def test_a_step_is_a_new_snapshot():
    now = ITEM.to(State.UPLOADING, attempts=1, attempt=ATTEMPT)
    assert (now.state, now.attempts, now.attempt) == (State.UPLOADING, 1, ATTEMPT)
    assert (ITEM.state, ITEM.attempts, ITEM.attempt) == (State.PENDING, 0, None)


def test_noting_changes_the_attempt_alone():
    item = ITEM.to(State.UPLOADING, attempts=1, attempt=ATTEMPT)
    now = item.noting(State.UPLOADED, remote_source="tus:1")
    assert now.attempt == dataclasses.replace(ATTEMPT, remote_source="tus:1")
    assert now == item.to(State.UPLOADED, attempt=now.attempt)


def test_noting_without_an_attempt_names_the_item_and_what_was_to_be_noted():
    with pytest.raises(ValueError, match="a has no attempt to note task, upload_url on"):
        ITEM.noting(State.UPLOADING, task="t", upload_url="u")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("m.csv", "is empty"), "m.csv: is empty"),
        (Problem("m.csv", "is empty", line=3), "m.csv:3: is empty"),
        (
            Problem("m.csv", "is no number", field="priority", line=3),
            "m.csv:3: priority: is no number",
        ),
        (Problem("m.csv", "is empty", hint="fill it"), "m.csv: is empty (fill it)"),
    ],
)
def test_a_problem_says_where_what_and_what_to_do(problem, text):
    assert str(problem) == text
