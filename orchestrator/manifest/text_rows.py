"""Rows of a plain list: one source on each line."""

from collections.abc import Iterator

from orchestrator.manifest.rows import RowMaker
from orchestrator.model.items import Problem, Row


def read_text(lines: Iterator[str | Problem], maker: RowMaker) -> Iterator[Row | Problem]:
    """The rows of a plain list. Blank lines and lines that begin with ``#`` are skipped.

    A file whose name begins with ``#`` is written ``./#name``.
    """
    row = maker.row
    for number, line in enumerate(lines, 1):
        if isinstance(line, Problem):
            yield line
        elif (source := line.strip()) and source[0] != "#":
            yield row(number, source)
