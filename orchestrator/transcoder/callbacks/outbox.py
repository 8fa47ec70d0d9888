"""Callbacks that are to be sent, on disk until they are: a crash loses none.

They are sealed, because a URL and a payload may hold secrets of the client.
"""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

import orjson

from orchestrator.transcoder.callbacks.letters import Letter
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.vault import Vault

#: No task has more waiting: what is beyond is not sent, and polling tells the same.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that is due; ``tries`` have failed before. None: it can't be read any more."""

    id: int
    task: str
    event: str
    tries: int
    letter: Letter | None


class Outbox:
    """Keeps callbacks in the order in which their tasks' events happened."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def add(self, db: sqlite3.Connection, task: str, event: str, letter: Letter) -> None:
        """Write one down, in the transaction of what it tells of."""
        count = db.execute("SELECT count(*) FROM callbacks WHERE task = ?", (task,)).fetchone()[0]
        if count >= _MOST:
            return
        text = orjson.dumps({"url": letter.url, "body": letter.body, "type": letter.type}).decode()
        db.execute(
            "INSERT INTO callbacks (task, event, letter) VALUES (?, ?, ?)",
            (task, event, self._vault.seal(text)),
        )

    async def due(self, now: float, limit: int, busy: Collection[str]) -> list[Waiting]:
        """The oldest of each task, where its time has come; none of ``busy`` tasks."""
        rows = await self._database.run(lambda db: db.execute(_DUE, (now,)).fetchall())
        free = [row for row in rows if row["task"] not in busy]
        return [self._waiting(row) for row in free[:limit]]

    async def next_due(self, busy: Collection[str]) -> float | None:
        """When the next one is to be sent, UNIX seconds."""
        rows = await self._database.run(lambda db: db.execute(_DUE, (1e18,)).fetchall())
        return min((row["due"] for row in rows if row["task"] not in busy), default=None)

    async def sent(self, waiting: Waiting) -> None:
        """It has arrived, or is given up."""
        await self._database.run(
            lambda db: db.execute("DELETE FROM callbacks WHERE id = ?", (waiting.id,))
        )

    async def put_off(self, waiting: Waiting, until: float) -> None:
        """It did not arrive: once more, then."""
        await self._database.run(
            lambda db: db.execute(
                "UPDATE callbacks SET tries = tries + 1, due = ? WHERE id = ?", (until, waiting.id)
            )
        )

    def _waiting(self, row: sqlite3.Row) -> Waiting:
        text = self._vault.open(row["letter"])
        letter = None if text is None else Letter(**orjson.loads(text))
        return Waiting(row["id"], row["task"], row["event"], row["tries"], letter)


_DUE = """
SELECT * FROM callbacks WHERE id IN (SELECT min(id) FROM callbacks GROUP BY task) AND due <= ?
ORDER BY due, id
"""
