"""Large files over plain HTTP: the kernel takes them from the disk to the socket (sendfile(2)).

No byte passes through this process, which needs little more than half the CPU then.
A read from a cold disk or a network mount may take its time even so, and therefore
it happens in threads, and never in the event loop.
"""

import asyncio
import select
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from orchestrator.services.settled import settled
from orchestrator.services.source_file import SourceFile
from orchestrator.services.throttle import Throttle
from orchestrator.services.watchdog import Moved, unwatched

#: Others have a call of this name that answers otherwise.
_LINUX = sys.platform == "linux"

#: Bytes; the way to a thread and back costs more than it takes to pass so many through.
_WORTH = 2**20

#: Seconds that a thread sends, or waits for the socket, before it asks the event
#: loop: so late are a new rate, a cancellation and progress heard of.
_TURN = 0.1

#: Bytes per system call, which ends only when they are read.
_CALL = 2**20

#: Its own, since these threads also wait for the network: others would wait for them.
_THREADS = ThreadPoolExecutor(32, "sendfile")


def takes_files(url: str, size: int) -> bool:
    """Whether a file of so many bytes may be sent like this to ``url``, and is worth it."""
    return _LINUX and size >= _WORTH and url.startswith("http://")


class FileBody:
    """A stretch of a source: an ``Outflow``. ``moved`` hears of what the kernel has taken."""

    def __init__(self, source: SourceFile, offset: int, length: int, throttle: Throttle) -> None:
        self.moved: Moved = unwatched
        self.left = length
        self._source, self._offset = source, offset
        self._throttle = throttle
        self._granted = 0

    async def pour(self, own: socket.socket) -> None:
        """See ``connection.Outflow``. Raises what ``SourceFile.send`` does."""
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
            size = self._throttle.piece(min(_CALL, self.left))
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
            try:
                sent = self._source.send(own.fileno(), self._offset, min(_CALL, self.left - least))
            except BlockingIOError:
                room.poll(rest * 1000)
            else:
                self._offset += sent
                self.left -= sent
