"""A line of a CSV manifest straight to what the ledger stores, where the row is plain.

Whatever is not certain here is left to ``RowMaker`` and the recipe, which alone
say what is wrong with a row: this module knows no problem. What it does make is
what they would have made of the same line.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.places import Places
from orchestrator.manifest.rows import COLUMNS, PLACES, PRIORITIES, seconds_of
from orchestrator.manifest.sources import FingerprintKind, fingerprinter
from orchestrator.manifest.uris import normalise
from orchestrator.model.errors import SourceMissing
from orchestrator.model.items import DEFAULT_PRIORITY
from orchestrator.model.plain import (
    LONGEST_NAME,
    WITHOUT_PLACE,
    Blank,
    PlainRecipe,
    is_plain,
    is_plain_path,
)
from orchestrator.model.turns import Order, weight

#: What every row has, beside the columns of the manifest.
_OWN = ("name", "stem", "parent", "id")

#: Of these, any values in one folder make paths that are alike.
_PLACED = frozenset({"name", "stem", "parent"})

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
            and others.isdisjoint(self.recipe.looked_at)
            and known.issuperset(self.recipe.names)
        )


@dataclass(frozen=True, slots=True)
class _Folder:
    """What the sources of one folder have in common."""

    path: str
    parent: str
    is_local: bool


class PlainRows:
    """Makes the plain rows of a manifest that ``can_be_plain``."""

    def __init__(self, about: PlainManifest) -> None:
        self._about = about
        columns, recipe = about.columns, about.recipe
        names = (*_OWN, *columns)
        self._width = len(columns)
        self._source = columns.index("source")
        self._duration = columns.index("duration") if "duration" in columns else None
        # An absent column reads the empty cell that each row gets at its end.
        self._meant = [columns.index(name) if name in columns else -1 for name in COLUMNS[1:]]
        self._means_more = len(columns) > 1 + len(set(columns).difference(COLUMNS))
        shown = ["parent", *[name for name in columns if name not in COLUMNS]]
        places = ",".join(f'{_json(name)}:"%s"' for name in shown)
        fields = Blank(f"{WITHOUT_PLACE}{{{places}}}", tuple(shown))
        self._all = _joined([fields, recipe.digest, recipe.into, recipe.payload], names)
        self._start = blake2b(recipe.digest_start, digest_size=recipe.digest_bytes)
        self._base = f"{recipe.base}/" if recipe.into else ""
        self._same_path = recipe.into is None or _PLACED.issuperset(recipe.into.names)
        self._fingerprint = fingerprinter(about.fingerprint)
        self._longest_payload = recipe.longest_payload
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
        delimiter = self._about.delimiter
        lines = block.removesuffix("\n").split("\n")
        records: Iterable[list[str]] = [text.split(delimiter) for text in lines]
        if '"' in block:
            records = csv.reader(lines, delimiter=delimiter, strict=True)
        # Nearly always one look tells of a thousand rows.
        sure = is_plain(block.replace("\n", "").replace(delimiter, ""))
        plain = self._plain
        return [
            (plain(number, cells) if sure or is_plain("".join(cells)) else None) or text
            for number, (text, cells) in enumerate(zip(lines, records, strict=True), line)
        ]

    def _plain(self, line: int, cells: list[str]) -> tuple[Any, ...] | None:
        """The row of plain cells, None if more than that has to be known of it."""
        if len(cells) != self._width:
            return None
        source, key, priority = cells[self._source].strip(), "", DEFAULT_PRIORITY
        if self._means_more:
            stitch, key, urgency, payload, tags = map([*cells, ""].__getitem__, self._meant)
            if stitch or payload or tags or urgency not in PRIORITIES:
                return None
            key, priority = key.strip(), PRIORITIES[urgency]
        cut = source.rfind("/") + 1
        head, name = source[:cut], source[cut:]
        if head != self._head:
            self._head, self._folder = head, self._look_at(head)
        folder = self._folder
        if folder is None or not name or name[0] in ".~":
            return None
        if not folder.is_local and ("?" in name or "#" in name or "%" in name):
            return None
        return self._row(line, cells, folder, name, key, priority)

    def _row(
        self, line: int, cells: list[str], folder: _Folder, name: str, key: str, priority: int
    ) -> tuple[Any, ...] | None:
        source = folder.path + name
        key = key or source
        stem = name.rpartition(".")[0] or name
        fields, digest, below, payload = self._all((name, stem, folder.parent, key, *cells))
        if len(payload) > self._longest_payload or len(below) > LONGEST_NAME:
            return None
        # In a folder like others there, all but too long names make paths that are plain.
        if not self._same_path and not is_plain_path(below):
            return None
        version, size, seconds, heavy = "", None, None, 0
        try:
            if self._duration is not None:
                seconds = seconds_of(cells[self._duration])
            if folder.is_local:
                version, size = self._fingerprint(source)
        except (Fault, SourceMissing):
            return None
        if self._order is not Order.FIRST:
            heavy = weight(self._order, seconds, size)
        state = self._start.copy()
        state.update(digest.encode())
        said, place = "" if key == source else source, self._base + below
        made = (key, said, None, priority, None, None, fields, version, state.hexdigest(), place)
        return (*made, size, seconds, line, heavy)

    def _look_at(self, head: str) -> _Folder | None:
        """What sources that begin with ``head`` and a plain name come to."""
        if head[:5].lower() == "file:":
            return None  # its names are percent-decoded
        try:
            source = normalise(head + _ANY, self._about.folder)
        except Fault:
            return None
        name, _, parent = self._places.of(source)
        if name != _ANY or not source.endswith(f"/{_ANY}") or not is_plain(source + parent):
            return None
        if self._same_path and self._base:
            below = self._all((_ANY, _ANY, parent, "", *[""] * self._width))[2]
            if not is_plain_path(below):
                return None
        return _Folder(source.removesuffix(_ANY), parent, source[0] == "/")


def _json(text: str) -> str:
    return orjson.dumps(text).decode().replace("%", "%%")


def _joined(
    blanks: Sequence[Blank | None], names: Sequence[str]
) -> Callable[[tuple[str, ...]], list[str]]:
    """Fills in all blanks from values in the order of ``names``; without a blank comes ""."""
    whole = "\0".join(blank.format if blank else "" for blank in blanks)
    at = list(map(list(names).index, chain.from_iterable(b.names for b in blanks if b)))
    values_of, last = itemgetter(*at), len(blanks) - 1
    return lambda values: (whole % values_of(values)).split("\0", last)
