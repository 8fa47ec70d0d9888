"""kill -9 at random moments against two services that write the same books.

Whichever of the two starts a source, and however often items move from one to the
other, each is started once.
"""

import os
import random
import sqlite3
from pathlib import Path

import pytest

from tests.endtoend.kills import CONFIG, Campaign, recording
from tests.endtoend.recording import Pace

SECOND = """
[services.second]
kind = "qencode"
url = "{url}"
api_key = "${{env:REMOTE_KEY}}"
settle = 0.3
poll_min = 0.05
poll_max = 0.2
max_in_flight = 3
"""


class TwoServices(Campaign):
    """Every manifest goes to both."""

    def __init__(self, folder: Path, urls: tuple[str, str], books: Path, seed: int) -> None:
        super().__init__(folder, urls[0], books, seed)
        self._second = urls[1]
        self.shares: list[set[str]] = []

    def _fresh(self) -> None:
        super()._fresh()
        home = self._house.folder
        config = CONFIG.format(url=self._url) + SECOND.format(url=self._second)
        (home / "config.toml").write_text(config)
        job = home / "job.toml"
        job.write_text('services = ["remote", "second"]\n' + job.read_text())

    def _audit(self) -> None:
        super()._audit()
        with sqlite3.connect(self._house.ledger) as db:
            used = {name for (name,) in db.execute("SELECT DISTINCT service FROM attempts")}
        db.close()
        self.shares.append(used)


async def killed(folder: Path, times: int) -> TwoServices:
    """So many kills, and an audit of each manifest that got done; the seed is printed."""
    seed = int(os.environ.get("KILL_SEED") or random.randrange(2**32))
    print(f"KILL_SEED={seed}")
    books = folder / "books"
    paces = [Pace(encode=0.4, answer=0.01, trouble=0.03, seed=seed + each) for each in (0, 1)]
    async with recording(books, paces[0]) as one, recording(books, paces[1]) as other:
        campaign = TwoServices(folder, (one, other), books, seed)
        await campaign.kill(times)
    return campaign


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_killed_a_few_times(tmp_path: Path) -> None:
    campaign = await killed(tmp_path, 4)
    assert campaign.kills == 4
    assert {"remote", "second"} in campaign.shares


@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_killed_forty_times(tmp_path: Path) -> None:
    campaign = await killed(tmp_path, 40)
    assert campaign.kills == 40
