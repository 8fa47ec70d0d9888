"""Which of several services an item goes to."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.sharing import Candidate, Shares, choose

NAMES = ("a", "b", "c", "d")

candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(NAMES),
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        st.integers(-2, 3),
        st.integers(-2, 3),
        st.sampled_from(["", "", "busy"]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each.name,
)


@given(candidates, st.sampled_from(["", *NAMES]), st.sampled_from(["", *NAMES]))
def test_only_one_that_can_take_it_is_chosen(
    some: list[Candidate], own: str, failed_at: str
) -> None:
    choice = choose(some, Shares(), own=own, failed_at=failed_at)
    open_ones = {each.name: each for each in some if each.open}
    if choice is not None:
        assert choice.service in open_ones
        assert choice.reason
    if own:
        assert (choice is not None) == (own in open_ones)
        assert choice is None or choice.service == own
        return
    if choice is None:
        # Nobody can, or who has no weight leaves it to one that has a place.
        free = [each for each in some if each.able and not each.trouble and each.places > 0]
        weighty = [each for each in open_ones.values() if each.weight > 0]
        left_to = (not weighty or failed_at) and any(each.weight > 0 for each in free)
        assert not open_ones or left_to
    elif choice.service == failed_at:
        assert list(open_ones) == [failed_at]


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(1, 300), st.integers(0, 50))
def test_the_load_is_shared_by_weight(weights: list[int], number: int, away: int) -> None:
    shares, got = Shares(), Counter[str]()
    some = [Candidate(name, weight) for name, weight in zip(NAMES, weights, strict=False)]
    for _ in range(away):  # the last one can't take anything yet, and saves nothing up
        choose(some[:-1], shares)
    for _ in range(number):
        choice = choose(some, shares)
        assert choice is not None
        got[choice.service] += 1
    total = sum(weights)
    for each in some:
        assert abs(got[each.name] - number * each.weight / total) <= 1 + len(some)


def test_a_free_place_comes_before_a_wait() -> None:
    some = [Candidate("a", 9.0, places=0), Candidate("b", 1.0, places=1)]
    choice = choose(some, Shares())
    assert choice is not None
    assert (choice.service, choice.reason) == ("b", "a is full")


def test_reasons_say_what_kept_the_others_out() -> None:
    some = [Candidate("a", trouble="busy"), Candidate("b"), Candidate("c", able=False)]
    choice = choose(some, Shares())
    assert choice is not None
    assert (choice.service, choice.reason) == ("b", "a is busy")
