"""Lines of a CSV manifest straight to what the ledger stores, where rows are plain.

Whatever is not certain here is left to ``RowMaker`` and the recipe, which alone
say what is wrong with a row: this module knows no problem. It works on a
thousand rows at once, column by column: a step of Python for each row and value
would cost more than all else.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import add

from orchestrator.manifest.filling import Filling, PlainCells, PlainManifest
from orchestrator.manifest.rows import PRIORITIES
from orchestrator.model.plain import PLAIN_SIGNS, PlainColumns, is_plain

#: How names begin that are looked at more closely; also none.
_ODD_STARTS = frozenset({"", ".", "~"})

#: Columns that a plain row leaves empty.
_EMPTY = ("stitch", "payload", "tags")

#: The plain rows of some lines, and each other line with its number.
Made = tuple[PlainColumns, list[tuple[int, str]]]


class PlainRows:
    """Makes the plain rows of a manifest that ``can_be_plain``."""

    def __init__(self, about: PlainManifest) -> None:
        self._columns = about.columns
        self._delimiter = about.delimiter
        self._signs = PLAIN_SIGNS + b"\n" + about.delimiter.encode()
        self._filling = Filling(about)

    def made(self, block: str, line: int) -> Made:
        """The plain rows of ``block``, which begins on ``line``, and its other lines.

        No record of the block goes over several lines; where one holds a quote,
        the cells in quotes hold no other.
        """
        text = block.replace("\r\n", "\n") if "\r" in block else block
        text = text.removesuffix("\n")
        numbers = range(line, line + text.count("\n") + 1)
        cells = self._cells(numbers, text)
        plain = self._filling.filled(cells) if cells else PlainColumns(0, [])
        if plain.count == len(numbers):
            return plain, []
        lines = text.split("\n")
        others = sorted(set(numbers).difference(plain.column("line")))
        return plain, [(number, lines[number - line]) for number in others]

    def _cells(self, lines: Sequence[int], text: str) -> PlainCells | None:
        """The rows that are plain as far as their own cells tell."""
        # Nearly always one look tells of a thousand rows.
        sure = text.isascii() and not text.encode().translate(None, self._signs)
        columns = self._aligned(text, len(lines)) if sure else None
        if columns is None:
            records = self._records(text, sure=sure)
            if not all(records):
                lines, records = list(compress(lines, records)), list(filter(None, records))
            if not records:
                return None
            columns = list(zip(*records, strict=True))
        return _plain(lines, dict(zip(self._columns, columns, strict=True)))

    def _aligned(self, text: str, rows: int) -> list[Sequence[str]] | None:
        """The columns, if each line has as many cells as there are columns; None otherwise.

        All cells in one list, those that begin a line with its end: it is cut up
        much faster at once than line by line.
        """
        sign, width = self._delimiter, len(self._columns)
        cells = text.replace("\n", f"{sign}\n").split(sign)
        first = "".join(cells[::width]).split("\n")
        if len(cells) != rows * width or len(first) != rows:
            return None
        return [first, *(cells[column::width] for column in range(1, width))]

    def _records(self, text: str, *, sure: bool) -> list[list[str]]:
        """The cells of each line; none where they are not plain. ``sure``: all are."""
        width, lines = len(self._columns), text.split("\n")
        records: Iterable[list[str]] = [line.split(self._delimiter) for line in lines]
        if '"' in text:
            records = csv.reader(lines, delimiter=self._delimiter, strict=True)
        return [
            cells if len(cells) == width and (sure or is_plain("".join(cells))) else []
            for cells in records
        ]


def _plain(lines: Sequence[int], columns: Mapping[str, Sequence[str]]) -> PlainCells:
    """Of rows with plain cells those that no column speaks against."""
    parts = [source.strip().rpartition("/") for source in columns["source"]]
    before, slashes, names = zip(*parts, strict=True)
    flags = [name[:1] not in _ODD_STARTS for name in names]
    for name in _EMPTY:
        if any(column := columns.get(name, ())):
            flags = [flag and not cell for flag, cell in zip(flags, column, strict=True)]
    if urgencies := columns.get("priority"):
        flags = [flag and it in PRIORITIES for flag, it in zip(flags, urgencies, strict=True)]
    return PlainCells(lines, list(map(add, before, slashes)), names, columns).kept(flags)
