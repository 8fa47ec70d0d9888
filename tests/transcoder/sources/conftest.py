"""Sources that may reach loopback, because the servers of these tests listen there."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from orchestrator.storage.disk import Disk
from orchestrator.transcoder.database import Database
from orchestrator.transcoder.sources import FetchLimits, Sources
from orchestrator.transcoder.tus import Uploads

#: Waits that a test does not notice.
QUICK = FetchLimits(total=20, stall=5, connect=5, tries=3, pause=0.001)


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[Uploads]:
    (tmp_path / "uploads").mkdir()
    database, disk = Database(tmp_path / "tasks.sqlite"), Disk()
    await database.open()
    await database.run(
        lambda db: db.execute(
            "INSERT INTO tasks (token, state, key, created) VALUES ('task', 'created', 'k', 0)"
        )
    )
    yield Uploads(database, disk, tmp_path / "uploads", 3600)
    await database.close()
    disk.close()


@pytest.fixture
async def make(uploads: Uploads, tmp_path: Path) -> AsyncIterator[Callable[..., Sources]]:
    disk = Disk()

    def made(limits: FetchLimits = QUICK, **changes: object) -> Sources:
        settings = {"max_bytes": 0, "reserve": 0, "allow_private": True}
        settings |= {"known_hosts": tmp_path / "known_hosts", **changes}
        return Sources(uploads, disk, limits, **settings)

    yield made
    disk.close()


@pytest.fixture
def sources(make: Callable[..., Sources]) -> Sources:
    return make()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"
