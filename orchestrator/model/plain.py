"""Rows that need no closer look, as nearly all of a manifest are.

Plain values are printable ASCII with nothing in them that could be taken for
anything but itself: what is true of a template's own text is then true of every
rendering of it. Of such rows a process of its own can make what the ledger
stores, with nothing of the job but the few texts of a ``PlainRecipe``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

#: In a row's value these may mean something to whom it is given: a secret's name, the
#: end of a text in JSON, the user part of a URL.
MEANINGFUL = '$"\\@'

#: What a format is made of: places, escaped percent signs, and other text.
_SIGNS = re.compile(r"%.|[^%]+")

#: What plain values are made of, in ASCII.
PLAIN_SIGNS = bytes(set(range(32, 127)).difference(MEANINGFUL.encode()))

#: Begins the ``fields`` of a ``PlainRow`` that lack what its source and key tell: its name
#: is what follows the last slash of the source, its stem ends before the name's last dot
#: (but the first sign), its id is the key.
WITHOUT_PLACE = "+"

#: Most file systems hold names of up to 255 bytes.
LONGEST_NAME = 255


class PlainRow(NamedTuple):
    """What a manifest says of an item, as it is stored; JSON is text.

    A ``source`` that is the key itself is "". ``fields``: see ``WITHOUT_PLACE``.
    """

    key: str
    source: str | None
    stitch: str | None
    priority: int
    payload: str | None
    tags: str | None
    fields: str | None
    fingerprint: str
    digest: str
    folder: str
    size: int | None
    duration: float | None
    line: int
    weight: int


@dataclass(frozen=True, slots=True)
class PlainColumns:
    """Many ``PlainRow``, column by column, in the order of its fields.

    A column is a list, or the one value that all rows have alike.
    """

    count: int
    columns: list[Any]

    @classmethod
    def of(cls, columns: Sequence[Sequence[Any]]) -> "PlainColumns":
        """These columns, each with a value for every row; none of no rows."""
        count = len(columns[0]) if columns else 0
        return cls(count, [_merged(column) for column in columns] if count else [])

    def column(self, field: str) -> Sequence[Any]:
        """The values of one field of ``PlainRow``, row by row."""
        if not self.count:
            return ()
        found = self.columns[PlainRow._fields.index(field)]
        return found if isinstance(found, list) else [found] * self.count

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one by one."""
        each = (it if isinstance(it, list) else repeat(it, self.count) for it in self.columns)
        return zip(*each, strict=True)


class Blank(NamedTuple):
    """A text with places: a format for ``%``, and the fields whose values go in."""

    format: str
    names: tuple[str, ...]

    def texts(self) -> list[str]:
        """What stands before, between and after the places."""
        texts = [""]
        for sign in _SIGNS.findall(self.format):
            if sign == "%s":
                texts.append("")
            else:
                texts[-1] += "%" if sign == "%%" else sign
        return texts


class PlainRecipe(NamedTuple):
    """What a job makes of a plain row.

    Its digest is the BLAKE2b of ``digest_bytes`` bytes over ``digest_start`` and
    ``digest``. Its outputs go to ``into`` below ``base``; to no folder where
    that is None. ``payload`` may not render to more than ``longest_payload``
    characters. ``names`` are the fields whose values have to be plain.
    """

    names: tuple[str, ...]
    digest_bytes: int
    digest_start: bytes
    digest: Blank
    base: str
    into: Blank | None
    payload: Blank | None
    longest_payload: int
    #: A manifest with one of these columns has no plain rows.
    looked_at: tuple[str, ...] = ()


def is_plain(text: str) -> bool:
    """Whether a value, or some of them in one text, are plain."""
    return text.isascii() and text.isprintable() and not any(sign in text for sign in MEANINGFUL)


def is_plain_path(below: str) -> bool:
    """Whether a folder's path is taken as it stands, as nearly all are."""
    return (
        0 < len(below) <= LONGEST_NAME
        and below[0] not in "/."
        and below[-1] != "/"
        and "//" not in below
        and "/." not in below
        and "\\" not in below
        and below.isascii()
        and below.isprintable()
    )


def _merged(column: Sequence[Any]) -> Any:
    first = column[0]
    if first == column[-1] and column.count(first) == len(column):
        return first
    return list(column)
