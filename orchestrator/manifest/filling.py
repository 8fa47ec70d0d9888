"""Plain cells of a manifest's rows to what the ledger stores, a column at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress, repeat
from operator import add
from typing import Any, Literal, NamedTuple

import orjson

from orchestrator.manifest.faults import Fault
from orchestrator.manifest.places import Places
from orchestrator.manifest.rows import COLUMNS, PLACES, PRIORITIES, seconds_of
from orchestrator.manifest.sources import Looks
from orchestrator.manifest.uris import normalise
from orchestrator.model.items import DEFAULT_PRIORITY
from orchestrator.model.plain import (
    LONGEST_NAME,
    WITHOUT_PLACE,
    Blank,
    PlainColumns,
    PlainRecipe,
    PlainRow,
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

#: What means something in a URL.
_URL_SIGNS = frozenset("?#%")

#: In place of a duration (more than 0) that can't be read.
_REFUSED = -1.0


class PlainManifest(NamedTuple):
    """All that is to be known of a CSV manifest to make its plain rows."""

    columns: tuple[str, ...]
    delimiter: str
    folder: str
    base: str
    fingerprint: Literal["stat", "none"]
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
class PlainCells:
    """Rows whose cells are plain, column by column.

    A row's source is its ``head``, which ends in a slash or is "", and its name.
    """

    lines: Sequence[int]
    heads: Sequence[str]
    names: Sequence[str]
    columns: Mapping[str, Sequence[str]]

    def kept(self, flags: Sequence[object]) -> "PlainCells":
        """The rows whose flag is set."""
        if all(flags):
            return self
        columns = {name: list(compress(cells, flags)) for name, cells in self.columns.items()}
        lines, heads = list(compress(self.lines, flags)), list(compress(self.heads, flags))
        return PlainCells(lines, heads, list(compress(self.names, flags)), columns)


@dataclass(frozen=True, slots=True)
class _Folder:
    """What the sources of one folder have in common."""

    path: str
    parent: str
    is_local: bool


class Filling:
    """Fills in a job's texts from plain cells, and looks at local sources."""

    def __init__(self, about: PlainManifest) -> None:
        self._about = about
        self._recipe = recipe = about.recipe
        shown = ["parent", *[name for name in about.columns if name not in COLUMNS]]
        places = ",".join(f'{_json(name)}:"%s"' for name in shown)
        self._fields = Blank(f"{WITHOUT_PLACE}{{{places}}}", tuple(shown))
        self._start = blake2b(recipe.digest_start, digest_size=recipe.digest_bytes)
        self._base = f"{recipe.base}/" if recipe.into else ""
        self._same_path = recipe.into is None or _PLACED.issuperset(recipe.into.names)
        self._order = Order(about.order)
        self._places = Places(about.base)

    def filled(self, cells: PlainCells) -> PlainColumns:
        """Those of the rows that prove to be plain."""
        looked = {head: self._look_at(head) for head in set(cells.heads)}
        cells = cells.kept(_in_plain_folders(cells, looked))
        if not cells.lines:
            return PlainColumns(0, [])
        folders = {head: folder for head, folder in looked.items() if folder}
        columns, flags = self._columns(cells, folders)
        made = [columns[name] for name in PlainRow._fields]
        if not all(flags):
            made = [list(compress(column, flags)) for column in made]
        return PlainColumns.of(made)

    def _columns(
        self, cells: PlainCells, folders: Mapping[str, _Folder]
    ) -> tuple[dict[str, Sequence[Any]], list[bool]]:
        """The columns of ``PlainRow``, and which rows are plain."""
        recipe, count = self._recipe, len(cells.lines)
        sources, values = _values(cells, folders)
        below = _texts(recipe.into, values, count)
        looks, seconds = Looks(self._about.fingerprint, sources), _seconds(cells)
        flags = self._fit(below, _texts(recipe.payload, values, count))
        for refused in looks.refused:
            flags[refused] = False
        if "duration" in cells.columns:
            flags = [flag and it != _REFUSED for flag, it in zip(flags, seconds, strict=True)]
        nothing = [None] * count
        columns = {
            "key": values["id"],
            "source": _said(values["id"], sources),
            "stitch": nothing,
            "priority": _priorities(cells),
            "payload": nothing,
            "tags": nothing,
            "fields": _texts(self._fields, values, count),
            "fingerprint": looks.fingerprints,
            "digest": self._digests(_texts(recipe.digest, values, count)),
            "folder": [self._base + path for path in below],
            "size": looks.sizes,
            "duration": seconds,
            "line": cells.lines,
            "weight": self._weights(seconds, looks.sizes),
        }
        return columns, flags

    def _fit(self, below: Sequence[str], payloads: Sequence[str]) -> list[bool]:
        """Which rows have a path and a payload that can be taken as they stand."""
        # In a folder like others there, all but too long names make paths that are plain.
        flags = [len(path) <= LONGEST_NAME for path in below]
        if not self._same_path:
            flags = list(map(is_plain_path, below))
        if self._recipe.payload:
            longest = self._recipe.longest_payload
            flags = [a and len(b) <= longest for a, b in zip(flags, payloads, strict=True)]
        return flags

    def _digests(self, texts: Sequence[str]) -> list[str]:
        copy, digests = self._start.copy, []
        for text in texts:
            state = copy()
            state.update(text.encode())
            digests.append(state.hexdigest())
        return digests

    def _weights(
        self, seconds: Sequence[float | None], sizes: Sequence[int | None]
    ) -> Sequence[int]:
        if self._order is Order.FIRST:
            return [0] * len(sizes)
        return [weight(self._order, *each) for each in zip(seconds, sizes, strict=True)]

    def _look_at(self, head: str) -> _Folder | None:
        """What sources that begin with ``head`` and a plain name come to."""
        if head[:5].lower() == "file:":
            return None  # its names are percent-decoded
        if "://" in head and not {"?", "#"}.isdisjoint(head):
            return None  # what follows the last slash is no name
        try:
            source = normalise(head + _ANY, self._about.folder)
        except Fault:
            return None
        name, _, parent = self._places.of(source)
        if name != _ANY or not source.endswith(f"/{_ANY}") or not is_plain(source + parent):
            return None
        if self._same_path and self._base:
            there = {"name": [_ANY], "stem": [_ANY], "parent": [parent]}
            if not all(map(is_plain_path, _texts(self._recipe.into, there, 1))):
                return None
        return _Folder(source.removesuffix(_ANY), parent, source[0] == "/")


def _in_plain_folders(cells: PlainCells, folders: Mapping[str, _Folder | None]) -> list[bool]:
    """Which rows lie in a folder that can be plain, and have a name that is plain there."""
    unknown = {head for head, folder in folders.items() if folder is None}
    remote = {head for head, folder in folders.items() if folder and not folder.is_local}
    flags = [head not in unknown for head in cells.heads]
    if remote:
        rows = zip(flags, cells.heads, map(_URL_SIGNS.isdisjoint, cells.names), strict=True)
        flags = [flag and (bare or head not in remote) for flag, head, bare in rows]
    return flags


def _values(
    cells: PlainCells, folders: Mapping[str, _Folder]
) -> tuple[list[str], dict[str, Sequence[str]]]:
    """The sources, and whatever a text may have a place for."""
    paths = {head: folder.path for head, folder in folders.items()}
    parents = {head: folder.parent for head, folder in folders.items()}
    sources = list(map(add, map(paths.__getitem__, cells.heads), cells.names))
    keys = sources
    if "id" in cells.columns:
        given = zip(cells.columns["id"], sources, strict=True)
        keys = [key.strip() or source for key, source in given]
    values = {
        **cells.columns,
        "name": cells.names,
        "stem": [name.rpartition(".")[0] or name for name in cells.names],
        "parent": list(map(parents.__getitem__, cells.heads)),
        "id": keys,
    }
    return sources, values


def _said(keys: Sequence[str], sources: Sequence[str]) -> list[str]:
    if keys is sources:
        return [""] * len(sources)
    return ["" if key == source else source for key, source in zip(keys, sources, strict=True)]


def _priorities(cells: PlainCells) -> list[int]:
    if "priority" in cells.columns:
        return [PRIORITIES[urgency] for urgency in cells.columns["priority"]]
    return [DEFAULT_PRIORITY] * len(cells.lines)


def _seconds(cells: PlainCells) -> list[float | None]:
    """Durations, ``_REFUSED`` where they are none."""
    if "duration" not in cells.columns:
        return [None] * len(cells.lines)
    seconds: list[float | None] = []
    for text in cells.columns["duration"]:
        try:
            seconds.append(seconds_of(text))
        except Fault:
            seconds.append(_REFUSED)
    return seconds


def _texts(blank: Blank | None, values: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """A blank filled in for each row; no blank gives ""."""
    if blank is None or not blank.names:
        return [blank.format % () if blank else ""] * count
    # Joining takes a third of the time that ``%`` does.
    first, *between = blank.texts()
    columns: list[Iterable[str]] = [repeat(first, count)]
    for name, text in zip(blank.names, between, strict=True):
        columns += [values[name], repeat(text, count)]
    return list(map("".join, zip(*columns, strict=True)))


def _json(text: str) -> str:
    return orjson.dumps(text).decode().replace("%", "%%")
