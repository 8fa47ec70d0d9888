"""Work done at the same time: all of it, or the first failure and nothing left running."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run everything; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failures:
        first = failures
        while isinstance(first.exceptions[0], BaseExceptionGroup):
            first = first.exceptions[0]
        raise first.exceptions[0] from None
