import re

import pytest

from orchestrator.model import errors
from orchestrator.model.errors import (
    AccountProblem,
    Busy,
    IllegalMove,
    LedgerInUse,
    LedgerProblem,
    OrchestratorError,
    OutcomeUnknown,
    Permanent,
    Transient,
)

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, OrchestratorError)
]
FAMILIES = (Transient, Busy, Permanent, AccountProblem, OutcomeUnknown)


@pytest.mark.parametrize("error", ALL)
def test_every_error_has_a_short_class_word_and_says_when_it_is_raised(error):
    assert re.fullmatch(r"[a-z_]+", error.error_class)
    assert error.__doc__


def test_class_words_name_one_error_each():
    words = [error.error_class for error in ALL if error is not LedgerInUse]
    assert len(set(words)) == len(words)
    assert LedgerInUse.error_class == LedgerProblem.error_class


@pytest.mark.parametrize("error", ALL)
def test_an_error_is_of_one_family_at_most(error):
    assert sum(issubclass(error, family) for family in FAMILIES) <= 1


def test_busy_carries_the_services_delay():
    assert Busy("later", 12.5).delay == 12.5
    assert Busy("later").delay is None


def test_an_illegal_move_tells_the_items_history():
    error = IllegalMove("a", "pending", "completed", ["one", "two"])
    assert str(error) == "a: no move from pending to completed; its history:\n  one\n  two"
    assert "its history: none" in str(IllegalMove("a", "pending", "completed"))
