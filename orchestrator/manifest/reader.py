"""A process that makes the plain rows of a manifest, so that a second core is used.

It says when it is up, is told where a block begins and reads it from the file that
it was given open. It holds nothing that anyone would miss, and ends when its
parent does, since the pipe between them is closed then.
"""

import gc
import marshal
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import suppress
from select import POLLIN, poll
from struct import Struct
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, BinaryIO
from zlib import crc32

from orchestrator.manifest.blocks import Block
from orchestrator.manifest.filling import PlainManifest
from orchestrator.manifest.plain_rows import Made, PlainRows
from orchestrator.model.plain import PlainColumns

#: What answers may wait in the pipe, in bytes, where the system allows that much.
_PIPE = 2**20

_ASKED = Struct("<QQLL")  # where a block begins, its size, its line, its checksum
_SIZE = Struct("<Q")

#: What the process says first.
_UP = b"up"

_START = """\
import sys
sys.path[:] = sys.argv[2:]
from orchestrator.manifest.reader import main
main(int(sys.argv[1]))
"""

#: What ``PlainRows`` made of a block; None where the file changed.
Answer = Made | None


class ReaderGone(Exception):
    """Raised when the process can't be started, or has ended."""


class Reader:
    """The process, seen from its parent. ``file`` is the manifest, open."""

    def __init__(self, file: BinaryIO, about: PlainManifest) -> None:
        number = file.fileno()
        command = [sys.executable, "-I", "-S", "-c", _START, str(number), *sys.path]
        try:
            # In a group of its own, so that an interrupt at the keyboard is its parent's alone.
            self._process = Popen(
                command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, pass_fds=[number], process_group=0
            )
        except OSError as error:
            raise ReaderGone from error
        assert self._process.stdin
        assert self._process.stdout
        self._asks, self._answers = self._process.stdin, self._process.stdout
        self._watch = poll()  # ``select`` knows no file beyond the first 1,024
        self._watch.register(self._answers, POLLIN)
        self._is_up = False
        #: Blocks that were asked for and not answered.
        self.asked = 0
        _widen(self._answers)
        self._tell(_framed(pickle.dumps(about)))

    def is_up(self) -> bool:
        """Whether the process has started, which takes a while. Raises ``ReaderGone``."""
        if not self._is_up and self.has_answer():
            if _frame(self._answers) != _UP:
                raise ReaderGone
            self._is_up = True
        return self._is_up

    def ask(self, block: Block) -> None:
        """Have the rows of a block made, once it is up. Raises ``ReaderGone``."""
        self.asked += 1
        self._tell(_ASKED.pack(block.at, len(block.data), block.line, crc32(block.data)))

    def has_answer(self) -> bool:
        """Whether an answer, or the end of the process, is seen without waiting."""
        return bool(self._watch.poll(0))

    def answer(self) -> Answer:
        """The rows of the block that was asked for first. Raises ``ReaderGone``."""
        data = _frame(self._answers)
        if data is None:
            raise ReaderGone
        self.asked -= 1
        made = marshal.loads(data)  # noqa: S302 - from our own process
        return made and (PlainColumns(*made[0]), made[1])

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._asks, self._answers):
            with suppress(OSError):
                pipe.close()

    def _tell(self, data: bytes) -> None:
        try:
            self._asks.write(data)
            self._asks.flush()
        except OSError as error:
            raise ReaderGone from error


def main(file: int) -> None:
    """The process itself: answers until its parent asks no more."""
    gc.disable()  # rows hold no cycles
    asks, answers = sys.stdin.buffer, sys.stdout.buffer
    _widen(answers)
    begun = _frame(asks)
    if begun is None:
        return
    rows = PlainRows(pickle.loads(begun))  # noqa: S301 - from our own parent
    with suppress(BrokenPipeError):
        _send(answers, _UP)
        for at, size, line, checksum in _asked(asks):
            data = os.pread(file, size, at)
            answer = None
            if crc32(data) == checksum:
                plain, others = rows.made(data.decode(), line)
                answer = (plain.count, plain.columns), others
            _send(answers, marshal.dumps(answer))


def _asked(asks: IO[bytes]) -> Iterator[tuple[int, int, int, int]]:
    while len(data := asks.read(_ASKED.size)) == _ASKED.size:
        yield _ASKED.unpack(data)


def _framed(data: bytes) -> bytes:
    return _SIZE.pack(len(data)) + data


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_framed(data))
    pipe.flush()


def _frame(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    size = _SIZE.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


def _widen(pipe: IO[bytes]) -> None:
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
