"""Keeps a run within its hours, its budget and a bearable rate of failures."""

from typing import Protocol

import anyio

from orchestrator.engine.allowance import Allowance
from orchestrator.engine.breaker import Bounds, Breaker, Doorway
from orchestrator.engine.closing import Closing, Hours
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Observer, Phase
from orchestrator.model.states import State


class Overseen(Protocol):
    """What is asked of an engine."""

    @property
    def entrance(self) -> Doorway:
        """Where new work comes in."""

    async def run(self) -> None:
        """Work until nothing is left to do."""

    def close(self, reason: str) -> None:
        """Begin nothing new, and end once the service has nothing more of ours."""


class Oversight:
    """The observer that an engine has: it draws its own conclusions, and passes all on.

    ``allowance`` is the engine's admission.
    """

    def __init__(
        self, inner: Observer, clock: Clock, hours: Hours, bounds: Bounds, allowance: Allowance
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._hours = hours
        self._bounds = bounds
        self._breaker: Breaker | None = None
        self.allowance = allowance

    async def run(self, engine: Overseen) -> None:
        """Run the engine under these rules.

        Raises what stops a run, and ``TooManyFailures``. Every item stays resumable.
        """
        breaker = self._breaker = Breaker(self._bounds, engine.entrance, self.note)
        closing = Closing(self._hours, self._clock, engine.entrance, engine.close, self.note)
        stopped: list[Exception] = []
        async with anyio.create_task_group() as tasks:

            async def until_the_end(part: Breaker | Overseen) -> None:
                try:
                    await part.run()
                except Exception as error:  # noqa: BLE001 - raised below, when all is quiet
                    stopped.append(error)
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_the_end, breaker)
            tasks.start_soon(until_the_end, engine)
            tasks.start_soon(closing.run)
        if stopped:
            raise stopped[0]

    # --- what an observer hears -------------------------------------------------

    def moved(self, item: Item, was: State) -> None:
        """See ``Observer``."""
        self.allowance.moved(item, was)
        if self._breaker is not None:
            self._breaker.moved(item, was)
        self._inner.moved(item, was)

    def sent(self, item: Item, done: int, total: int) -> None:
        """See ``Observer``."""
        self._inner.sent(item, done, total)

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """See ``Observer``."""
        self._inner.percent(item, phase, percent)

    def got(self, item: Item, done: int, total: int | None) -> None:
        """See ``Observer``."""
        self._inner.got(item, done, total)

    def note(self, message: str) -> None:
        """See ``Observer``."""
        self._inner.note(message)
