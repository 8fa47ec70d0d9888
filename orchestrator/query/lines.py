"""On which line of a TOML file a value stands; ``tomllib`` does not tell.

The text has been parsed by then, so it is known to be valid TOML 1.0, and only
its outline is read here: headers, keys, and where strings, arrays and inline
tables begin and end.
"""

import re
from collections.abc import Mapping

from orchestrator.query.problems import Path, dotted

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STEP = re.compile(r"\.[^.\[\]]*$|\[\d+\]$")


def lines_of(text: str) -> Mapping[str, int]:
    """The line, from 1, of each table, key and element, by its dotted path."""
    return _Outline(text).lines


def line_of(lines: Mapping[str, int], field: str) -> int:
    """The line of ``field``, else of the nearest table that it belongs to, else 0."""
    while field and field not in lines:
        shorter = _STEP.sub("", field)
        field = shorter if shorter != field else ""
    return lines.get(field, 0)


class _Outline:
    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text = text
        self._at = 0
        #: How many elements each array of tables has so far.
        self._tables: dict[Path, int] = {}
        table: Path = ()
        self._skip()
        while self._at < len(text):
            table = self._header() if self._sees("[") else self._pair(table)
            self._skip()

    def _skip(self) -> None:
        self._take(_BLANK)

    def _sees(self, start: str) -> bool:
        return self._text.startswith(start, self._at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at + 1
        return found[0] if found else ""

    def _note(self, path: Path, at: int) -> None:
        self.lines.setdefault(dotted(path), self._text.count("\n", 0, at) + 1)

    def _header(self) -> Path:
        start, many = self._at, self._sees("[[")
        self._at += 2 if many else 1
        path = self._key(())
        if many:
            self._tables[path] = self._tables.get(path, 0) + 1
            path = (*path, self._tables[path] - 1)
        self._at = max(self._at, self._text.find("]]" if many else "]", self._at) + 1 + many)
        self._note(path, start)
        return path

    def _key(self, table: Path) -> Path:
        """A dotted key; a header's goes through the last of each array of tables."""
        path = table
        while True:
            self._skip()
            quoted = self._sees('"') or self._sees("'")
            name = self._take(_STRING)[1:-1] if quoted else self._take(_BARE_KEY)
            if path in self._tables and not table:
                path = (*path, self._tables[path] - 1)
            path = (*path, name)
            self._skip()
            if not self._sees("."):
                return path
            self._at += 1

    def _pair(self, table: Path) -> Path:
        start = self._at
        path = self._key(table)
        self._note(path, start)
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)
        return table

    def _value(self, path: Path) -> None:
        if self._sees('"') or self._sees("'"):
            self._take(_STRING)
        elif self._sees("["):
            self._members(path, "]")
        elif self._sees("{"):
            self._members(path, "}")
        else:
            self._take(_SCALAR)

    def _members(self, path: Path, end: str) -> None:
        """The elements of an array, or the pairs of an inline table."""
        self._at += 1
        place = 0
        self._skip()
        while self._at < len(self._text) and not self._sees(end):
            if end == "]":
                self._note((*path, place), self._at)
                self._value((*path, place))
            else:
                self._pair(path)
            place += 1
            self._skip()
            if self._sees(","):
                self._at += 1
                self._skip()
        self._at += 1
