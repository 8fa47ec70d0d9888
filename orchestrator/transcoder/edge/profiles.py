"""Profiles on disk, each company's own. They are sealed: an overlay's URL may hold a password."""

import sqlite3
from dataclasses import dataclass

import orjson

from orchestrator.transcoder.database import Database
from orchestrator.transcoder.edge.profile import Profile, parse_profile
from orchestrator.transcoder.vault import Vault


@dataclass(frozen=True, slots=True)
class Stored:
    """A profile and its id, which no other one ever gets."""

    id: int
    profile: Profile


class Profiles:
    """Reads and writes of profiles; what it returns from is on disk."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def all(self, company: str) -> list[Stored]:
        """The company's profiles, the oldest first."""
        rows = await self._database.run(
            lambda db: db.execute(
                "SELECT * FROM edge_profiles WHERE company = ? ORDER BY id", (company,)
            ).fetchall()
        )
        return [stored for row in rows if (stored := self._stored(row))]

    async def get(self, company: str, id_: int) -> Stored | None:
        """One profile; None where the company has none of that id."""
        rows = await self._database.run(lambda db: db.execute(_ONE, (company, id_)).fetchall())
        return self._stored(rows[0]) if rows else None

    async def add(self, company: str, profile: Profile) -> Stored:
        """A new profile."""
        row = (company, profile.name, self._sealed(profile))
        made = await self._database.run(lambda db: db.execute(_ADD, row).lastrowid)
        return Stored(made or 0, profile)

    async def replace(self, company: str, id_: int, profile: Profile) -> Stored | None:
        """Put a profile in the place of another; None where there is none."""
        row = (profile.name, self._sealed(profile), company, id_)
        count = await self._database.run(lambda db: db.execute(_REPLACE, row).rowcount)
        return Stored(id_, profile) if count else None

    async def remove(self, company: str, id_: int) -> bool:
        """Whether it was there. Orders that were placed with it keep it."""
        return bool(
            await self._database.run(
                lambda db: (
                    db.execute(
                        "DELETE FROM edge_profiles WHERE company = ? AND id = ?", (company, id_)
                    ).rowcount
                )
            )
        )

    def _sealed(self, profile: Profile) -> str:
        return self._vault.seal(orjson.dumps(profile.document()).decode())

    def _stored(self, row: sqlite3.Row) -> Stored | None:
        """None where the service has lost the key that it was sealed with."""
        text = self._vault.open(row["sealed"])
        return None if text is None else Stored(row["id"], parse_profile(orjson.loads(text)))


_ONE = "SELECT * FROM edge_profiles WHERE company = ? AND id = ?"
_ADD = "INSERT INTO edge_profiles (company, name, sealed) VALUES (?, ?, ?)"
_REPLACE = "UPDATE edge_profiles SET name = ?, sealed = ? WHERE company = ? AND id = ?"
