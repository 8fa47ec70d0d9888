import itertools

import pytest

from orchestrator.model.states import IN_FLIGHT, MOVES, SETTLED, State, allowed


def test_every_state_has_its_moves():
    assert set(MOVES) == set(State)


def test_a_state_is_pending_in_flight_or_settled():
    assert {State.PENDING} | IN_FLIGHT | SETTLED == set(State)
    assert not IN_FLIGHT & SETTLED
    assert State.PENDING not in IN_FLIGHT | SETTLED


@pytest.mark.parametrize("state", sorted(SETTLED))
def test_a_settled_item_can_only_be_tried_again(state):
    assert MOVES[state] == {State.PENDING}


@pytest.mark.parametrize("state", sorted({State.PENDING} | IN_FLIGHT))
def test_an_item_that_is_not_settled_can_fail_and_be_cancelled(state):
    assert allowed(state, State.FAILED)
    assert allowed(state, State.CANCELLED)


@pytest.mark.parametrize("state", sorted(IN_FLIGHT))
def test_an_attempt_can_be_given_up_at_every_point(state):
    assert allowed(state, State.PENDING)


def test_nothing_is_completed_without_having_been_collected():
    assert [was for was in State if allowed(was, State.COMPLETED)] == [State.COLLECTING]


def test_nothing_is_encoded_before_the_intent_to_start_is_on_record():
    before = {was for was in State if allowed(was, State.ENCODING)}
    assert before == {State.STARTING, State.ENCODING}
    assert [was for was in State if allowed(was, State.STARTING)] == [State.UPLOADED]


def test_every_state_can_be_reached_from_pending():
    reached = {State.PENDING}
    for _ in State:
        reached |= set(itertools.chain.from_iterable(MOVES[state] for state in reached))
    assert reached == set(State)


def test_the_table_can_not_be_changed():
    with pytest.raises(TypeError):
        MOVES[State.PENDING] = frozenset()
