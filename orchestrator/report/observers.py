"""Who hears how a run is going. ``report.progress`` has those that show it."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from orchestrator.model.items import Item
from orchestrator.model.ports import Observer, Phase
from orchestrator.model.states import State


class RunObserver(Observer, Protocol):
    """An observer that is also told what a run begins with."""

    def began(self, counts: Mapping[State, int], services: Sequence[str] = ()) -> None:
        """The run starts with this many items in each state, completed ones included.

        ``services`` are those that share it, where there are several.
        """


class QuietObserver:
    """Shows nothing, for ``--json`` in a script and for tests."""

    def began(self, counts: Mapping[State, int], services: Sequence[str] = ()) -> None:
        """See ``RunObserver``."""

    def moved(self, item: Item, was: State) -> None:
        """See ``Observer``."""

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``Observer``."""

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``Observer``."""

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``Observer``."""

    def note(self, message: str) -> None:
        """See ``Observer``."""

    def __enter__(self) -> Self:
        """It needs no opening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nor any closing."""
