"""A CSV manifest whose plain rows come out as they are stored, made on a second core.

Blocks go to a reader process and come back in their order. Lines that it leaves
alone, and blocks that can't be read by themselves, are read here as any other
manifest is, so there is one source of what is wrong with a row.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from orchestrator.manifest.blocks import Block, Blocks
from orchestrator.manifest.csv_rows import Records, read_header, rows_of
from orchestrator.manifest.filling import PlainManifest
from orchestrator.manifest.lines import HEAD, not_text
from orchestrator.manifest.plain_rows import PlainRows
from orchestrator.manifest.reader import LEAD, Answer, Reader, ReaderGone
from orchestrator.manifest.rows import RowMaker
from orchestrator.model.items import Problem, Row
from orchestrator.model.plain import PlainColumns, PlainRow

#: A manifest of fewer bytes is read before a process would have begun.
WORTH_A_PROCESS = 262_144

#: Rows that are handed on at once.
BATCH = 1000

_LINE = PlainRow._fields.index("line")

#: One row, or many plain ones at once; a tuple is a ``PlainRow`` without its name.
Entry = Row | Problem | PlainColumns | tuple[Any, ...]


class ReadyRows:
    """The rows of one CSV manifest. ``about`` lacks its columns: the file has them.

    ``name`` is what the manifest is called in problems.
    """

    def __init__(self, name: str, maker: RowMaker, about: PlainManifest) -> None:
        self._name = name
        self._maker = maker
        self._about = about
        self._reader: Reader | None = None
        self._own: PlainRows | None = None

    def read(self, path: str) -> Iterator[Sequence[Entry]]:
        """The rows, some at a time. Raises ``OSError`` as the file does."""
        with open(path, "rb") as file:  # noqa: PTH123 - the path is text, and stays so
            if problem := not_text(file.peek(HEAD)[:HEAD], self._name):
                yield [problem]
                return
            try:
                yield from self._rows(file)
            finally:
                if self._reader is not None:
                    self._reader.end()

    def _rows(self, file: BinaryIO) -> Iterator[Sequence[Entry]]:
        blocks = Blocks(file, self._name, self._about.delimiter)
        records = self._records(blocks)
        some = iter(records)
        columns = read_header(some, self._name)
        if isinstance(columns, list):
            yield columns
            return
        self._about = self._about._replace(columns=columns)
        if self._about.can_be_plain:
            self._own = PlainRows(self._about)
            self._begin(file)
        yield from _batches(rows_of(some, columns, self._maker))
        while blocks.next is not None:
            if blocks.is_simple(blocks.next):
                yield from self._hand_over(blocks.take())
            else:
                yield from self._waited_for()
                odd = iter(self._records(blocks))
                yield from _batches(rows_of(odd, columns, self._maker))
        yield from self._waited_for()

    def _records(self, blocks: Blocks) -> Records:
        """The records from here to the next block of plain rows."""
        about, first = self._about, blocks.next
        lines = blocks.odd_lines(lambda: records.midway or self._own is None)
        records = Records(
            lines,
            self._name,
            about.delimiter,
            done=first.line - 1 if first else 0,
            width=len(about.columns),
        )
        return records

    # --- plain rows -----------------------------------------------------------------------

    def _begin(self, file: BinaryIO) -> None:
        if os.fstat(file.fileno()).st_size >= WORTH_A_PROCESS:
            try:
                self._reader = Reader(file, self._about)
            except ReaderGone:
                self._reader = None

    def _hand_over(self, block: Block) -> Iterator[Sequence[Entry]]:
        if self._reader is None:
            yield self._made(block, self._made_here(block))
            return
        try:
            self._reader.ask(block)
        except ReaderGone:
            yield from self._without_reader()
            return
        if len(self._reader.asked) > LEAD:
            yield from self._answered()

    def _waited_for(self) -> Iterator[Sequence[Entry]]:
        while self._reader is not None and self._reader.asked:
            yield from self._answered()

    def _answered(self) -> Iterator[Sequence[Entry]]:
        assert self._reader is not None
        block = self._reader.asked[0]
        try:
            answer = self._reader.answer()
        except ReaderGone:
            yield from self._without_reader()
            return
        yield self._made(block, answer)

    def _without_reader(self) -> Iterator[Sequence[Entry]]:
        """Make here what a reader that is gone was asked for."""
        assert self._reader is not None
        reader, self._reader = self._reader, None
        reader.end()
        for block in reader.asked:
            yield self._made(block, self._made_here(block))

    def _made_here(self, block: Block) -> Answer:
        assert self._own is not None
        return self._own.made(block.data.decode(), block.line)

    def _made(self, block: Block, answer: Answer) -> Sequence[Entry]:
        """What an answer says, its other lines read as any row is."""
        if answer is None:
            message = "changed while it was read"
            return [Problem(self._name, message, "run again", block.line)]
        plain, others = answer
        if not others:
            return [plain]
        by_line: dict[int, list[Entry]] = {row[_LINE]: [row] for row in plain.rows()}
        by_line |= {line: list(self._one(line, text)) for line, text in others}
        return [entry for line in sorted(by_line) for entry in by_line[line]]

    def _one(self, line: int, text: str) -> Iterator[Row | Problem]:
        about = self._about
        records = Records(
            iter([f"{text}\n"]),
            self._name,
            about.delimiter,
            done=line - 1,
            width=len(about.columns),
        )
        return rows_of(iter(records), about.columns, self._maker)


def _batches(rows: Iterator[Row | Problem]) -> Iterator[Sequence[Entry]]:
    while some := list(islice(rows, BATCH)):
        yield some
