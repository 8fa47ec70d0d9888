"""An item on its way through the stages."""

from dataclasses import dataclass

from orchestrator.model.items import Item, Output


@dataclass(slots=True, eq=False)
class Work:
    """What the engine holds in memory of an item it has taken up.

    Nothing here is needed to go on after a crash: the ledger's snapshot
    (``item``) is enough. ``failures`` counts the tries of the present step that
    failed. ``uncertain`` says that a start may have left without an answer.
    """

    item: Item
    failures: int = 0
    uncertain: bool = False
    holds_slot: bool = False
    outputs: tuple[Output, ...] | None = None

    def next_step(self) -> None:
        """The step succeeded: the next one begins with a clean count."""
        self.failures = 0
        self.uncertain = False
