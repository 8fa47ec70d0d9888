import pytest

from orchestrator.ledger import SqlLedger
from tests.ledger.support import HandClock


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
def opened(url, clock):
    """Opens the ledger: ``async with opened() as ledger``."""

    def opened(job="demo", **options):
        return SqlLedger(url, job, clock=clock, **options)

    return opened
