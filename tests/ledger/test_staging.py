"""What SQL settles by itself is what ``decide`` would have said: compared row by row."""

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from orchestrator.ledger import sqlite
from orchestrator.ledger.rows import Candidate
from orchestrator.ledger.staging import SAID, Stage, said
from orchestrator.model.decisions import Action, Known, Version, decide
from orchestrator.model.items import Row
from orchestrator.model.plain import PlainColumns
from orchestrator.model.states import State
from tests.ledger.support import always, empty_ledger, never

VERSIONS = st.sampled_from(["", "v1", "v2"])

#: Every column that a manifest says something in, but for those of the version.
OTHERS = [name for name in SAID if name not in ("key", "fingerprint", "digest")]
BASE = {"source": "/m/a", "priority": 5, "folder": "/out", "line": 2, "weight": 0}


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "demo.db"
    path.write_bytes(empty_ledger().read_bytes())
    engine = sqlite.writing(path)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def staged(connection, fingerprint, digest, changes):
    stage = Stage(connection, 1, 7, 7)
    stage.open()
    values = dict.fromkeys(SAID) | BASE | changes
    values |= {"key": "a", "fingerprint": fingerprint, "digest": digest}
    stage.fill(PlainColumns.of([[values[name]] for name in SAID]))
    return stage


def on_record(connection, known, seen):
    values = BASE | {
        "id": 1,
        "job_id": 1,
        "key": "a",
        "first_run": 1,
        "attempts": 0,
        "due_at": 0.0,
        "updated_at": 0.0,
        "seen_run": seen,
        "state": known.state.value,
        "fingerprint": known.version.fingerprint,
        "digest": known.version.digest,
        "error_class": known.error_class,
    }
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text("INSERT OR IGNORE INTO jobs (id, name) VALUES (1, 'demo')"))
    connection.execute(text(f"INSERT INTO items ({names}) VALUES ({places})"), values)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    state=st.just(State.COMPLETED) | st.sampled_from(State),
    then=st.tuples(VERSIONS, VERSIONS),
    now=st.tuples(VERSIONS, VERSIONS),
    seen=st.sampled_from([7, 7, -1]),
    changed=st.none() | st.sampled_from(OTHERS),
)
@pytest.mark.slow
def test_rows_that_sql_settles_are_those_that_decide_skips(writer, state, then, now, seen, changed):
    error_class = "encode_failed" if state is State.FAILED else None
    known = Known(state, Version(*then), error_class)
    changes = {} if changed is None else {changed: 9}
    transaction = writer.begin()
    try:
        on_record(writer, known, seen)
        stage = staged(writer, *now, changes)
        settled = stage.settled()
        (compared,) = stage.compare()
    finally:
        transaction.rollback()
    actions = {decide(known, Version(*now), retry).action for retry in (never, always)}
    heavier = changed == "weight" and state is not State.PENDING
    as_before = (changed is None or heavier) and seen == 7
    # A version that becomes known has to be put on record.
    same = as_before and all(new in ("", old) for old, new in zip(then, now, strict=True))
    assert compared[1] == same
    assert bool(settled) == (same and actions == {Action.SKIP})


def test_what_becomes_known_is_not_settled(writer):
    for then, now in product(("", "v1"), repeat=2):
        transaction = writer.begin()
        on_record(writer, Known(State.COMPLETED, Version(then, "d")), 7)
        settled = staged(writer, now, "d", {}).settled()
        transaction.rollback()
        assert bool(settled) == (now in ("", then))


def test_what_is_said_stands_in_its_columns():
    row = Row("k", "/s", (), 3, "p", (), {}, "f", 8, 4, 1.5)
    now = Candidate(row, "d", "/out", None, "[]", "{}")
    assert dict(zip(SAID, said(now, 6), strict=True)) == {
        "key": "k",
        "source": "/s",
        "stitch": None,
        "priority": 3,
        "payload": "p",
        "tags": "[]",
        "fields": "{}",
        "fingerprint": "f",
        "digest": "d",
        "folder": "/out",
        "size": 8,
        "duration": 1.5,
        "line": 4,
        "weight": 6,
    }
