"""When to look at a task again."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.limits import Patience
from orchestrator.engine.schedule import PollSchedule, Watched, requests
from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.model.states import State

PATIENCE = Patience(poll_min=2.0, poll_max=60.0)


def watched(task: str = "t", url: str | None = "/status") -> Watched:
    item = Item(id=1, key=task, state=State.ENCODING, source="/a")
    return Watched(Work(item), task, url, PATIENCE.poll_min)


def report(percent: float) -> TaskReport:
    return TaskReport("t", Phase.RUNNING, percent)


def test_gives_what_is_due_and_what_would_be_due_in_a_moment() -> None:
    schedule = PollSchedule(PATIENCE)
    for name, due in [("c", 12.0), ("a", 10.0), ("b", 10.9)]:
        schedule.add(watched(name), due)
    assert schedule.next_due() == 10.0
    assert schedule.due(9.9) == []
    assert [one.task for one in schedule.due(10.0)] == ["a", "b"]
    assert len(schedule) == 1


def test_waits_longer_each_time_while_nothing_is_known() -> None:
    schedule, task = PollSchedule(PATIENCE), watched()
    now, gaps = 0.0, []
    for _ in range(12):
        due = schedule.after(task, report(0), now)
        gaps.append(due - now)
        now = due
    assert gaps == sorted(gaps)
    assert gaps[0] == 3.0
    assert gaps[-1] == 60.0


def test_looks_again_when_most_of_the_estimated_time_is_over() -> None:
    schedule, task = PollSchedule(PATIENCE), watched()
    schedule.after(task, report(10), 0.0)
    due = schedule.after(task, report(20), 10.0)  # 1% a second: 80 s left
    assert due == 10.0 + 48.0


def test_a_silent_look_is_repeated_later_and_later() -> None:
    schedule, task = PollSchedule(PATIENCE), watched()
    gaps = [schedule.after_silence(task, 0.0) for _ in range(12)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 60.0


def test_tasks_are_grouped_by_url_and_cut_to_batches() -> None:
    due = [watched(str(n), "/a" if n % 2 else "/b") for n in range(10)]
    grouped = [(url, len(group)) for url, group in requests(due, 3)]
    assert sorted(grouped) == [("/a", 2), ("/a", 3), ("/b", 2), ("/b", 3)]


def test_a_dead_or_ignorant_url_falls_back_to_the_main_endpoint() -> None:
    dead, unknown, fine = watched("dead"), watched("unknown"), watched("fine")
    dead.failures, unknown.misses = 2, 1
    asked = {one.task: url for url, group in requests([dead, unknown, fine], 10) for one in group}
    assert asked == {"dead": None, "unknown": None, "fine": "/status"}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(0.001, 500))
def test_the_gap_is_always_within_its_bounds(percents: list[float], step: float) -> None:
    schedule, task = PollSchedule(PATIENCE), watched()
    now = 0.0
    for percent in percents:
        gap = schedule.after(task, report(percent), now) - now
        assert 2.0 - 1e-6 <= gap <= 60.0 + 1e-6
        now += step
