"""Manifests: csv, jsonl, plain lists, folders and patterns -> rows.

``read`` streams: the next row is read when it is asked for. What is wrong with
a row comes out in its place, as a ``Problem`` that names file, line and field,
and reading goes on with the next row.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from posixpath import dirname, exists, isdir, isfile, splitext

from orchestrator.manifest.csv_rows import read_csv
from orchestrator.manifest.faults import Fault
from orchestrator.manifest.filling import PlainManifest
from orchestrator.manifest.jsonl_rows import read_jsonl
from orchestrator.manifest.lines import read_lines
from orchestrator.manifest.ready import BATCH, Entry, ReadyRows
from orchestrator.manifest.rows import RowMaker
from orchestrator.manifest.scan import has_magic, is_media, pattern_root, scan, scan_pattern
from orchestrator.manifest.sources import FingerprintKind, fingerprinter
from orchestrator.manifest.text_rows import read_text
from orchestrator.manifest.uris import absolute, printable
from orchestrator.model.items import Problem, Row
from orchestrator.model.plain import PlainRecipe
from orchestrator.model.turns import Order

__all__ = ["Entry", "FingerprintKind", "read", "read_ready"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}

_FORMS = (
    "a manifest is a .csv, .tsv, .jsonl or .txt file, a folder, or a pattern such as in/**/*.mov"
)


def read(
    where: str | Path, *, base: Path | None = None, fingerprint: FingerprintKind = "stat"
) -> Iterator[Row | Problem]:
    """The rows of a manifest, in its order, each as it is asked for.

    ``where`` is a file (its suffix names its form: ``.csv``, ``.tsv``,
    ``.jsonl``, ``.ndjson``, ``.txt``, ``.list`` or none), a folder, or a pattern;
    ``~`` is expanded. Sources with a relative path are relative to the
    manifest's folder. ``base`` is what ``Row.fields["parent"]`` is relative to:
    by default the manifest's folder, the scanned folder, or the pattern's
    fixed part.

    ``fingerprint`` says how the version of a local source is known: from one
    ``stat``, from its ``content`` (reads every file), or not at all, which also
    leaves unchecked whether it is there.

    Whatever is wrong comes out as a ``Problem``, also where there is no
    manifest, or nothing in it. Raises nothing.
    """
    file = printable(os.fspath(where))
    try:
        place = absolute(where)
        if place != printable(place):
            yield Problem(file, "the path is not UTF-8", "rename it")
            return
        rows, nothing = _opened(place, file, base, fingerprint)
        yield next(rows, nothing)
        yield from rows
    except Fault as fault:
        yield fault.at(file, 0)
    except OSError as error:
        yield _unreadable(file, error)


def read_ready(
    where: str | Path,
    recipe: PlainRecipe | None,
    *,
    base: Path | None = None,
    fingerprint: FingerprintKind = "stat",
    order: Order = Order.FIRST,
) -> Generator[Sequence[Entry], None, None]:
    """What ``read`` gives, some entries at a time, and plain rows as they are stored: in columns.

    ``recipe`` says what the job makes of plain rows, ``order`` which of them
    weigh more. A large CSV manifest is read by one more process, which ends with
    this iterator. Raises nothing.
    """
    try:
        place = absolute(where)
    except Fault:
        place = ""
    delimiter = _DELIMITERS.get(splitext(place)[1].lower())
    if (
        recipe is None
        or delimiter is None
        or fingerprint == "content"
        or place != printable(place)
        or not isfile(place)
    ):
        rows = read(where, base=base, fingerprint=fingerprint)
        # To read a whole file takes long: who is asked to stop must not read a thousand.
        size = 1 if fingerprint == "content" else BATCH
        while some := list(islice(rows, size)):
            yield some
        return
    file, folder = printable(os.fspath(where)), dirname(place)
    root = absolute(base or folder)
    about = PlainManifest((), delimiter, folder, root, fingerprint, order, recipe)
    maker = RowMaker(file, folder, root, fingerprinter(fingerprint))
    found = False
    try:
        for entries in ReadyRows(file, maker, about).read(place):
            found = found or bool(entries)
            yield entries
    except OSError as error:
        yield [_unreadable(file, error)]
        return
    if not found:
        yield [_header_only(file)]


def _header_only(file: str) -> Problem:
    return Problem(file, "the manifest has a header and no rows", "add a row per source")


def _unreadable(file: str, error: OSError) -> Problem:
    hint = "check that it is there and that this user may read it"
    return Problem(file, f"can't be read: {error.strerror}", hint)


def _opened(
    place: str, file: str, base: Path | None, kind: FingerprintKind
) -> tuple[Iterator[Row | Problem], Problem]:
    """The rows at ``place`` (absolute), and the problem if there are none."""

    def maker(folder: str) -> RowMaker:
        return RowMaker(file, folder, absolute(base or folder), fingerprinter(kind))

    no_media = "list sources with other suffixes in a .txt file"
    if isdir(place):
        rows = scan(place, maker(place), file)
        return rows, Problem(file, "no media file in this folder or below", no_media)
    if exists(place):
        return _from_file(place, file, maker(dirname(place)))
    if has_magic(place):
        rows = scan_pattern(place, maker(pattern_root(place)), file)
        return rows, Problem(file, "no media file matches this pattern", no_media)
    missing = Problem(file, "there is no such file or folder", _FORMS)
    return iter(()), missing


def _from_file(place: str, file: str, maker: RowMaker) -> tuple[Iterator[Row | Problem], Problem]:
    lines = read_lines(Path(place), file)
    suffix = splitext(place)[1].lower()
    if suffix in _DELIMITERS:
        return read_csv(lines, maker, file, _DELIMITERS[suffix]), _header_only(file)
    if suffix in (".jsonl", ".ndjson"):
        return read_jsonl(lines, maker, file), Problem(
            file, "the manifest is empty", "add a line per source"
        )
    if suffix in (".txt", ".list", ""):
        return read_text(lines, maker), Problem(
            file, "the manifest names no source", "add a line per source"
        )
    hint = _FORMS
    if is_media(place):
        hint = "this is a source: list it in a .txt file, or name its folder"
    return iter(()), Problem(file, f"{suffix} is no form of manifest", hint)
