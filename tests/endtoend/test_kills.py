"""kill -9 at random moments against a service in another process that keeps books.

The service is slow on purpose, says busy now and then, and loses answers. A failure
comes again with ``KILL_SEED=... pytest tests/endtoend/test_kills.py``, as far as real
time allows.
"""

import os
import random
from pathlib import Path

import pytest

from tests.endtoend.kills import Campaign, recording
from tests.endtoend.recording import Pace


async def killed(folder: Path, times: int) -> Campaign:
    """So many kills, and an audit of each manifest that got done; the seed is printed."""
    seed = int(os.environ.get("KILL_SEED") or random.randrange(2**32))
    print(f"KILL_SEED={seed}")
    books = folder / "books"
    pace = Pace(encode=0.4, answer=0.01, trouble=0.02, seed=seed)
    async with recording(books, pace) as url:
        campaign = Campaign(folder, url, books, seed)
        await campaign.kill(times)
    print(f"{campaign.kills} kills found items in these states: {dict(campaign.found)}")
    return campaign


@pytest.mark.timeout(120)
async def test_killed_a_few_times(tmp_path: Path) -> None:
    campaign = await killed(tmp_path, 3)
    assert campaign.kills == 3


@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_killed_two_hundred_times(tmp_path: Path) -> None:
    campaign = await killed(tmp_path, 200)
    in_flight = {"uploading", "uploaded", "starting", "encoding", "collecting"}
    assert in_flight <= set(campaign.found), "moments that hit every stage"
