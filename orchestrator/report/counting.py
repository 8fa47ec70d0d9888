"""What a run did, counted on the way to whoever shows it."""

from collections.abc import Mapping, Sequence

from orchestrator.model.items import Item
from orchestrator.model.ports import Phase
from orchestrator.model.states import State
from orchestrator.report.observers import RunObserver

#: Bytes are sent or fetched in these.
_TRAVELS = (State.UPLOADING, State.COLLECTING)


class Counting:
    """Passes everything on to another observer, and counts for the outcome.

    ``sent_bytes`` and ``got_bytes`` are what travelled in this run; ``started``
    are the encodes that a service took in it.
    """

    def __init__(self, inner: RunObserver) -> None:
        self._inner = inner
        self._offsets: dict[int, int] = {}
        self.sent_bytes = 0
        self.got_bytes = 0
        self.started = 0

    def began(self, counts: Mapping[State, int], services: Sequence[str] = ()) -> None:
        """See ``RunObserver``."""
        self._inner.began(counts, services)

    def moved(self, item: Item, was: State) -> None:
        """See ``Observer``."""
        if item.state is not was:
            self.started += was is State.STARTING and item.state is State.ENCODING
            if item.state in _TRAVELS:
                self._offsets[item.id] = 0
            elif was in _TRAVELS:
                self._offsets.pop(item.id, None)
        self._inner.moved(item, was)

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``Observer``."""
        self.sent_bytes += self._new(item, done)
        self._inner.sent(item, done, total)

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``Observer``."""
        self._inner.percent(item, phase, percent)

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``Observer``."""
        self.got_bytes += self._new(item, done)
        self._inner.got(item, done, total)

    def note(self, message: str) -> None:
        """See ``Observer``."""
        self._inner.note(message)

    def _new(self, item: Item, done: int) -> int:
        """Bytes since the last word of this item; none at the first word of one taken up again."""
        before = self._offsets.get(item.id, done)
        self._offsets[item.id] = done
        return max(0, done - before)
