"""The scope that ends a transfer which has stopped moving."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from orchestrator.model.errors import Stalled
from orchestrator.services.redact import redact


class Moved(Protocol):
    """To be called whenever something moved."""

    def __call__(self, *, resting: bool = False) -> None:
        """``resting``: from now on nothing moves on purpose, until the next call."""


#: To move a timer costs more than to move a piece of a body, so it is moved this many
#: times in ``stall`` seconds at most, and a stall is noticed that much later.
_MOVES = 16


@asynccontextmanager
async def watched(stall: float, url: str) -> AsyncIterator[Moved]:
    """Raise ``Stalled`` when the callable that this gives is not called for ``stall`` seconds."""
    clock = asyncio.get_running_loop()
    slack = stall / _MOVES
    until = -math.inf
    try:
        async with asyncio.timeout(stall) as scope:

            def moved(*, resting: bool = False) -> None:
                nonlocal until
                now = clock.time()
                if (resting or now > until) and not scope.expired():
                    scope.reschedule(None if resting else now + stall + slack)
                    until = -math.inf if resting else now + slack

            yield moved
    except TimeoutError:
        raise Stalled(f"{redact(url)}: nothing moved for {stall:g} seconds") from None
