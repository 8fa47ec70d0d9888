"""Notes how orders end, and writes to those who want to know, in the very same transaction."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from orchestrator.transcoder.callbacks.letters import JSON, Letter
from orchestrator.transcoder.callbacks.outbox import Outbox
from orchestrator.transcoder.edge import orders
from orchestrator.transcoder.edge.answers import order_document
from orchestrator.transcoder.edge.orders import ERROR, FINISHED, StoredOrder
from orchestrator.transcoder.events import Event, Happened
from orchestrator.transcoder.tasks import Task, TaskState


class Clerk:
    """Told of tasks' ends (``events.Tell``). ``mail`` says whether mails can be sent."""

    def __init__(self, outbox: Outbox, news: Callable[[], None], *, mail: bool) -> None:
        self._outbox, self._news, self._mail = outbox, news, mail

    def __call__(self, db: sqlite3.Connection, task: Task, event: Event) -> None:
        """Of orders alone; of a task's last event alone."""
        if event.what is not Happened.SAVED:
            return
        row = orders.by_task(db, task.token)
        if row is None:
            return
        status = FINISHED if task.state is TaskState.COMPLETED else ERROR
        outcome = {
            "duration": task.facts.get("duration"),
            "size": task.facts.get("source_size"),
            "error": task.error,
        }
        orders.end(db, task.token, status, outcome)
        shown = orjson.loads(row["shown"])
        ended = StoredOrder(row["id"], task.token, row["created"], status, shown, outcome)
        for letter in self._letters(ended, task):
            self._outbox.add(db, task.token, status, letter)
            self._news()

    def _letters(self, order: StoredOrder, task: Task) -> Iterator[Letter]:
        """Mails first: our own server answers sooner than a webhook that is down."""
        asked: Mapping[str, Any] = (task.query or {}).get("order", {})
        notes = asked.get("notifications", ())
        document = order_document(order, task, None)
        if self._mail:
            for address in dict.fromkeys(each.get("email") for each in notes):
                if address:
                    yield Letter(f"mailto:{address}", _mail(document))
        for url in dict.fromkeys(each.get("call") for each in notes):
            if url:
                yield Letter(url, orjson.dumps(document).decode(), JSON)


def _mail(document: Mapping[str, Any]) -> str:
    """The subject, an empty line, and the text."""
    files = "".join(
        f"  {job['filename']} ({job['label']})\n" for job in document["transcodingjob_set"]
    )
    places = "".join(f"  {each['upload_url']}\n" for each in document["transcodingupload_set"])
    origin = document["transcodingdownload"]["download_url"]
    return (
        f"Transcoding order {document['order_id']}: {document['status']}\n\n"
        f"{document['comment']}\n\n"
        f"Origin:\n  {origin}\nFiles:\n{files}Destinations:\n{places}"
    )
