"""What every implementation of ``model.ports.Ledger`` must do.

Subclass ``LedgerContract`` and give it a fixture ``ledger``: one that has begun
a run over ``support.rows(5)``, with ``clock`` as its clock.
"""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.model.errors import IllegalMove, Superseded
from orchestrator.model.items import Change, Output
from orchestrator.model.states import IN_FLIGHT, State
from tests.ledger.support import ONWARD, begin, bring_to

OUTPUTS = (
    Output("video-0-0", "video", "s3://b/0.mp4", user_tag="hd", size=7, duration=1.5, bitrate=900),
    Output(
        "image-0-0", "image", "s3://b/0.jpg", path="/out/0.jpg", meta={"width": 64, "list": [1]}
    ),
)


class LedgerContract:
    async def test_pending_items_come_by_priority_then_in_the_manifests_order(self, ledger):
        keys = [item.key for item in await ledger.pending(10, ())]
        assert keys == [f"item-{number:05d}" for number in range(5)]

    async def test_pending_leaves_out_what_is_to_be_skipped_and_fills_up_the_page(self, ledger):
        first, second, *_ = await ledger.pending(10, ())
        page = await ledger.pending(2, {first.id, second.id})
        assert [item.key for item in page] == ["item-00002", "item-00003"]

    async def test_an_item_comes_back_as_it_was_posted(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        now = replace(
            begin(
                item,
                upload_to="/v1/upload",
                upload_url="/v1/upload/1",
                remote_source="tus:1",
                status_url="/status",
                error_class="stalled",
                error="no bytes for 60 s: ü",
            ),
            fingerprint="f2",
            digest="d2",
            size=11,
            due_at=5.0,
            error_class="stalled",
            error="no bytes for 60 s",
        )
        await ledger.post(Change(now, item.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [now]

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"fingerprint": "f2"},
            {"digest": "d2"},
            {"size": 11},
            {"due_at": 5.0},
            {"error_class": "stalled", "error": "no bytes for 60 s"},
        ],
        ids=lambda changes: " ".join(changes) or "its state",
    )
    async def test_what_is_new_since_the_step_before_is_written(self, ledger, changes):
        item = (await ledger.pending(1, ()))[0]
        begun = begin(item)
        await ledger.post(Change(begun, item.state, since=item))
        now = begun.to(State.UPLOADED, **changes)
        await ledger.post(Change(now, begun.state, since=begun))
        noted = now.noting(State.STARTING, status_url="/status")
        await ledger.post(Change(noted, now.state, since=now))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [noted]

    async def test_every_step_of_the_straight_way_is_on_record(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        now = begin(item)
        await ledger.post(Change(now, item.state))
        for state in ONWARD:
            assert await ledger.in_flight([now.state], 0, 10) == [now]
            was, now = now, now.to(state)
            await ledger.post(Change(now, was.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == []
        assert item.key not in [each.key for each in await ledger.pending(10, ())]

    async def test_in_flight_goes_on_after_a_number(self, ledger):
        items = [begin(item) for item in await ledger.pending(3, ())]
        await asyncio.gather(*(ledger.post(Change(item, State.PENDING)) for item in items))
        assert await ledger.in_flight([State.UPLOADING], 0, 2) == items[:2]
        assert await ledger.in_flight([State.UPLOADING], items[1].id, 2) == items[2:]
        assert await ledger.in_flight([State.ENCODING], 0, 2) == []

    async def test_an_item_back_at_pending_has_given_its_attempt_up(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        tried = begin(item)
        await ledger.post(Change(tried, item.state))
        await ledger.post(Change(tried.to(State.PENDING), tried.state))
        again = (await ledger.pending(1, ()))[0]
        assert (again.attempt, again.attempts) == (None, 1)
        second = begin(again)
        await ledger.post(Change(second, again.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [second]

    async def test_an_item_is_not_fed_before_it_is_due(self, ledger, clock):
        item = (await ledger.pending(1, ()))[0]
        tried = begin(item)
        due = clock.now() + 60
        await ledger.post(Change(tried, item.state))
        assert await ledger.next_due(clock.now()) is None
        await ledger.post(Change(tried.to(State.PENDING, due_at=due), tried.state))
        assert item.key not in [each.key for each in await ledger.pending(10, ())]
        assert await ledger.next_due(clock.now()) == due
        clock.time = due
        assert item.key == (await ledger.pending(10, ()))[0].key
        assert await ledger.next_due(clock.now()) is None
        assert await ledger.next_due(due - 1) == due

    async def test_outputs_come_back_in_their_order(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        assert await ledger.outputs(item) == ()
        item = await bring_to(ledger, item, State.COLLECTING, outputs=OUTPUTS)
        assert await ledger.outputs(item) == OUTPUTS

    async def test_outputs_are_replaced_and_belong_to_their_attempt(self, ledger):
        item = await bring_to(
            ledger, (await ledger.pending(1, ()))[0], State.COLLECTING, outputs=OUTPUTS
        )
        done = item.to(State.COMPLETED)
        await ledger.post(Change(done, item.state, outputs=OUTPUTS[1:]))
        assert await ledger.outputs(done) == OUTPUTS[1:]
        await ledger.post(Change(done.to(State.PENDING), done.state))
        again = next(each for each in await ledger.pending(10, ()) if each.id == item.id)
        assert await ledger.outputs(begin(again)) == ()

    async def test_a_move_that_is_not_in_the_table_is_refused_at_once_with_the_history(
        self, ledger
    ):
        item = await bring_to(ledger, (await ledger.pending(1, ()))[0], State.UPLOADED)
        with pytest.raises(IllegalMove) as refusal:
            ledger.post(Change(item.to(State.COMPLETED), item.state))
        assert len(refusal.value.history) == 2
        assert "uploading to uploaded" in refusal.value.history[-1]

    async def test_steps_of_one_item_may_be_posted_without_waiting(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        first = begin(item)
        second = first.noting(State.UPLOADING, upload_url="/1")
        third = second.noting(State.UPLOADED, remote_source="tus:1")
        ledger.post(Change(first, item.state))
        ledger.post(Change(second, first.state))
        await ledger.post(Change(third, second.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [third]

    async def test_a_step_from_before_another_attempt_changes_nothing(self, ledger):
        """A process wakes up after another one has given the attempt up and begun its own."""
        item = (await ledger.pending(1, ()))[0]
        mine = begin(item)
        await ledger.post(Change(mine, item.state))
        await ledger.post(Change(mine.to(State.PENDING), mine.state))
        theirs = begin(mine.to(State.PENDING))
        await ledger.post(Change(theirs, State.PENDING))
        with pytest.raises(Superseded, match=item.key):
            await ledger.post(Change(mine.to(State.UPLOADED), mine.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [theirs]

    async def test_an_attempt_that_another_process_has_begun_is_not_begun_again(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        theirs = begin(item, remote_source="theirs")
        await ledger.post(Change(theirs, item.state))
        with pytest.raises(Superseded):
            await ledger.post(Change(begin(item, remote_source="mine"), item.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [theirs]

    async def test_a_step_of_the_same_attempt_that_was_taken_already_is_not_taken_again(
        self, ledger
    ):
        """A process wakes up after another one has followed the same encode to its end."""
        item = await bring_to(ledger, (await ledger.pending(1, ()))[0], State.ENCODING)
        collecting = item.to(State.COLLECTING)
        await ledger.post(Change(collecting, item.state))
        with pytest.raises(Superseded):
            await ledger.post(Change(item.to(State.FAILED, error_class="x"), item.state))
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [collecting]

    async def test_an_attempt_begun_and_given_up_elsewhere_is_not_begun_over(self, ledger):
        """The item stands at pending again, as this process thinks it always did."""
        item = (await ledger.pending(1, ()))[0]
        theirs = begin(item)
        await ledger.post(Change(theirs, item.state))
        await ledger.post(Change(theirs.to(State.PENDING), theirs.state))
        with pytest.raises(Superseded):
            await ledger.post(Change(begin(item), item.state))

    async def test_the_other_steps_of_a_batch_are_written(self, ledger):
        one, two, three = await ledger.pending(3, ())
        good = [begin(one), begin(three)]
        answers = await asyncio.gather(
            ledger.post(Change(good[0], one.state)),
            ledger.post(Change(begin(two).to(State.ENCODING), State.STARTING)),
            ledger.post(Change(good[1], three.state)),
            return_exceptions=True,
        )
        assert answers[0] is answers[2] is None
        assert isinstance(answers[1], Superseded)
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == good

    async def test_steps_after_one_that_was_superseded_are_superseded_too(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        lost = begin(item).to(State.STARTING)
        ledger.post(Change(lost, State.UPLOADED))
        with pytest.raises(Superseded):
            await ledger.post(Change(lost.to(State.ENCODING), lost.state))

    async def test_an_item_can_fail_before_its_first_attempt_and_with_it(self, ledger):
        one, two = await ledger.pending(2, ())
        without = one.to(State.FAILED, error_class="source_missing", error="gone")
        having = begin(two).to(State.FAILED, error_class="account", error="no")
        await asyncio.gather(
            ledger.post(Change(without, one.state)), ledger.post(Change(having, two.state))
        )
        await ledger.post(Change(having.to(State.PENDING), having.state))
        again = next(each for each in await ledger.pending(10, ()) if each.id == two.id)
        assert again.attempts == 1
        kept = again.to(State.CANCELLED, attempt=having.attempt)
        await ledger.post(Change(kept, again.state))

    async def test_cancelling_who_waits_does_not_take_the_step_back(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        now = begin(item)
        waiting = asyncio.ensure_future(ledger.post(Change(now, item.state)))
        waiting.cancel()
        second = now.noting(State.UPLOADING, upload_url="/1")
        await ledger.post(Change(second, now.state))
        assert waiting.cancelled()
        assert await ledger.in_flight(IN_FLIGHT, 0, 10) == [second]

    async def test_a_snapshot_that_contradicts_itself_is_refused(self, ledger):
        item = (await ledger.pending(1, ()))[0]
        with pytest.raises(ValueError, match="needs an attempt"):
            ledger.post(Change(item.to(State.UPLOADING), item.state))
        with pytest.raises(ValueError, match="attempt 1 is not the last of 0"):
            ledger.post(Change(replace(begin(item), attempts=0), item.state))
