"""A CSV manifest whose plain rows come out as they are stored, made on two cores.

Blocks are made into rows by ``Sharing``. Lines that it leaves alone, and blocks
that can't be read by themselves, are read here as any other manifest is, so there
is one source of what is wrong with a row.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, starmap
from typing import Any, BinaryIO

from orchestrator.manifest.blocks import Block, Blocks
from orchestrator.manifest.csv_rows import Records, read_header, rows_of
from orchestrator.manifest.filling import PlainManifest
from orchestrator.manifest.lines import HEAD, not_text
from orchestrator.manifest.reader import Answer
from orchestrator.manifest.rows import RowMaker
from orchestrator.manifest.sharing import Sharing
from orchestrator.model.items import Problem, Row
from orchestrator.model.plain import PlainColumns, PlainRow

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
        self._sharing: Sharing | None = None

    def read(self, path: str) -> Iterator[Sequence[Entry]]:
        """The rows, some at a time. Raises ``OSError`` as the file does."""
        with open(path, "rb") as file:  # noqa: PTH123 - the path is text, and stays so
            if problem := not_text(file.peek(HEAD)[:HEAD], self._name):
                yield [problem]
                return
            try:
                yield from self._rows(file)
            finally:
                if self._sharing is not None:
                    self._sharing.end()

    def _rows(self, file: BinaryIO) -> Iterator[Sequence[Entry]]:
        blocks = Blocks(file, self._name, self._about.delimiter)
        records = self._records(blocks)
        some = iter(records)
        columns = read_header(some, self._name)
        if isinstance(columns, list):
            yield columns
            return
        self._about = self._about._replace(columns=columns)
        sharing = Sharing(file, self._about) if self._about.can_be_plain else None
        self._sharing = sharing
        yield from _batches(rows_of(some, columns, self._maker))
        if sharing is None:
            return
        while blocks.next is not None:
            if blocks.is_simple(blocks.next):
                yield from starmap(self._made, sharing.give(blocks.take()))
            else:
                yield from starmap(self._made, sharing.rest())
                odd = iter(self._records(blocks))
                yield from _batches(rows_of(odd, columns, self._maker))
        yield from starmap(self._made, sharing.rest())

    def _records(self, blocks: Blocks) -> Records:
        """The records from here to the next block of plain rows."""
        about, first = self._about, blocks.next
        lines = blocks.odd_lines(lambda: records.midway or self._sharing is None)
        records = Records(
            lines,
            self._name,
            about.delimiter,
            done=first.line - 1 if first else 0,
            width=len(about.columns),
        )
        return records

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
