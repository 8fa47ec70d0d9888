"""Incremental ladders: what each chain of jobs made so far, by its tag and its destination.

The documents: "this tag is crucial for the system to track previously processed
resolutions and to append new ones to existing HLS or DASH outputs".
"""

import secrets
import sqlite3
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from orchestrator.query import EncodeQuery, Format
from orchestrator.query.outputs import Streaming
from orchestrator.transcoder.answers import ApiError, Code
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.ports import Produced
from orchestrator.transcoder.vault import Vault

_AUTO = "auto"


def check_chains(query: EncodeQuery) -> None:
    """Refuse chains that can't go on. Raises ``ApiError`` naming the field."""
    seen: set[str] = set()
    for index, wanted in enumerate(query.format):
        tag = _asked(wanted)
        if tag is None:
            continue
        field = f"query.format[{index}].incremental_tag"
        if not wanted.destination:
            problem = "needs a destination: a later job adds to what lies there"
        elif tag != _AUTO and tag in seen:
            problem = "is the tag of another output of this query: each chain has its own"
        else:
            seen.add(tag)
            continue
        raise ApiError(Code.BAD_QUERY, f"{field}: {problem}", field=field)


def tags_of(query: EncodeQuery) -> dict[int, str]:
    """The chain's tag of each output that has one, by its place; ``auto`` makes a new one."""
    asked = {index: _asked(wanted) for index, wanted in enumerate(query.format)}
    return {
        index: secrets.token_hex(16) if tag == _AUTO else tag
        for index, tag in asked.items()
        if tag is not None
    }


class Chains:
    """Keeps the facts of each chain's last output."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def earlier(
        self, query: EncodeQuery, tags: Mapping[int, str]
    ) -> dict[str, Mapping[str, Any]]:
        """What the chains of a query made before, by tag; nothing of new ones."""
        found: dict[str, Mapping[str, Any]] = {}
        for index, tag in tags.items():
            place = _place(query.format[index])
            rows = await self._database.run(partial(_facts, tag=tag, place=place))
            text = self._vault.open(rows[0]["facts"]) if rows else None
            if text is not None:
                found[tag] = orjson.loads(text)
        return found

    async def keep(self, query: EncodeQuery, tags: Mapping[int, str], made: Produced) -> None:
        """Note what a chain has made, once it is where it belongs."""
        tag = tags.get(made.format_index)
        if tag is None:
            return
        place = _place(query.format[made.format_index])
        facts = self._vault.seal(orjson.dumps(dict(made.facts)).decode())
        await self._database.run(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO chains (tag, place, facts, at) VALUES (?, ?, ?, ?)",
                (tag, place, facts, time.time()),
            )
        )


def _facts(db: sqlite3.Connection, tag: str, place: str) -> list[Any]:
    """What a chain has on record at a place: a row, or none."""
    asked = db.execute("SELECT facts FROM chains WHERE tag = ? AND place = ?", (tag, place))
    return asked.fetchall()


def _asked(wanted: Format) -> str | None:
    return wanted.incremental_tag if isinstance(wanted, Streaming) else None


def _place(wanted: Format) -> str:
    """A chain's outputs lie at one destination; another one is another chain."""
    return wanted.destination[0].url.rstrip("/") if wanted.destination else ""
