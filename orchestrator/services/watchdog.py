"""The scope that ends a transfer which has stopped moving."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.model.errors import Stalled
from orchestrator.services.redact import redact


@asynccontextmanager
async def watched(stall: float, url: str) -> AsyncIterator[Callable[[], None]]:
    """Raise ``Stalled`` when the callable that this gives is not called for ``stall`` seconds."""
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(stall) as scope:
            yield lambda: scope.reschedule(clock.time() + stall)
    except TimeoutError:
        raise Stalled(f"{redact(url)}: nothing moved for {stall:g} seconds") from None
