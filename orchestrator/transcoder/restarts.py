"""``retry_on_error``: a job that failed begins again as a new one, once.

The documents: "a new job is restarted with the same params as a failed one and
warnings are added to the failed job". What the warnings say is from the
vendor's notes on reliability.
"""

import secrets
import sqlite3
import time
from dataclasses import dataclass

import orjson

from orchestrator.transcoder import notices

_ANNOUNCED = (
    "An error occurred while processing your job. It will be automatically retried with the same "
    "parameters in a new job."
)
_TRIGGERED = "Retry on error triggered."
_FAILED = "Retry on error failed."

#: What a record of an output holds before the output is made.
_OUTLINE = ("list", "tag", "output", "user_tag", "index")


@dataclass(frozen=True, slots=True)
class Restart:
    """The token of the new task; None where it could not begin."""

    again: str | None


def begin(db: sqlite3.Connection, failed: sqlite3.Row, refused: str) -> Restart | None:
    """Begin a failed task again, unless it is itself such a second try (None).

    ``failed`` is its row from before it ended. With ``refused``, a reason, it is
    only told that there is no second try.
    """
    task = failed["token"]
    if db.execute("SELECT 1 FROM restarts WHERE again = ?", (task,)).fetchone():
        return None
    notices.add(db, task, {"message": _ANNOUNCED})
    if refused or failed["query"] is None:
        reason = refused or "the request can't be read any more"
        notices.add(db, task, {"message": _FAILED, "details": reason})
        return Restart(None)
    again = _copy(db, failed)
    db.execute("INSERT INTO restarts (task, again) VALUES (?, ?)", (task, again))
    notices.add(db, task, {"message": _TRIGGERED, "details": f"The new job is {again}"})
    return Restart(again)


def _copy(db: sqlite3.Connection, failed: sqlite3.Row) -> str:
    """A new task that asks for the same, with the uploads of the old one."""
    token = secrets.token_hex(16)
    place = db.execute(
        "INSERT INTO starts (task, payload, source, at)"
        " SELECT ?, payload, source, ? FROM starts WHERE id = ?",
        (token, time.time(), failed["place"]),
    ).lastrowid
    db.execute(
        "INSERT INTO tasks (token, state, key, created, priority, place, query, digest, payload,"
        " outputs, facts) VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token,
            secrets.token_urlsafe(24),
            time.time(),
            failed["priority"],
            place,
            failed["query"],
            failed["digest"],
            failed["payload"],
            _outline(failed["outputs"]),
            failed["facts"],
        ),
    )
    db.execute("UPDATE uploads SET task = ? WHERE task = ?", (token, failed["token"]))
    return token


def _outline(outputs: str) -> str:
    bare = [
        {name: each[name] for name in _OUTLINE if name in each} for each in orjson.loads(outputs)
    ]
    return orjson.dumps(bare).decode()
