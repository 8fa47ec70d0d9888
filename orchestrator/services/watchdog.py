"""The scope that ends a transfer which has stopped moving."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from orchestrator.model.errors import Stalled
from orchestrator.services.redact import redact


class Moved(Protocol):
    """To be called whenever something moved."""

    def __call__(self, *, resting: bool = False) -> None:
        """``resting``: from now on nothing moves on purpose, until the next call."""


@asynccontextmanager
async def watched(stall: float, url: str) -> AsyncIterator[Moved]:
    """Raise ``Stalled`` when the callable that this gives is not called for ``stall`` seconds."""
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(stall) as scope:

            def moved(*, resting: bool = False) -> None:
                if not scope.expired():
                    scope.reschedule(None if resting else clock.time() + stall)

            yield moved
    except TimeoutError:
        raise Stalled(f"{redact(url)}: nothing moved for {stall:g} seconds") from None
