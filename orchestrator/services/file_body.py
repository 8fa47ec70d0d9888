"""Large files over plain HTTP: a thread reads the file and writes to the socket.

That takes less CPU than to pass the bytes through the event loop, and a read from a
cold disk or a network mount may take its time. sendfile(2) takes less still here, but
more where the receiver is on this machine, as this product's own service mostly is:
on the whole it is slower (figures: ``benchmarks/README.md``).
"""

import asyncio
import os
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from orchestrator.services.settled import settled
from orchestrator.services.source_file import SourceFile
from orchestrator.services.throttle import Throttle
from orchestrator.services.watchdog import Moved, unwatched

#: Windows has no descriptors of sockets that can be written like files.
_POSIX = os.name == "posix"

#: Bytes; the way to a thread and back costs more than it takes to pass so many through.
_WORTH = 2**20

#: Seconds that a thread sends, or waits for the socket, before it asks the event
#: loop: so late are a new rate, a cancellation and progress heard of.
_TURN = 0.1

#: Bytes that are taken from the throttle at once, at most.
_TAKEN = 2**20

#: Bytes per read: what stays in a core's cache until it is written.
_READ = 2**18

#: Its own, since these threads also wait for the network: others would wait for them.
_THREADS = ThreadPoolExecutor(32, "file-body")


def takes_files(url: str, size: int) -> bool:
    """Whether a file of so many bytes may be sent like this to ``url``, and is worth it."""
    return _POSIX and size >= _WORTH and url.startswith("http://")


class FileBody:
    """A stretch of a source: an ``Outflow``. ``moved`` hears of what the kernel has taken."""

    def __init__(self, source: SourceFile, offset: int, length: int, throttle: Throttle) -> None:
        self.moved: Moved = unwatched
        self.left = length
        self._source, self._offset = source, offset
        self._throttle = throttle
        self._granted = 0
        self._buffer = memoryview(bytearray(min(_READ, length)))
        self._read = self._buffer[:0]

    async def pour(self, own: socket.socket) -> None:
        """See ``connection.Outflow``. Raises what ``SourceFile.read_into`` does."""
        loop = asyncio.get_running_loop()
        while self.left:
            count = await self._may_leave()
            before = self.left
            turn = loop.run_in_executor(_THREADS, self._turn, own, count)
            await settled(turn)
            turn.result()
            if sent := before - self.left:
                self._granted -= min(sent, self._granted)
                self.moved()

    async def _may_leave(self) -> int:
        """How many bytes. Where there is no limit, it is asked for again each turn."""
        if self._throttle.rate is None:
            return self.left
        if not self._granted:
            size = self._throttle.piece(min(_TAKEN, self.left))
            self.moved(resting=True)
            await self._throttle.take(size)
            self.moved()
            self._granted = size
        return self._granted

    def _turn(self, own: socket.socket, count: int) -> None:
        """In a thread: send so many bytes, or what goes in the time."""
        until = time.monotonic() + _TURN
        least = self.left - count
        room = select.poll()
        room.register(own, select.POLLOUT)
        while self.left > least and (rest := until - time.monotonic()) > 0:
            if not self._read:
                self._read = self._buffer[: self._source.read_into(self._buffer, self._offset)]
            try:
                sent = os.write(own.fileno(), self._read[: self.left - least])
            except BlockingIOError:
                room.poll(rest * 1000)
            else:
                self._read = self._read[sent:]
                self._offset += sent
                self.left -= sent
