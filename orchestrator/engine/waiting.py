"""Pending items in memory that no service has yet, in the order of their turns."""

import heapq
from collections.abc import Callable, Iterable, Iterator

from orchestrator.model.items import Item

#: Services that could do an item, in their order.
Able = tuple[str, ...]


class Waiting:
    """Heaps by which services could do an item, so that none stands in another's way."""

    def __init__(self) -> None:
        self._heaps: dict[Able, list[tuple[tuple[float, int, int], Item]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def put(self, item: Item, able: Able) -> None:
        """Add an item."""
        turn = (item.rank, -item.weight, item.id)
        heapq.heappush(self._heaps.setdefault(able, []), (turn, item))

    def take(self, may: Callable[[str], bool]) -> tuple[Item, Able] | None:
        """The item whose turn is first of those that a service could do which ``may``."""
        heads = [
            (heap[0][0], able) for able, heap in self._heaps.items() if heap and any(map(may, able))
        ]
        if not heads:
            return None
        _, able = min(heads)
        return heapq.heappop(self._heaps[able])[1], able

    def has_for(self, some: Iterable[str]) -> bool:
        """Whether one of these services could do something that is here."""
        names = set(some)
        return any(heap and not names.isdisjoint(able) for able, heap in self._heaps.items())

    def only_for(self, service: str) -> int:
        """How many items wait that no other service could do."""
        return len(self._heaps.get((service,), ()))

    def ids(self) -> Iterator[int]:
        """The numbers of all of them."""
        return (item.id for heap in self._heaps.values() for _, item in heap)

    def clear(self) -> None:
        """Forget all of them: the ledger has them."""
        self._heaps.clear()
