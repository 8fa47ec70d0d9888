"""The blocks of a manifest made into rows by two: a process of its own, and this one.

The process is kept at work. While it has all that it is told of ahead, and what
comes next is not there yet, a block is made here, so that neither core waits for
the other. What is made comes out in the order in which it was given.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from orchestrator.manifest.blocks import Block
from orchestrator.manifest.filling import PlainManifest
from orchestrator.manifest.plain_rows import Made, PlainRows
from orchestrator.manifest.reader import Answer, Reader, ReaderGone

#: A manifest of fewer bytes is read before a process would have begun.
WORTH_A_PROCESS = 262_144

#: Blocks that the process is told of ahead, and those that may wait to come out.
LEAD = 3
_WAITING = 2 * LEAD


@dataclass(slots=True)
class _Turn:
    """A block on its way; ``made`` is None while the process has it."""

    block: Block
    made: Made | None


class Sharing:
    """Makes the rows of one manifest, ``file``, which is open. To be ended."""

    def __init__(self, file: BinaryIO, about: PlainManifest) -> None:
        self._own = PlainRows(about)
        self._turns: deque[_Turn] = deque()
        self._reader: Reader | None = None
        if os.fstat(file.fileno()).st_size >= WORTH_A_PROCESS:
            with suppress(ReaderGone):
                self._reader = Reader(file, about)

    def give(self, block: Block) -> Iterator[tuple[Block, Answer]]:
        """Have the rows of a block made; out comes what is ready."""
        made = None if self._asked(block) else self._made_here(block)
        self._turns.append(_Turn(block, made))
        while self._turns and self._is_due():
            yield self._next()

    def rest(self) -> Iterator[tuple[Block, Answer]]:
        """All that was given and has not come out."""
        while self._turns:
            yield self._next()

    def end(self) -> None:
        """End the process."""
        if self._reader is not None:
            self._reader.end()
            self._reader = None

    def _has_room(self) -> bool:
        """Whether the process can be told of one more; its start is not waited for."""
        try:
            return self._reader is not None and self._reader.asked < LEAD and self._reader.is_up()
        except ReaderGone:
            self.end()
        return False

    def _asked(self, block: Block) -> bool:
        """Ask the process for a block, if it can be told of one more; whether it was."""
        if self._reader is None or not self._has_room():
            return False
        try:
            self._reader.ask(block)
        except ReaderGone:
            self.end()
            return False
        return True

    def _is_due(self) -> bool:
        """Whether the first is to come out: only when the process has all that it can be told."""
        if len(self._turns) > _WAITING:
            return True
        if self._has_room():
            return False
        return self._turns[0].made is not None or self._reader is None or self._reader.has_answer()

    def _next(self) -> tuple[Block, Answer]:
        turn = self._turns.popleft()
        if turn.made is None and self._reader is not None:
            try:
                return turn.block, self._reader.answer()
            except ReaderGone:
                self.end()
        # One that is gone took with it what it had been asked for.
        return turn.block, turn.made or self._made_here(turn.block)

    def _made_here(self, block: Block) -> Made:
        return self._own.made(block.data.decode(), block.line)
