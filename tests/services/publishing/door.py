"""A door to a server that breaks the connection that is open when a test says so."""

import asyncio
import contextlib
from typing import Self


class Door:
    """Passes bytes on to ``port``; once, after ``break_after`` bytes, it hangs up."""

    def __init__(self, port: int) -> None:
        self._there = port
        self._left: int | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = self.broken = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def break_after(self, count: int) -> None:
        """Hang up after so many more bytes."""
        self._left = count

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._there)
        answers = asyncio.create_task(_pump(there, writer))
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    back.write(data)
                    await back.drain()
                    if self._left is not None and (left := self._left - len(data)) <= 0:
                        self._left, self.broken = None, self.broken + 1
                        writer.transport.abort()
                        break
                    if self._left is not None:
                        self._left = left
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            for each in (back, writer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
