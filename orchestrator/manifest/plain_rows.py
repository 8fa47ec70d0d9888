"""A line of a CSV manifest straight to what the ledger stores, where the row is plain.

Whatever is not certain here is left to ``RowMaker`` and the recipe, which alone
say what is wrong with a row: this module knows no problem. What it does make is
what they would have made of the same line.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.places import Places
from orchestrator.manifest.rows import COLUMNS, PLACES, PRIORITIES, seconds_of
from orchestrator.manifest.sources import FingerprintKind, fingerprinter
from orchestrator.manifest.uris import normalise
from orchestrator.model.errors import SourceMissing
from orchestrator.model.plain import Blank, PlainRecipe, is_plain, is_plain_path
from orchestrator.model.turns import Order, weight

#: What every row has, beside the columns of the manifest.
_OWN = ("name", "stem", "parent", "id")

#: Stands for any file's name while its folder is looked at.
_ANY = "x"


class PlainManifest(NamedTuple):
    """All that is to be known of a CSV manifest to make its plain rows."""

    columns: tuple[str, ...]
    delimiter: str
    folder: str
    base: str
    fingerprint: FingerprintKind
    order: str
    recipe: PlainRecipe

    @property
    def can_be_plain(self) -> bool:
        """Whether any row of it could be."""
        others = set(self.columns).difference(COLUMNS)
        known = others.union(_OWN)
        return (
            "source" in self.columns
            and others.isdisjoint(PLACES)
            and known.issuperset(self.recipe.names)
        )


class _Folder(NamedTuple):
    """What the sources of one folder have in common."""

    path: str
    parent: str
    is_local: bool


class PlainRows:
    """Makes the plain rows of a manifest that ``can_be_plain``."""

    def __init__(self, about: PlainManifest) -> None:
        self._about = about
        columns = about.columns
        others = [name for name in columns if name not in COLUMNS]
        self._width = len(columns)
        # An absent column reads the empty cell that each row gets at its end.
        self._at = [columns.index(name) if name in columns else -1 for name in COLUMNS]
        self._others = [columns.index(name) for name in others]
        names = (*_OWN, *others)
        self._duration = names.index("duration") if "duration" in names else 0
        places = ",".join(f'{_json(name)}:"%s"' for name in names)
        self._fields = f"{{{places}}}"
        self._quotes = 4 * len(names)
        recipe = about.recipe
        self._digest = _filler(recipe.digest, names)
        self._start = blake2b(recipe.digest_start, digest_size=recipe.digest_bytes)
        self._into = _filler(recipe.into, names) if recipe.into else None
        self._payload = _filler(recipe.payload, names) if recipe.payload else None
        self._fingerprint = fingerprinter(about.fingerprint)
        self._order = Order(about.order)
        self._places = Places(about.base)
        self._head: str | None = None
        self._folder: _Folder | None = None

    def made(self, block: str, line: int) -> list[tuple[Any, ...] | str]:
        """For each line of ``block``, which begins on ``line``, its row, or itself.

        No record of the block goes over several lines; where one holds a quote,
        the cells in quotes hold no other.
        """
        if "\r" in block:
            block = block.replace("\r\n", "\n")
        lines = block.removesuffix("\n").split("\n")
        plain = self._plain
        return [
            plain(number, cells) or text
            for number, (text, cells) in enumerate(
                zip(lines, self._cells(block, lines), strict=True), line
            )
        ]

    def _cells(self, block: str, lines: Sequence[str]) -> Iterable[list[str]]:
        if '"' in block:
            return csv.reader(lines, delimiter=self._about.delimiter, strict=True)
        delimiter = self._about.delimiter
        return [text.split(delimiter) for text in lines]

    def _plain(self, line: int, cells: list[str]) -> tuple[Any, ...] | None:
        if len(cells) != self._width:
            return None
        cells.append("")
        at_source, at_stitch, at_id, at_priority, at_payload, at_tags = self._at
        priority = PRIORITIES.get(cells[at_priority])
        if priority is None or cells[at_stitch] or cells[at_payload] or cells[at_tags]:
            return None
        source = cells[at_source].strip()
        cut = source.rfind("/") + 1
        head, name = source[:cut], source[cut:]
        if head != self._head:
            self._head, self._folder = head, self._look_at(head)
        folder = self._folder
        if folder is None or not name or name[0] in ".~":
            return None
        if not folder.is_local and ("?" in name or "#" in name or "%" in name):
            return None
        source = folder.path + name
        key = cells[at_id].strip() or source
        dot = name.rfind(".")
        values = (
            *(name, name[:dot] if dot > 0 else name, folder.parent, key),
            *[cells[at] for at in self._others],
        )
        fields = self._fields % values
        if not fields.isascii() or not fields.isprintable():
            return None
        if "$" in fields or "\\" in fields or "@" in fields or fields.count('"') != self._quotes:
            return None
        return self._versioned(line, key, source, priority, values, fields, folder)

    def _versioned(
        self,
        line: int,
        key: str,
        source: str,
        priority: int,
        values: tuple[str, ...],
        fields: str,
        folder: _Folder,
    ) -> tuple[Any, ...] | None:
        if self._payload and len(self._payload(values)) > self._about.recipe.longest_payload:
            return None
        below = ""
        if self._into:
            below = self._into(values)
            if not is_plain_path(below):
                return None
            below = f"{self._about.recipe.base}/{below}"
        fingerprint, size, seconds = "", None, None
        try:
            if self._duration:
                seconds = seconds_of(values[self._duration])
            if folder.is_local:
                fingerprint, size = self._fingerprint(source)
        except (Fault, SourceMissing):
            return None
        state = self._start.copy()
        state.update(self._digest(values).encode())
        heavy = weight(self._order, seconds, size)
        return (
            *(key, source, None, priority, None, None, fields, fingerprint, state.hexdigest()),
            *(below, size, seconds, line, heavy),
        )

    def _look_at(self, head: str) -> _Folder | None:
        """What sources that begin with ``head`` and a plain name come to."""
        if head[:5].lower() == "file:":
            return None  # its names are percent-decoded
        try:
            source = normalise(head + _ANY, self._about.folder)
        except Fault:
            return None
        name, _, parent = self._places.of(source)
        if name != _ANY or not source.endswith(f"/{_ANY}") or not is_plain(source):
            return None
        return _Folder(source.removesuffix(_ANY), parent, source[0] == "/")


def _json(text: str) -> str:
    return orjson.dumps(text).decode().replace("%", "%%")


def _filler(blank: Blank, names: Sequence[str]) -> Callable[[tuple[str, ...]], str]:
    """Fills in a blank from values in the order of ``names``."""
    text = blank.format
    if not blank.names:
        fixed = text % ()
        return lambda _values: fixed
    values_of = itemgetter(*map(list(names).index, blank.names))
    return lambda values: text % values_of(values)
