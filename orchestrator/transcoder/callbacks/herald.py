"""Which callbacks an event makes, and what they say."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from orchestrator.transcoder.answers import status_document
from orchestrator.transcoder.callbacks.letters import STREAM, SUBTASK, Letter, form
from orchestrator.transcoder.callbacks.outbox import Outbox
from orchestrator.transcoder.events import Event, Happened
from orchestrator.transcoder.tasks import Task

_FLAG = (1, "1", True)

Progress = Callable[[str], Mapping[str, float] | None]


class Herald:
    """Writes callbacks into the outbox, in the transaction that records what they tell of.

    ``progress`` is the percent of each output of a task that is being encoded.
    """

    def __init__(self, outbox: Outbox, progress: Progress, news: Callable[[], None]) -> None:
        self._outbox, self._progress, self._news = outbox, progress, news

    def __call__(self, db: sqlite3.Connection, task: Task, event: Event) -> None:
        """``events.Tell``."""
        query = task.query or {}
        url = query.get("callback_url")
        if not url:
            return
        subtasks = query.get("use_subtask_callback") in _FLAG
        for name, body in self._bodies(task, event, subtasks=subtasks):
            self._outbox.add(db, task.token, name, Letter(str(url), body))
            self._news()

    def _bodies(self, task: Task, event: Event, *, subtasks: bool) -> Iterator[tuple[str, str]]:
        base_url = str(task.facts.get("base_url", ""))
        status = status_document(task, self._progress(task.token), base_url)

        def body(name: str, type_: str = "task", tag: str | None = None) -> tuple[str, str]:
            return name, form(task.token, name, status, task.payload, type_=type_, tag=tag)

        if event.what is Happened.LANDED:
            yield body("saved", STREAM, event.tags[0])
            return
        if subtasks:
            for name, tag in _subtasks(task, event):
                yield body(name, SUBTASK, tag)
        if event.what is not Happened.STORED:
            yield body(str(event.what))


def _subtasks(task: Task, event: Event) -> Iterator[tuple[str, str]]:
    """What an event means for single outputs, and their tags."""
    if event.what is Happened.STORED:
        yield from (("saved", tag) for tag in event.tags)
    elif event.what is Happened.QUEUED:
        yield from (("queued", each["tag"]) for each in task.outputs)
    elif event.what is Happened.SAVED:
        failed = task.error is not None
        for each in task.outputs:
            if each.get("error") or (failed and not each.get("stored")):
                yield "error", each["tag"]
