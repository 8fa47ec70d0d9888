"""What goes on beside a run, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

log = structlog.get_logger(__name__)


@asynccontextmanager
async def beside(*companions: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these until the block ends. A fault in one is logged, and leaves the run alone."""
    tasks = [asyncio.create_task(_logged(companion)) for companion in companions]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _logged(companion: Coroutine[Any, Any, None]) -> None:
    try:
        await companion
    except Exception as error:
        log.error("internal error beside the run", exc_info=error)
