"""A CSV file cut into blocks of whole lines, and told which of them are simple.

In a simple block every line is a record of its own, so that it can be read
without what came before it: its text is UTF-8, its lines end in ``\\n`` or
``\\r\\n``, and a quote in it belongs to a quoted cell of one line that holds no
other quote.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import BinaryIO

from orchestrator.manifest.lines import LINE_LIMIT, decoded
from orchestrator.model.items import Problem

#: Bytes in a block: about a thousand rows.
BLOCK = 65_536

#: More in one block is left to those who read line by line: the csv module takes
#: cells of up to 131,072 characters.
_LONGEST = 2 * BLOCK - 1

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, the first of which is ``line`` of the file. ``at``: its first byte."""

    data: bytes
    at: int
    line: int


class Blocks:
    """The blocks of a file, one after the other; the first holds one line alone."""

    def __init__(self, file: BinaryIO, name: str, delimiter: str) -> None:
        self._file = file
        self._name = name
        sign = re.escape(delimiter.encode())
        self._quoted = re.compile(rb'(?:(?<=[\n%s])|\A)"[^"\r\n]*"(?=[\r\n%s]|\Z)' % (sign, sign))
        self._at = 0
        self._line = 1
        self._next: Block | None = self._read(1)

    @property
    def next(self) -> Block | None:
        """The block that comes next, None at the end."""
        return self._next

    def take(self) -> Block:
        """The next block, which has been seen to be there."""
        block = self._next
        assert block is not None
        self._at += len(block.data)
        self._line = block.line + _lines_in(block.data)
        self._next = self._read(BLOCK)
        return block

    def is_simple(self, block: Block) -> bool:
        """Whether each line of it can be read by itself."""
        data = block.data
        if len(data) > _LONGEST or b"\0" in data:
            return False
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):  # to look is quick
            return False
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                return False
        return b'"' not in data or b'"' not in self._quoted.sub(b"", data)

    def odd_lines(self, midway: Callable[[], bool]) -> Iterator[str | Problem]:
        """Lines from here to the next simple block, but not in the middle of a record."""
        number = self._next.line - 1 if self._next else 0
        return decoded(_OddLines(self, midway), self._name, number)

    def _read(self, size: int) -> Block | None:
        data = self._file.read(size) if size > 1 else b""
        data += self._file.readline(LINE_LIMIT)
        if data.endswith(b"\r"):  # cut, perhaps within a line's end
            data += self._file.read(1)
        return Block(data, self._at, self._line) if data else None


class _OddLines:
    """Gives lines of one block after the other, until a simple one comes between records."""

    def __init__(self, blocks: Blocks, midway: Callable[[], bool]) -> None:
        self._blocks = blocks
        self._midway = midway
        self._decode = getincrementaldecoder("utf-8")("surrogateescape").decode
        self._text = StringIO()
        self._torn = False

    def readline(self, limit: int, /) -> str:
        line = self._text.readline(limit)
        # What is longer than a block may be comes in several.
        while len(line) < limit and not line.endswith(("\n", "\r")) and self._go_on(line):
            line += self._text.readline(limit - len(line))
        return line

    def _go_on(self, line: str) -> bool:
        block = self._blocks.next
        if block is None:
            return False
        if not (line or self._torn or self._midway()) and self._blocks.is_simple(block):
            return False
        data = self._blocks.take().data
        self._torn = not data.endswith(b"\n")
        text = self._decode(data, self._blocks.next is None)
        self._text = StringIO(text, newline="")
        return True


def _lines_in(data: bytes) -> int:
    return len(_LINE_END.findall(data)) if b"\r" in data else data.count(b"\n")
