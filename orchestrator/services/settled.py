"""Waiting that no cancellation cuts short: for threads, which can't be cancelled."""

import asyncio
from typing import Any


async def settled(*futures: asyncio.Future[Any]) -> None:
    """Wait until all have ended, however they do. Cancelled meanwhile, it is so afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [future for future in futures if not future.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for future in futures:
        if not future.cancelled():
            future.exception()  # else it would be logged as one that nobody looked at
    if cancelled is not None:
        raise cancelled
