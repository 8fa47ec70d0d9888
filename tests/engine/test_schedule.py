"""Which tasks go into the next request, and where it goes."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.schedule import DEAD_AFTER, DEAD_FOR, PollSchedule
from orchestrator.engine.watched import Watched
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.states import State

URL = "http://master/status"


def watched(task: str = "t", url: str | None = URL, gap: float = 0.0) -> Watched:
    item = Item(id=1, key=task, state=State.ENCODING, source="/a")
    one = Watched(Work(item), task, url, 0.0)
    one.gap = gap
    return one


def names(group: list[Watched]) -> list[str]:
    return [one.task for one in group]


def test_what_is_due_first_goes_first() -> None:
    schedule = PollSchedule(2)
    for name, due in [("c", 12.0), ("a", 10.0), ("b", 10.5)]:
        schedule.add(watched(name), due, 0.0)
    assert schedule.next_due() == 10.0
    assert names(schedule.take(11.0)[1]) == ["a", "b"]
    assert schedule.next_due() == 12.0
    assert names(schedule.take(12.0)[1]) == ["c"]
    assert schedule.next_due() is None


def test_a_request_is_filled_up_with_what_is_half_through_its_pause() -> None:
    schedule = PollSchedule(10)
    schedule.add(watched("due", gap=10.0), 100.0, 0.0)
    schedule.add(watched("just looked at", gap=4.0), 103.0, 0.0)
    schedule.add(watched("half through", gap=20.0), 109.0, 0.0)
    schedule.add(watched("elsewhere", "http://other/status", gap=20.0), 101.0, 0.0)
    url, group = schedule.take(100.0)
    assert (url, names(group)) == (URL, ["due", "half through"])
    assert schedule.next_due() == 101.0


def test_a_new_due_time_makes_the_old_one_void() -> None:
    schedule, one = PollSchedule(10), watched()
    schedule.add(one, 100.0, 0.0)
    assert schedule.add(one, 5.0, 0.0)
    assert names(schedule.take(5.0)[1]) == ["t"]
    assert schedule.next_due() is None


def test_a_dead_url_is_left_by_all_its_tasks_and_tried_again_later() -> None:
    schedule = PollSchedule(10)
    schedule.add(watched("a"), 1.0, 0.0)
    assert not schedule.failed(URL, 0.0)
    assert schedule.failed(URL, 0.0)
    schedule.add(watched("b"), 1.0, 0.0)
    url, group = schedule.take(1.0)
    assert (url, names(group)) == (None, ["a", "b"])
    schedule.add(watched("c"), DEAD_FOR + 1, DEAD_FOR + 1)
    assert schedule.take(DEAD_FOR + 1)[0] == URL
    assert schedule.failed(URL, DEAD_FOR + 1), "one more failure is enough"


def test_a_url_that_answered_is_alive() -> None:
    schedule = PollSchedule(10)
    for _ in range(3 * DEAD_AFTER):
        assert not schedule.failed(URL, 0.0)
        schedule.answered(URL)


def test_a_task_that_its_url_does_not_know_is_asked_for_at_the_main_endpoint() -> None:
    schedule, one = PollSchedule(10), watched()
    one.stray = URL
    schedule.add(one, 1.0, 0.0)
    assert schedule.take(1.0)[0] is None
    one.status_url = "http://new/status"
    schedule.add(one, 1.0, 0.0)
    assert schedule.take(1.0)[0] == "http://new/status"


def test_a_refused_size_is_halved_and_remembered() -> None:
    schedule = PollSchedule(100)
    assert schedule.too_many(100, certain=True)
    assert schedule.batch == 50
    assert schedule.too_many(25, certain=True)
    assert schedule.batch == 12
    assert not schedule.too_many(1, certain=True)
    assert not schedule.too_many(10, certain=False), "a bad request of ten has another reason"


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "/a", "/b"]), st.floats(0, 50), st.floats(0, 30)),
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_every_task_is_looked_at_once_and_never_late(
    tasks: list[tuple[str | None, float, float]], batch: int
) -> None:
    schedule = PollSchedule(batch)
    planned = {}
    for number, (url, due, gap) in enumerate(tasks):
        planned[str(number)] = due, gap, url
        schedule.add(watched(str(number), url, gap), due, 0.0)
    seen: list[str] = []
    while (now := schedule.next_due()) is not None:
        url, group = schedule.take(now)
        assert 0 < len(group) <= batch
        for one in group:
            due, gap, its_url = planned[one.task]
            assert its_url == url
            assert due - gap / 2 <= now + 1e-6
            assert now <= due
        seen += names(group)
    assert sorted(seen) == sorted(planned)
