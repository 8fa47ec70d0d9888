"""The loop that a person would write to take a manifest of files in, to compare with.

Each file is looked at, and its row goes into one table with the same unique key
and one more index, ten thousand to a transaction that is on disk when it ends.
Nothing is checked, rendered or told apart: a manifest is taken in once.
"""

import csv
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

#: Rows in one transaction.
_BATCH = 10_000

_TABLE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE items (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, title TEXT, size INTEGER,
    modified INTEGER, state TEXT NOT NULL, priority INTEGER NOT NULL
);
CREATE INDEX items_to_feed ON items (state, priority);
"""
_ADD = """
INSERT INTO items (source, title, size, modified, state, priority)
VALUES (?, ?, ?, ?, 'pending', 5)
"""


def take_in(manifest: Path, database: Path) -> int:
    """Read the manifest (CSV: source, title) into a new database; how many rows it had."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(_TABLE)
        rows, total = _rows(manifest), 0
        while some := list(islice(rows, _BATCH)):
            connection.execute("BEGIN")
            connection.executemany(_ADD, some)
            connection.execute("COMMIT")
            total += len(some)
    return total


def _rows(manifest: Path) -> Iterator[tuple[str, str, int, int]]:
    with manifest.open(newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for source, title in lines:
            path = os.path.join(manifest.parent, source)  # noqa: PTH118 - as fast as can be
            info = os.stat(path)  # noqa: PTH116
            yield path, title, info.st_size, info.st_mtime_ns
