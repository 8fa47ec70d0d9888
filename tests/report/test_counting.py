"""What a run did, counted on the way to whoever shows it."""

from unittest.mock import Mock, call

from orchestrator.model.ports import Phase
from orchestrator.model.states import State
from orchestrator.report import Counting, QuietObserver


def test_everything_is_passed_on(item):
    inner = Mock(spec=QuietObserver)
    counting = Counting(inner)
    counting.began({State.PENDING: 1}, ("one", "two"))
    counting.moved(item(1, State.UPLOADING), State.PENDING)
    counting.sent(item(1), 1, 2)
    counting.percent(item(1), Phase.RUNNING, 3)
    counting.got(item(1), 4, None)
    counting.note("x")
    assert inner.method_calls == [
        call.began({State.PENDING: 1}, ("one", "two")),
        call.moved(item(1, State.UPLOADING), State.PENDING),
        call.sent(item(1), 1, 2),
        call.percent(item(1), Phase.RUNNING, 3),
        call.got(item(1), 4, None),
        call.note("x"),
    ]


def test_bytes_of_this_run(item):
    counting = Counting(QuietObserver())
    counting.sent(item(7, State.UPLOADING), 500, 1000)  # taken up again at 500
    counting.sent(item(7, State.UPLOADING), 1000, 1000)
    counting.moved(item(8, State.UPLOADING), State.PENDING)
    for done in (0, 300, 0, 400):  # begun again on the way
        counting.sent(item(8, State.UPLOADING), done, 400)
    assert counting.sent_bytes == 500 + 700
    counting.moved(item(8, State.COLLECTING), State.ENCODING)
    counting.got(item(8, State.COLLECTING), 90, None)
    assert counting.got_bytes == 90


def test_starts_are_those_that_the_service_took(item):
    counting = Counting(QuietObserver())
    counting.moved(item(1, State.STARTING), State.UPLOADED)
    counting.moved(item(1, State.ENCODING), State.STARTING)
    counting.moved(item(1, State.ENCODING), State.ENCODING)
    counting.moved(item(2, State.PENDING), State.STARTING)
    assert counting.started == 1


def test_nothing_is_kept_of_items_that_are_done(item):
    counting = Counting(QuietObserver())
    counting.moved(item(1, State.COLLECTING), State.ENCODING)
    counting.got(item(1, State.COLLECTING), 5, 5)
    counting.moved(item(1, State.COMPLETED), State.COLLECTING)
    assert counting._offsets == {}
