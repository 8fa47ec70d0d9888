"""The start stage: from uploaded to an encode that the service has taken, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.work import Work
from orchestrator.model.errors import AccountProblem, Busy, NotSettled, Permanent, Unreachable
from orchestrator.model.ports import Clock, Recipe, Service
from orchestrator.model.states import State

#: Answers after which a start has certainly not happened.
_REFUSALS = (Busy, Unreachable, Permanent, AccountProblem)


@dataclass(frozen=True, slots=True)
class StartStage:
    """Takes work that is uploaded, or whose start may have been lost; leaves it encoding."""

    service: Service
    recipe: Recipe
    gate: AdmissionGate
    journal: Journal
    clock: Clock
    settle: float

    async def __call__(self, work: Work) -> None:
        """Start the encode. Never two: what may have left is looked for first."""
        # Built before the intent, so that a bad request leaves none behind.
        request = self.recipe.request(work.item)
        if work.uncertain and await self._found(work):
            return
        ticket = None
        if not work.holds_slot:
            ticket = await self.gate.take_slot()
            work.holds_slot = True
        await self.gate.call(lambda: self._start(work, request), start=ticket)

    async def _start(self, work: Work, request: Mapping[str, Any]) -> None:
        work.hold()
        try:
            await self._send(work, request)
        finally:
            work.let_go()

    async def _send(self, work: Work, request: Mapping[str, Any]) -> None:
        if work.item.state is State.UPLOADED:
            work.item = await self.journal.move(work.item, work.item.to(State.STARTING))
        item = work.item
        if item.attempt is None:
            raise ValueError(f"{item.key} has no attempt to start")
        work.uncertain, work.lost_at = True, None
        try:
            status_url = await self.service.start(item.attempt, request, self.recipe.payload(item))
        except _REFUSALS:
            work.uncertain = False
            raise
        await self._taken(work, status_url, "")

    async def _found(self, work: Work) -> bool:
        """Whether the lost start had begun after all; then the encode is taken up.

        A service that does not know of it proves nothing while the request may still
        be on its way there: raises ``NotSettled`` until that time is over.
        """
        attempt = work.item.attempt
        if attempt is None:
            return False
        if work.lost_at is None:
            work.lost_at = self.clock.monotonic()
        report = await self.gate.call(lambda: self.service.find(attempt))
        if report is None:
            left = work.lost_at + self.settle - self.clock.monotonic()
            if left > 0:
                again = min(left, self.settle / 6)
                raise NotSettled("the start whose answer was lost may still arrive", again)
            work.uncertain = False
            return False
        work.uncertain = False
        if not work.holds_slot:
            self.gate.count_in()
            work.holds_slot = True
        await self._taken(work, report.status_url, "found at the service: it had been started")
        return True

    async def _taken(self, work: Work, status_url: str | None, note: str) -> None:
        now = work.item.noting(State.ENCODING, status_url=status_url)
        work.item = await self.journal.move(work.item, now, note=note)
        work.uncertain = False
