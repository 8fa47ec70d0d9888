"""Lines of a CSV manifest straight to what the ledger stores, where rows are plain.

Whatever is not certain here is left to ``RowMaker`` and the recipe, which alone
say what is wrong with a row: this module knows no problem. It works on a
thousand rows at once, column by column: a step of Python for each row and value
would cost more than all else.
"""

import csv
from collections.abc import Iterable, Sequence
from itertools import compress

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
        if "\r" in block:
            block = block.replace("\r\n", "\n")
        lines = block.removesuffix("\n").split("\n")
        numbers = range(line, line + len(lines))
        cells = self._cells(numbers, self._records(block, lines))
        plain = self._filling.filled(cells) if cells else PlainColumns(0, [])
        if plain.count == len(lines):
            return plain, []
        others = sorted(set(numbers).difference(plain.column("line")))
        return plain, [(number, lines[number - line]) for number in others]

    def _records(self, block: str, lines: Sequence[str]) -> list[list[str]]:
        """The cells of each line; none where they are not plain."""
        width = len(self._columns)
        records: Iterable[list[str]] = [text.split(self._delimiter) for text in lines]
        if '"' in block:
            records = csv.reader(lines, delimiter=self._delimiter, strict=True)
        # Nearly always one look tells of a thousand rows.
        sure = block.isascii() and not block.encode().translate(None, self._signs)
        return [
            cells if len(cells) == width and (sure or is_plain("".join(cells))) else []
            for cells in records
        ]

    def _cells(self, lines: Sequence[int], records: Sequence[list[str]]) -> PlainCells | None:
        """The rows that are plain as far as their own cells tell."""
        if not all(records):
            lines, records = list(compress(lines, records)), list(filter(None, records))
        if not records:
            return None
        columns = dict(zip(self._columns, zip(*records, strict=True), strict=True))
        parts = [source.strip().rpartition("/") for source in columns["source"]]
        heads = [head + slash for head, slash, _ in parts]
        names = [name for _, _, name in parts]
        flags = [name[:1] not in _ODD_STARTS for name in names]
        for name in _EMPTY:
            if any(column := columns.get(name, ())):
                flags = [flag and not cell for flag, cell in zip(flags, column, strict=True)]
        if urgencies := columns.get("priority"):
            flags = [flag and it in PRIORITIES for flag, it in zip(flags, urgencies, strict=True)]
        return PlainCells(lines, heads, names, columns).kept(flags)
