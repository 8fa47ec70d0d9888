"""Rows of a CSV (or TSV) manifest: a header, then one row per record (RFC 4180)."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.rows import COLUMNS, RowMaker, column_fault
from orchestrator.model.items import Problem, Row

#: Lines that one record may go over. A quote that is left open takes in every
#: line up to the next quote: this is where that is noticed at the latest.
RECORD_LINES = 100

_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTE_HINT = 'close it, and write a quote inside a quoted cell twice: ""'


class _Damaged(Exception):
    """Raised to end a record that can't be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Records:
    """The records of a CSV file, each with the line that it begins on.

    The first sets how many cells the others have. A damaged record costs the
    lines up to where the damage is: reading goes on with the next line, even
    where an open quote had taken in many.
    """

    def __init__(
        self,
        lines: Iterator[str | Problem],
        file: str,
        delimiter: str,
        *,
        done: int = 0,
        width: int = 0,
    ) -> None:
        self._lines = lines
        self._file = file
        self._delimiter = delimiter
        self._width = width
        self._done = done  # lines before the record that is being read
        self._record: list[str | Problem] = []
        self._again: deque[str | Problem] = deque()

    def __iter__(self) -> Iterator[tuple[int, list[str]] | Problem]:
        record, width = self._record, self._width
        while True:
            try:
                for cells in csv.reader(self._feed(), delimiter=self._delimiter, strict=True):
                    width = width or len(cells)
                    if cells and len(cells) == width:
                        yield self._done + 1, cells
                    elif any(map(str.strip, cells)):
                        raise _miscounted(len(cells), width)
                    self._done += len(record)
                    record.clear()
            except (csv.Error, _Damaged) as error:
                yield self._problem(error)
            else:
                return

    @property
    def midway(self) -> bool:
        """Whether a record has begun that needs more lines."""
        return bool(self._record)

    def _feed(self) -> Iterator[str]:
        while self._again:
            yield self._checked(self._again.popleft())
        record = self._record
        for line in self._lines:
            if record or not isinstance(line, str):
                yield self._checked(line)
            else:
                record.append(line)
                yield line

    def _checked(self, line: str | Problem) -> str:
        self._record.append(line)
        if not isinstance(line, str):
            raise _Damaged("the row is cut by a line that can't be read")
        if len(self._record) > RECORD_LINES:
            raise _Damaged(f"the row goes over more than {RECORD_LINES} lines")
        return line

    def _problem(self, error: Exception) -> Problem:
        """The problem with the present record; the lines after it are read again."""
        first = self._record[0]
        if isinstance(first, Problem):
            self._give_back(1)
            return first
        text = "".join(line for line in self._record if isinstance(line, str))
        message, at = _quotes(text, self._delimiter)
        hint = _QUOTE_HINT
        if not message:
            message, hint = _reason(error)
            if len(self._record) > 1:
                message, hint = f"{message}; is a quote left open here?", _QUOTE_HINT
        line = self._done + 1 + at
        self._give_back(at + 1)
        return Problem(self._file, message, hint, line)

    def _give_back(self, used: int) -> None:
        self._again.extendleft(reversed(self._record[used:]))
        self._record.clear()
        self._done += used


def _reason(error: Exception) -> tuple[str, str]:
    if isinstance(error, _Damaged):
        return str(error), error.hint
    # With every quote in order, the csv module complains of one thing alone.
    hint = "a manifest holds references: keep what is long elsewhere"
    return f"a cell has more than {csv.field_size_limit():,} characters", hint


def _miscounted(count: int, width: int) -> _Damaged:
    hint = "a cell that holds the separator must stand in quotes"
    if count < width:
        hint = "every row needs as many cells as the header: leave them empty, but not out"
    return _Damaged(f"{count} cells, but the header has {width}", hint)


def _quotes(text: str, delimiter: str) -> tuple[str, int]:
    """What is wrong with a record's quotes, "" if nothing is, and how many lines down.

    Where nothing is wrong, that is where the first quoted cell of several lines
    begins, 0 if there is none.
    """
    position, spanning, fault = 0, -1, ""
    while position < len(text):
        if text[position] == '"':
            quoted = _QUOTED.match(text, position)
            spans = not quoted or bool(_LINE_END.search(quoted[0]))
            end = quoted.end() if quoted else len(text)
            if not quoted or text[end : end + 1] not in ("", delimiter, "\r", "\n"):
                fault = (
                    "a quote is opened here and not closed" if spans else "text after a quoted cell"
                )
                break
            if spans and spanning < 0:
                spanning = position
            position = end
        position = text.find(delimiter, position) + 1 or len(text)
    opened = position if fault else max(spanning, 0)
    return fault, len(_LINE_END.findall(text, 0, opened))


def read_csv(
    lines: Iterator[str | Problem], maker: RowMaker, file: str, delimiter: str
) -> Iterator[Row | Problem]:
    """The rows of a CSV manifest; ``delimiter`` is a comma or a tab.

    A header that can't be trusted ends it: its problems are all that comes.
    """
    records = iter(Records(lines, file, delimiter))
    columns = read_header(records, file)
    if isinstance(columns, list):
        yield from columns
    else:
        yield from rows_of(records, columns, maker)


def read_header(
    records: Iterator[tuple[int, list[str]] | Problem], file: str
) -> tuple[str, ...] | list[Problem]:
    """The names of the columns, or what is wrong with them."""
    header = next(records, None)
    if header is None:
        empty = Problem(file, "the manifest is empty", "begin with a line that names the columns")
        return [empty]
    if isinstance(header, Problem):
        return [header]
    line, names = header[0], [name.strip() for name in header[1]]
    return [fault.at(file, line) for fault in _header_faults(names)] or tuple(names)


def rows_of(
    records: Iterator[tuple[int, list[str]] | Problem], names: Sequence[str], maker: RowMaker
) -> Iterator[Row | Problem]:
    """The rows of records that come after the header, which gave ``names``."""
    # An absent column reads the empty cell that each record gets at its end.
    source, stitch, id_, priority, payload, tags = (
        names.index(name) if name in names else -1 for name in COLUMNS
    )
    others = [(name, at) for at, name in enumerate(names) if name not in COLUMNS]
    row = maker.row
    for record in records:
        if isinstance(record, Problem):
            yield record
            continue
        line, cells = record
        cells.append("")
        text = cells[source].strip()
        if not text and not any(map(str.strip, cells)):
            continue  # the empty rows that spreadsheets leave at the end
        yield row(
            line,
            text,
            stitch=cells[stitch].strip(),
            id=cells[id_],
            priority=cells[priority],
            payload=cells[payload],
            tags=cells[tags],
            fields={name: cells[at] for name, at in others} if others else None,
        )


def _header_faults(names: list[str]) -> list[Fault]:
    if len(names) == 1 and (what := _other_separator(names[0])):
        hint = "put commas between the cells of a .csv, tabs between those of a .tsv"
        return [Fault("source", f"{what} seem to stand between the columns", hint)]
    faults = [fault for name in names if (fault := column_fault(name))]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    faults += [Fault(name, f"two columns are called {name!r}", "rename one") for name in twice]
    if not faults and "source" not in names and "stitch" not in names:
        hint = "name the columns in the first line; a plain list of sources is a .txt file"
        faults = [Fault("source", "no column is called source or stitch", hint)]
    return faults


def _other_separator(header: str) -> str:
    words = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}
    return next((word for sign, word in words.items() if sign in header), "")
