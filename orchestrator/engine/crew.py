"""The workers of one stage."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from orchestrator.engine.queue import StageQueue
from orchestrator.engine.work import Work


@dataclass(frozen=True, slots=True)
class Stage:
    """What a worker does: once ``ready``, it takes the best work and does ``step`` with it.

    By the time that there is work it must still be so (``may``), unless ``ready``
    answered True: go whatever happens. Work whose step succeeded goes to
    ``onward``, else to ``setback`` with the error.
    """

    queue: StageQueue
    ready: Callable[[], Awaitable[bool]]
    may: Callable[[], bool]
    step: Callable[[Work], Awaitable[None]]
    onward: Callable[[Work], None]
    setback: Callable[[Work, Exception, StageQueue], Awaitable[None]]


class Crew:
    """As many workers as are wanted; their number may change while they work."""

    def __init__(self, stage: Stage, size: int) -> None:
        self._stage = stage
        self._size = size
        self._there: set[int] = set()
        self._tasks: TaskGroup | None = None

    @property
    def size(self) -> int:
        """How many workers are wanted."""
        return self._size

    def begin(self, tasks: TaskGroup) -> None:
        """Put the workers to work in ``tasks``; they end by being cancelled."""
        self._tasks = tasks
        self.resize(self._size)

    def resize(self, size: int) -> None:
        """Be ``size`` workers. One too many ends with what it is doing now."""
        self._size = size
        if self._tasks is None:
            return
        for number in range(size):
            if number not in self._there:
                self._there.add(number)
                self._tasks.start_soon(self._serve, number)

    async def _serve(self, number: int) -> None:
        while number < self._size:
            # One scope for many items: it is spent when the work in hand is dropped.
            with anyio.CancelScope() as scope:
                await self._work(number, scope)
        self._there.discard(number)

    async def _work(self, number: int, scope: anyio.CancelScope) -> None:
        stage = self._stage
        while number < self._size and not scope.cancel_called:
            sure = await stage.ready()
            work = await stage.queue.get()
            if number >= self._size or not (sure or stage.may()):
                stage.queue.put(work)
            elif not work.dropped:
                work.scope = scope
                try:
                    await self._do(work)
                finally:
                    work.scope = None

    async def _do(self, work: Work) -> None:
        stage = self._stage
        try:
            await stage.step(work)
        except Exception as error:  # noqa: BLE001 - one item's trouble must not end the others
            await stage.setback(work, error, stage.queue)
        else:
            work.next_step()
            if not work.dropped:
                stage.onward(work)
