"""A clock that stands still until it is moved."""

import pytest

from orchestrator.model.items import Item
from orchestrator.model.states import State


class SetClock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return 1_700_000_000.0 + self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def item():
    def make(number: int, state: State = State.PENDING, key: str = "") -> Item:
        return Item(number, key or f"/media/{number}.mov", state, f"/media/{number}.mov")

    return make
