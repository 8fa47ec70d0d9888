import shutil

import pytest

from orchestrator.ledger import SqlLedger
from tests.ledger.support import HandClock, empty_ledger


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "demo.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def fresh(url, clock):
    """Opens the ledger, which is made then: ``async with fresh() as ledger``."""

    def fresh(job="demo", **options):
        return SqlLedger(url, job, clock=clock, **options)

    return fresh


@pytest.fixture
def opened(fresh, path):
    """Opens the ledger, which was made before: migrating takes longer than most tests."""

    def opened(job="demo", **options):
        if not path.exists():
            path.parent.mkdir()
            shutil.copy(empty_ledger(), path)
        return fresh(job, **options)

    return opened
