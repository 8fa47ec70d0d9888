"""``run --follow``: what is added to the manifest while its run goes on.

A manifest file is looked at by its size and time; a folder or a pattern is read
again every few seconds, but never for more than a tenth of the time. Only rows that
were not there before, or say something else now, are handed on, some at a time, so
that the ledger is never kept from the engine's steps for long.
"""

import asyncio
import time
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NoReturn, Protocol

from orchestrator.ledger import Ingested
from orchestrator.model.decisions import Action
from orchestrator.model.errors import OrchestratorError
from orchestrator.model.items import Problem, Row

#: Seconds between two looks at a manifest file, and two readings of a folder.
LOOK = 0.5
READ = 5.0

#: Seconds without a change after which a file counts as written to its end, and
#: how long one that never rests is waited for; then its last row is left out.
QUIET = 1.0
RESTLESS = 10.0

#: Seconds since its last change in which a file of a folder may be being written still.
YOUNG = 2.0

#: Of the time, at most this part is spent on reading folders again.
SHARE = 0.1

#: Rows that are taken in at once.
BATCH = 2_000

_State = tuple[int, int, int] | None


class Following(Protocol):
    """Takes rows in; as ``SqlLedger.ingest`` with ``following``."""

    def __call__(self, rows: Iterable[Row | Problem]) -> Awaitable[Ingested]:
        """Take these rows in, and leave bad ones out."""


class Seen:
    """Which rows of the manifest are known: eight bytes for each."""

    def __init__(self) -> None:
        self._known = array("q")
        self._new: set[int] = set()

    def noting(self, rows: Iterable[Row | Problem]) -> Iterator[Row | Problem]:
        """The rows as they are, each one known once ``settle`` was called."""
        for row in rows:
            if isinstance(row, Row):
                self._known.append(_sign(row))
            yield row

    def settle(self) -> None:
        """Put in order what is known, so that it is found quickly."""
        self._known = array("q", sorted((*self._known, *self._new)))
        self._new.clear()

    def unknown(self, rows: Iterable[Row | Problem]) -> list[Row | Problem]:
        """The rows that are not known; they are from now on. Problems each time."""
        return [row for row in rows if isinstance(row, Problem) or self._learn(_sign(row))]

    def _learn(self, sign: int) -> bool:
        at = bisect_left(self._known, sign)
        if sign in self._new or (at < len(self._known) and self._known[at] == sign):
            return False
        self._new.add(sign)
        return True


class Follower:
    """Watches one manifest.

    To be made before the manifest is first read. ``read`` gives its rows, in another
    thread; ``take`` puts rows into the ledger; ``added`` is called when there is more
    to do; ``note`` hears of bad rows.
    """

    def __init__(
        self,
        manifest: str,
        seen: Seen,
        read: Callable[[], Iterator[Row | Problem]],
        take: Following,
        added: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        self._file = Path(manifest) if Path(manifest).is_file() else None
        self._name = Path(manifest).name
        self._seen = seen
        self._read = read
        self._take = take
        self._added = added
        self._note = note
        self._told: set[tuple[str, str, str]] = set()
        self._bad = False
        self._took = 0.0
        self._state_at_first = self._state()

    async def run(self) -> NoReturn:
        """Follow until cancelled."""
        state = self._state_at_first
        self._seen.settle()
        while True:
            state, whole = await self._changed(state)
            await self._take_in(whole=whole)

    async def _changed(self, before: _State) -> tuple[_State, bool]:
        """Wait for something to read; whether all of it can be, and the state it is in."""
        if self._file is None:
            await asyncio.sleep(self._pause())
            return None, True
        looked, changed_at, now = before, 0.0, 0.0
        first = None
        patience = self._pause() if self._bad else None  # a missing source may be there by then
        while True:
            await asyncio.sleep(LOOK)
            now += LOOK
            state = self._state()
            if state != looked:
                looked, changed_at = state, now
                first = now if first is None else first
            if first is None:
                if patience is not None and now >= patience:
                    return before, True
            elif looked is not None and now - changed_at >= QUIET:
                return looked, True
            elif looked is not None and now - first >= RESTLESS:
                return looked, False

    def _pause(self) -> float:
        return max(READ, self._took / SHARE)

    def _state(self) -> _State:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None  # being replaced, perhaps
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None

    async def _take_in(self, *, whole: bool) -> None:
        began = time.monotonic()
        rows = self._read() if whole else _but_last(self._read())
        added, self._bad = 0, False
        try:
            while some := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
                fresh = self._seen.unknown(row for row in some if self._file or not _young(row))
                problems = [row for row in fresh if isinstance(row, Problem)]
                self._bad = self._bad or bool(problems)
                self._report(problems)
                added += await self._hand_on([row for row in fresh if isinstance(row, Row)])
        except (OrchestratorError, OSError) as error:
            self._tell(f"{self._name} can't be followed just now: {error}", ("", "", str(error)))
        if added:
            self._seen.settle()
            self._note(f"{added:,} added to {self._name}")
        self._took = time.monotonic() - began

    async def _hand_on(self, rows: list[Row]) -> int:
        if not rows:
            return 0
        taken = await self._take(rows)
        self._report(taken.problems)
        self._added()
        return taken.counts.get(Action.NEW, 0)

    def _report(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._tell(
                f"left out until it is mended: {problem}",
                (problem.key or "", problem.field, problem.message),
            )

    def _tell(self, message: str, about: tuple[str, str, str]) -> None:
        if about not in self._told:
            self._told.add(about)
            self._note(message)


def _sign(row: Row) -> int:
    """Tells rows apart; where a row stands does not count."""
    what = (row.key, row.source, row.stitch, row.priority, row.payload, row.tags)
    return hash((what, tuple(row.fields.items()), row.fingerprint, row.duration))


def _but_last(rows: Iterator[Row | Problem]) -> Iterator[Row | Problem]:
    """All but the last row, which may be half-written."""
    return (row for row, _ in pairwise(rows))


def _young(row: Row | Problem) -> bool:
    """Whether a source was written a moment ago, and so may be being written still."""
    if isinstance(row, Problem) or row.source is None or "://" in row.source:
        return False
    try:
        return abs(time.time() - Path(row.source).stat().st_mtime) < YOUNG
    except OSError:
        return False
