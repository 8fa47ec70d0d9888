"""An item on its way through the stages."""

from dataclasses import dataclass

import anyio

from orchestrator.model.items import Item, Output
from orchestrator.model.states import State


@dataclass(slots=True, eq=False)
class Work:
    """What the engine holds in memory of an item it has taken up.

    Nothing here is needed to go on after a crash: the ledger's snapshot
    (``item``) is enough. ``failures`` counts the tries of the present step that
    failed. ``uncertain`` says that a start may have left without an answer,
    ``lost_at`` since when (monotonic), ``sending`` that one is leaving now.
    ``asking`` says that nothing was done yet but to ask the service for a task.
    ``dropped`` work is the engine's no more, wherever it still turns up; ``scope``
    is what its step runs in.
    """

    item: Item
    failures: int = 0
    uncertain: bool = False
    sending: bool = False
    asking: bool = False
    lost_at: float | None = None
    holds_slot: bool = False
    dropped: bool = False
    outputs: tuple[Output, ...] | None = None
    scope: anyio.CancelScope | None = None

    def can_move(self, *, prepared: bool, uploaded: bool) -> bool:
        """Whether it could begin anew elsewhere: it has certainly not been started.

        ``prepared``: also where the service was told of it, and has a task for it;
        ``uploaded``: even where that costs another upload.
        """
        item = self.item
        if self.dropped or (self.scope is not None and not self.asking):
            return False
        if item.state is State.PENDING:
            return True
        at_rest = item.state in (State.UPLOADED, State.STARTING) and not self.uncertain
        return at_rest and (uploaded or (prepared and not item.is_local))

    def next_step(self) -> None:
        """The step succeeded: the next one begins with a clean count."""
        self.failures = 0
        self.uncertain = False
        self.lost_at = None

    def hold(self) -> None:
        """A start leaves now, which is followed to its end.

        Cancelling it would turn an answer that is on its way into an unknown outcome.
        """
        self.sending = True
        if self.scope is not None:
            self.scope.shield = True

    def let_go(self) -> None:
        """The start was answered, and that is on record; or it will not be."""
        self.sending = False
        if self.scope is not None:
            self.scope.shield = False

    def drop(self) -> None:
        """Do no more for it; what its step is doing now ends where it can."""
        self.dropped = True
        if self.scope is not None and not self.sending:
            self.scope.cancel()
