"""Warnings of a task that come apart from its encode, maybe after its end."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

#: A client that sees so many has seen enough.
_MOST = 50


def add(db: sqlite3.Connection, task: str, notice: Mapping[str, Any]) -> None:
    """Keep a warning; the same one again changes nothing."""
    count = db.execute("SELECT count(*) FROM notices WHERE task = ?", (task,)).fetchone()[0]
    if count < _MOST:
        text = orjson.dumps(notice).decode()
        db.execute("INSERT OR IGNORE INTO notices (task, notice) VALUES (?, ?)", (task, text))


def of(db: sqlite3.Connection, tasks: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The warnings of tasks, by their tokens, in the order in which they came."""
    marks = ", ".join("?" * len(tasks))
    rows = db.execute(
        f"SELECT task, notice FROM notices WHERE task IN ({marks}) ORDER BY rowid",  # noqa: S608
        tasks,
    )
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["task"], []).append(orjson.loads(row["notice"]))
    return found
