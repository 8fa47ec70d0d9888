"""A manifest's physical lines: decoded, bounded, counted.

Every line comes out once, with its own line ending, or as the ``Problem`` with
it, so that the n-th thing that comes out is always line n of the file.
"""

import codecs
from collections.abc import Iterator
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from orchestrator.model.items import Problem

#: Characters in one line. No manifest row is that long; a file without line
#: ends is no manifest, and must not be held in memory.
LINE_LIMIT = 1 << 20

#: After so many unreadable lines without a good one between, the rest of the
#: file is not worth a problem for each of its lines.
GIVE_UP_AFTER = 100

#: How much of a file says whether it is text, in bytes.
HEAD = 8192
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r"))
_SAVE_AS_UTF8 = "save the file as UTF-8"


class Lines(Protocol):
    """What gives one line after the other, each with its own ending, "" at the end."""

    def readline(self, limit: int, /) -> str:
        """The next line, or as much of it."""


def read_lines(path: Path, name: str) -> Iterator[str | Problem]:
    """The lines of a text file, in UTF-8, with or without a byte order mark.

    ``\\n``, ``\\r\\n`` and a lone ``\\r`` end a line. ``name`` is what the file is
    called in problems. A file that is not text yields one problem and ends.
    Raises ``OSError`` as the file does.
    """
    with path.open("rb") as raw:
        if problem := not_text(raw.peek(HEAD)[:HEAD], name):
            yield problem
            return
        # Bytes that are not UTF-8 arrive as lone surrogates and are found per line.
        with TextIOWrapper(raw, "utf-8", errors="surrogateescape", newline="") as text:
            yield from decoded(text, name)


def decoded(text: Lines, name: str, number: int = 0) -> Iterator[str | Problem]:
    """The lines that ``text`` gives, which has bytes that are not UTF-8 as surrogates.

    ``number`` is how many of the file came before them.
    """
    unreadable = 0
    for line in iter(partial(text.readline, LINE_LIMIT), ""):
        number += 1
        if number == 1:
            line = line.removeprefix("\ufeff") or "\n"
        # The common line is told without a call; the others get a closer look.
        plain = line.isascii() and "\0" not in line and len(line) < LINE_LIMIT
        fault = None if plain else _fault(line)
        if fault is None:
            unreadable = 0
            yield line
            continue
        if _is_cut(line):
            _skip_rest(text)
        message, hint = fault
        yield Problem(name, message, hint, line=number)
        unreadable += 1
        if unreadable == GIVE_UP_AFTER:
            message = f"{GIVE_UP_AFTER} lines in a row can't be read: gave up on the rest"
            yield Problem(name, message, _SAVE_AS_UTF8, line=number)
            return


def _fault(line: str) -> tuple[str, str] | None:
    """What makes a line unreadable, and what to do; None if nothing does."""
    if not line.isascii() and (column := _bad_byte(line)):
        return f"not valid UTF-8 at byte {column} of the line", _SAVE_AS_UTF8
    if "\0" in line:
        column = line.index("\0") + 1
        return f"a NUL character at column {column}", "remove it: text has no such character"
    if _is_cut(line):
        return f"the line is longer than {LINE_LIMIT:,} characters", "is this really a manifest?"
    return None


def _bad_byte(line: str) -> int:
    """Where, from 1, the first byte is that is not UTF-8; 0 if there is none."""
    try:
        line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start + 1
    return 0


def _is_cut(line: str) -> bool:
    return len(line) >= LINE_LIMIT and not line.endswith(("\n", "\r"))


def _skip_rest(text: Lines) -> None:
    while (piece := text.readline(LINE_LIMIT)) and not piece.endswith(("\n", "\r")):
        pass


def not_text(head: bytes, name: str) -> Problem | None:
    """The problem with a file that is no UTF-8 text at all, judged by how it begins."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _looks_utf16(head):
        return Problem(name, "the file is UTF-16", _SAVE_AS_UTF8, line=1)
    controls = len(head) - len(head.translate(None, _CONTROL))
    # One stray control character is a line's problem, many are a binary file.
    if controls >= 8 and controls * 50 > len(head):
        hint = "a manifest is a .csv, .tsv, .jsonl or .txt file, a folder, or a pattern"
        return Problem(name, "this is not a text file", hint, line=1)
    return None


def _looks_utf16(head: bytes) -> bool:
    """Whether every other byte is NUL and the rest is ASCII: UTF-16 without its mark."""
    even, odd = head[::2], head[1::2]
    return len(head) >= 8 and any(
        not any(zeros) and text.isascii() and 0 not in text
        for zeros, text in ((even, odd), (odd, even))
    )
