"""Wishes: from another connection into the ledger, and the answers back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ledger import LedgerReader
from orchestrator.ledger.wishes import (
    EXPIRED,
    Answer,
    Cancel,
    Limit,
    Pause,
    Prioritize,
    Resume,
    Retry,
    decoded,
    encoded,
    mailbox,
)
from orchestrator.model.errors import LedgerProblem
from orchestrator.model.outcome import Ending
from tests.ledger.support import rows, take_in

YES = Answer(True, "so be it", 3, {"pending": 3})


@given(
    st.one_of(
        st.builds(Prioritize, st.text(), st.integers(0, 10)),
        *(st.builds(kind) for kind in (Cancel, Retry, Pause, Resume)),
        st.builds(
            Limit,
            in_flight=st.none() | st.integers(1, 99),
            uploads=st.none(),
            starts_per_second=st.none() | st.floats(0.1, 9),
            bandwidth=st.none() | st.integers(1, 2**40),
        ),
    )
)
def test_a_wish_is_read_as_it_was_written(wish):
    assert decoded(encoded(wish)) == wish


@pytest.mark.parametrize("text", ['{"kind": "dance"}', '{"kind": "cancel", "softly": true}', "{}"])
def test_a_wish_of_another_version_is_not_understood(text):
    assert decoded(text) is None


async def test_a_wish_finds_the_run_and_its_answer_the_way_back(opened, url, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        assert await ledger.wishes() == []
        with mailbox(url, "demo") as box:
            number = box.post(Cancel("*.mov"), clock.now())
            assert box.answer(number) is None
            assert await ledger.wishes() == [(number, Cancel("*.mov"))]
            await ledger.answer(number, YES)
            assert box.answer(number) == YES
        assert await ledger.wishes() == []


async def test_wishes_are_taken_up_in_their_order_and_by_their_job_alone(opened, url, clock):
    async with opened("other"):
        pass
    async with opened() as ledger:
        with mailbox(url, "demo") as box, mailbox(url, "other") as other:
            other.post(Pause(), clock.now())
            for wish in (Pause(), Resume()):
                box.post(wish, clock.now())
        assert [wish for _, wish in await ledger.wishes()] == [Pause(), Resume()]


async def test_what_no_run_took_up_never_comes_true(opened, url, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        with mailbox(url, "demo") as box:
            left = box.post(Cancel("*"), clock.now())
    async with opened() as ledger:
        await ledger.begin_run("qencode", "m.csv", {})
        assert await ledger.wishes() == []
        with mailbox(url, "demo") as box:
            assert box.answer(left) == EXPIRED
            late = box.post(Pause(), clock.now())
            await ledger.end_run(Ending.FINISHED)
            assert box.answer(late) == EXPIRED


async def test_a_job_that_never_ran_has_no_mailbox(opened, url):
    async with opened():
        pass
    with pytest.raises(LedgerProblem, match="nothing of the job unknown"), mailbox(url, "unknown"):
        pass


async def test_a_paused_run_says_so_until_it_is_resumed_or_over(opened, url, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(1))
        reader = LedgerReader(url, "demo")
        for wish, paused in ((Pause(), True), (Resume(), False), (Pause(), True)):
            clock.time += 1
            await ledger.record(wish, YES)
            assert reader.paused() is paused
        await ledger.record(Resume(), Answer(False, "no"))
        assert reader.paused()
        clock.time += 1
        await ledger.end_run(Ending.DRAINED)
        assert not reader.paused()
        clock.time += 1
        await ledger.begin_run("qencode", "m.csv", {})
        assert not reader.paused()


async def priorities(ledger):
    await take_in(ledger, rows(3))
    return [item.priority for item in await ledger.pending(10, ())]


async def test_a_priority_given_by_hand_holds_until_a_run_has_finished(opened, clock):
    async with opened() as ledger:
        await take_in(ledger, rows(3))
        await ledger.record(Prioritize("*2", 9), YES)
        clock.time += 1
        await ledger.end_run(Ending.DRAINED)
        clock.time += 1
        assert await priorities(ledger) == [9, 5, 5]
        clock.time += 1
        await ledger.end_run(Ending.FINISHED)
        clock.time += 1
        assert await priorities(ledger) == [5, 5, 5]
        await ledger.record(Prioritize("*1", 8), YES)
        clock.time += 1
        assert await priorities(ledger) == [8, 5, 5]
