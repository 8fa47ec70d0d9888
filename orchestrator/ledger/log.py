"""What a large transaction leaves in the write-ahead log: moved while the run goes on.

All of it is on disk with the commit. SQLite would move it into the file within
that same commit, and again write as much, and wait for the disk again.
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

from orchestrator.ledger import sqlite


class Log:
    """The log of the ledger at ``path``; it is moved in a thread, or else by ``move`` itself."""

    def __init__(self, path: Path, *, aside: bool) -> None:
        self._path = path
        self._aside = aside
        self._moving: threading.Thread | None = None

    def move(self) -> None:
        """Begin to move a long log into the file. A short one is left to later commits."""
        if not self._is_long():
            return
        if not self._aside:
            self._move()
        elif self._moving is None or not self._moving.is_alive():
            self._moving = threading.Thread(target=self._move, name="log")
            self._moving.start()

    def settle(self) -> None:
        """Wait until nothing is moved any more."""
        if self._moving is not None:
            self._moving.join()

    def _is_long(self) -> bool:
        with contextlib.suppress(OSError):
            log = self._path.with_name(f"{self._path.name}-wal")
            return log.stat().st_size > sqlite.LOG_PAGES * sqlite.PAGE
        return False

    def _move(self) -> None:
        """Others may read and write meanwhile. What can't be moved now is moved some other time."""
        with contextlib.suppress(sqlite3.Error), sqlite.beside(self._path) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
