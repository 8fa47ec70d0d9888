"""Connections that are kept between files, each used by one at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

_C = TypeVar("_C")


class Pool(Generic[_C]):
    """Opens connections as they are needed. One that failed in use is dropped, not kept."""

    def __init__(
        self,
        opener: Callable[[], Awaitable[_C]],
        closer: Callable[[_C], Awaitable[None]],
        dropper: Callable[[_C], Awaitable[None]],
    ) -> None:
        self._open, self._close, self._drop = opener, closer, dropper
        self._free: list[_C] = []

    @asynccontextmanager
    async def take(self) -> AsyncIterator[_C]:
        """A connection that nobody else uses."""
        connection = self._free.pop() if self._free else await self._open()
        try:
            yield connection
        except BaseException:
            await asyncio.shield(self._drop(connection))
            raise
        self._free.append(connection)

    async def aclose(self) -> None:
        """Close all of them."""
        while self._free:
            await self._close(self._free.pop())
