"""How far uploads run ahead of starts: uploaded sources expire at the service."""

import anyio

from orchestrator.engine.queue import StageQueue


class Lead:
    """Bounded by ``ahead`` items that wait to start; what is most urgent need not wait."""

    def __init__(self, uploads: StageQueue, starts: StageQueue, ahead: int) -> None:
        self._uploads = uploads
        self._starts = starts
        self._ahead = ahead
        self._changed = anyio.Event()

    @property
    def left(self) -> bool:
        """Whether more may be uploaded than waits already."""
        return len(self._starts) < self._ahead

    async def wait(self) -> None:
        """Return once one more upload may begin."""
        while not self._within():
            # One event for all who wait: who replaced it would leave the others asleep.
            if self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()

    def look(self) -> None:
        """Something has changed: those who wait to upload may go on."""
        if not self._changed.is_set() and self._within():
            self._changed.set()

    def _within(self) -> bool:
        if self.left:
            return True
        best, waiting = self._uploads.best(), self._starts.best()
        return best is not None and waiting is not None and best < waiting
