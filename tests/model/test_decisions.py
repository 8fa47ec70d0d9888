import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.decisions import Action, Known, Version, decide
from orchestrator.model.states import IN_FLIGHT, SETTLED, State

V1 = Version("f1", "d1")


def retry_transient(error_class):
    return error_class == "transient"


TABLE = [
    # was, version then, error class, version now: action, reason
    (State.PENDING, V1, None, V1, Action.KEEP, "still to do"),
    (State.PENDING, V1, None, Version("f2", "d2"), Action.KEEP, "still to do"),
    (State.COMPLETED, V1, None, V1, Action.SKIP, "already completed"),
    (State.COMPLETED, V1, None, Version("f2", "d1"), Action.AGAIN, "source changed"),
    (State.COMPLETED, V1, None, Version("f1", "d2"), Action.AGAIN, "query changed"),
    (State.COMPLETED, V1, None, Version("f2", "d2"), Action.AGAIN, "source changed"),
    (State.COMPLETED, V1, None, Version("", "d1"), Action.SKIP, "already completed"),
    (State.COMPLETED, Version("", ""), None, V1, Action.SKIP, "already completed"),
    (State.COMPLETED, V1, None, Version("", "d2"), Action.AGAIN, "query changed"),
    (State.ENCODING, V1, None, V1, Action.REATTACH, "under way: encoding"),
    (
        State.ENCODING,
        V1,
        None,
        Version("f2", "d1"),
        Action.AGAIN,
        "source changed; the old encode is left to the service",
    ),
    (State.FAILED, V1, "transient", V1, Action.AGAIN, "failed before: transient"),
    (
        State.FAILED,
        V1,
        "encode_failed",
        V1,
        Action.LEAVE_FAILED,
        "failed before: encode_failed; not retried",
    ),
    (State.FAILED, V1, None, V1, Action.LEAVE_FAILED, "failed before: error; not retried"),
    (State.FAILED, V1, "encode_failed", Version("f2", "d1"), Action.AGAIN, "source changed"),
    (State.FAILED, Version("", ""), "bad_input", V1, Action.AGAIN, "its row can be read now"),
    (State.CANCELLED, V1, None, V1, Action.LEAVE_CANCELLED, "was cancelled"),
    (State.CANCELLED, V1, None, Version("f2", "d2"), Action.LEAVE_CANCELLED, "was cancelled"),
]


@pytest.mark.parametrize(("state", "then", "error", "now", "action", "reason"), TABLE)
def test_a_rerun_decides_by_the_table(state, then, error, now, action, reason):
    decision = decide(Known(state, then, error), now, retry_transient)
    assert (decision.action, decision.reason) == (action, reason)


def test_a_row_not_seen_before_is_new():
    assert decide(None, V1, retry_transient).action is Action.NEW


versions = st.builds(Version, st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "b"]))
known = st.builds(
    Known, st.sampled_from(State), versions, st.sampled_from([None, "transient", "x"])
)


@given(known, versions)
def test_the_same_version_is_never_encoded_twice(known, now):
    """What is done or under way is begun again only for a version that differs."""
    action = decide(known, now, lambda _: True).action
    if known.state in IN_FLIGHT | {State.COMPLETED} and not known.version.difference(now):
        assert action in {Action.SKIP, Action.REATTACH}


@given(known, versions)
def test_nothing_is_lost(known, now):
    """What is not settled is worked on; what has another version is not skipped."""
    action = decide(known, now, lambda _: False).action
    if known.state not in SETTLED:
        assert action in {Action.KEEP, Action.REATTACH, Action.AGAIN}
    if known.version.difference(now) and known.state is not State.CANCELLED:
        assert action in {Action.AGAIN, Action.KEEP}


@given(versions, versions)
def test_versions_differ_both_ways_or_not_at_all(one, other):
    assert one.difference(other) == other.difference(one)
    assert one.difference(one) == ""
