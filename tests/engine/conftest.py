"""Fixtures of the engine's tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.house import House, row


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    """Makes a house with so many local rows."""

    def make(count: int = 10, *, remote: bool = False, **values: object) -> House:
        rows = [row(number, remote=remote) for number in range(count)]
        return House(tmp_path, rows, **values)  # type: ignore[arg-type]

    return make
