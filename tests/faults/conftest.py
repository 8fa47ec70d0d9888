"""The place where faults happen."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.services.collect import HttpCollector
from tests.faults.place import KEY, Place, place


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """See ``Place``. What can't be set has the patience of the tests too."""
    monkeypatch.setenv("FAULTS_KEY", KEY)
    monkeypatch.setattr(
        "orchestrator.wiring.routes.HttpCollector", partial(HttpCollector, stall=0.4)
    )
    async with place(tmp_path) as here:
        yield here
