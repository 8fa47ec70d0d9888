"""One process of the engine: from its birth to its end, or to the step at which it is killed."""

import asyncio
from collections.abc import Awaitable

from orchestrator.ledger import SqlLedger
from orchestrator.model.items import Change
from tests.simulation.clock import LoopClock


class Life:
    """Counts the steps of a process, and kills it at one of them, as hard as ``kill -9``.

    Who is dead does nothing any more: every step of it is cancelled there and then.
    """

    def __init__(self, steps: int | None) -> None:
        """``steps`` until it is killed, None: it is not."""
        self.is_over = False
        self._left = steps
        self._ledger: MortalLedger | None = None
        self._process: asyncio.Task[None] | None = None

    def begin(self, process: asyncio.Task[None], ledger: "MortalLedger") -> None:
        """This is what is killed."""
        self._process, self._ledger = process, ledger

    def step(self) -> None:
        """Something is about to be done, or was. Raises ``CancelledError`` where it is over."""
        if self._left is not None and not self.is_over:
            self._left -= 1
            if self._left <= 0:
                self._kill()
        if self.is_over:
            raise asyncio.CancelledError

    def _kill(self) -> None:
        if self._process is not None and self._ledger is not None:
            self.is_over = True
            self._ledger.die()
            self._process.cancel()


class MortalLedger(SqlLedger):
    """A real ledger, on the virtual clock, whose process can die."""

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url, "night", clock=LoopClock(), inline=True)
        self._life = life

    def post(self, change: Change) -> Awaitable[None]:
        """As the real one does it; what is posted at the moment of death is not on disk."""
        posted = super().post(change)
        self._life.step()
        return posted

    def die(self) -> None:
        """What has not been committed never will be."""
        self._task.cancel()
