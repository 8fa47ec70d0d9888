"""Runs one statement over many rows, with SQLAlchemy's own work left out.

A statement is compiled once per kind of database and handed to its driver as it
is, so every value must be one that the driver takes: text, numbers, None. What
the driver raises comes out as SQLAlchemy would have it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, compress, count, repeat
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase

from orchestrator.model.plain import PlainColumns

Values = Mapping[str, Any]

#: Rows in one statement: more is hardly faster, and an insert of manifest rows stays below the
#: 999 variables that any SQLite takes.
#: What does not fill one goes in by halves, quarters and so on, so that there are few statements.
BLOCK = 64


class Bulk:
    """A statement whose every variable is a ``bindparam`` that each row names."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Run it for each row, in order; how many rows of the table it touched."""
        if not rows:
            return 0
        dialect = connection.dialect.name
        if dialect not in self._compiled:
            self._compiled[dialect] = self._compile(connection)
        sql, arrange = self._compiled[dialect]
        with driven(connection) as cursor:
            cursor.executemany(sql, [arrange(row) for row in rows])
            return int(cursor.rowcount)

    def _compile(self, connection: Connection) -> tuple[str, Callable[[Values], Any]]:
        compiled = self._statement.compile(dialect=connection.dialect)
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        return str(compiled), itemgetter(*order) if order else dict


class Many:
    """A statement over many rows at once, which stand where it says ``{rows}``.

    A row is its values in the order of the columns, ``width`` of them: to make a
    mapping of each, as ``Bulk`` takes it, costs more than the many statements do.
    """

    def __init__(self, statement: str, width: int) -> None:
        self._statement = statement
        self._row = f"({', '.join('?' * width)})"
        self._texts: dict[int, str] = {}

    def run(self, cursor: DBAPICursor, rows: Sequence[Sequence[Any]]) -> int:
        """Run it for all rows; how many rows of the table it touched."""
        touched = 0
        for at, several in _pieces(len(rows)):
            values = list(chain.from_iterable(rows[at : at + several]))
            cursor.execute(self._text(several), values)
            touched += cursor.rowcount
        return touched

    def _text(self, rows: int) -> str:
        if rows not in self._texts:
            values = ", ".join(repeat(self._row, rows))
            self._texts[rows] = self._statement.format(rows=values)
        return self._texts[rows]


class Block:
    """An insert of many rows at once; ``begins`` is what stands before their values.

    ``row`` makes the values of one row, in brackets, of the places of its variables.
    What all rows given at once have alike is bound once: for each None, Python's
    driver looks for an adapter first, which takes longer than all else about it.
    """

    def __init__(self, begins: str, row: Callable[[Sequence[str]], str]) -> None:
        self._begins = begins
        self._row = row
        #: Statements by their number of rows, and which columns these have alike.
        self._statements: dict[int, str] = {}
        self._alike: tuple[bool, ...] = ()

    def run(self, cursor: DBAPICursor, rows: PlainColumns) -> None:
        """Insert the rows."""
        alike = tuple(not isinstance(column, list) for column in rows.columns)
        if alike != self._alike:
            self._alike, self._statements = alike, {}
        shared = list(compress(rows.columns, alike))
        others = [column for column in rows.columns if isinstance(column, list)]
        for at, several in _pieces(rows.count):
            values = shared.copy()
            for column in others:
                values += column[at : at + several]
            cursor.execute(self._statement(several), values)

    def _statement(self, rows: int) -> str:
        """The insert of so many rows, whose values are bound column by column."""
        if rows not in self._statements:
            number = count(1)
            shared = [f"?{next(number)}" if same else "" for same in self._alike]
            columns = [
                repeat(place, rows) if place else [f"?{next(number)}" for _ in range(rows)]
                for place in shared
            ]
            values = map(self._row, zip(*columns, strict=True))
            self._statements[rows] = self._begins + ", ".join(values)
        return self._statements[rows]


def _pieces(rows: int) -> Iterator[tuple[int, int]]:
    """Where each statement's rows begin, and how many they are."""
    at, several = 0, BLOCK
    while at < rows:
        while several > rows - at:
            several //= 2
        yield at, several
        at += several


@contextmanager
def driven(connection: Connection) -> Iterator[DBAPICursor]:
    """The driver's own cursor. What goes wrong comes out as SQLAlchemy would have it."""
    cursor = connection.connection.cursor()
    kind = connection.dialect.loaded_dbapi.Error
    try:
        yield cursor
    except kind as error:
        dialect = connection.dialect
        raise DBAPIError.instance(None, None, error, kind, dialect=dialect) from error
    finally:
        cursor.close()


def adding(table: Table, *but: str) -> Bulk:
    """Inserts whole rows of a table, its columns ``but`` left to the database."""
    names = [column.name for column in table.columns if column.name not in but]
    return Bulk(insert(table).values({name: bindparam(name) for name in names}))


def each(*names: str) -> dict[str, Any]:
    """Columns that are set from a value of the same name in each row."""
    return {name: bindparam(name) for name in names}
