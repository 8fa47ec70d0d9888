"""What was measured before: small JSON files, one for each film and way to encode it.

Other limits (``min_crf``, ``max_crf``, ``adjust_crf``) ask for other points of the
same curve, so points are kept, not choices.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.transcoder.pertitle.search import Point

#: Files kept; the ones not used for longest go first.
MOST = 10_000
#: Changes whenever measurements come out otherwise than they did.
_EDITION = 1

#: Of a file, this many blocks of this size are read, spread over all of it.
_BLOCKS, _BLOCK = 64, 64 * 1024


class Curves:
    """Measured points by key, in ``folder``; None keeps nothing. Blocks."""

    def __init__(self, folder: Path | None, most: int = MOST) -> None:
        self._folder, self._most = folder, most

    def load(self, key: str) -> dict[float, Point]:
        """The points that are known, by their rate factor."""
        if self._folder is None:
            return {}
        path = self._folder / f"{key}.json"
        try:
            points = [
                Point(float(crf), float(score), int(size)) for crf, score, size in _read(path)
            ]
        except (OSError, ValueError, TypeError):
            # Not there, or damaged: then it is measured again.
            return {}
        with contextlib.suppress(OSError):
            os.utime(path)
        return {point.crf: point for point in points}

    def save(self, key: str, points: Iterable[Point]) -> None:
        """Keep points. A disk that can't be written only costs the next measurement."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            rows = [[point.crf, point.score, point.size] for point in points]
            part = self._folder / f".{key}.{os.getpid()}.part"
            part.write_text(json.dumps(rows), encoding="utf-8")
            part.replace(self._folder / f"{key}.json")
            self._thin_out()

    def _thin_out(self) -> None:
        if self._folder is None:
            return
        found = list(self._folder.glob("*.json"))
        if len(found) <= self._most:
            return
        # A tenth at once, so that this is rare.
        found.sort(key=lambda path: path.stat().st_mtime)
        for path in found[: len(found) - self._most + self._most // 10]:
            path.unlink(missing_ok=True)


def key_of(sources: Sequence[str], *settings: Any) -> str:
    """The name of a curve: of which sources, encoded how."""
    told = json.dumps([_EDITION, *sources, *settings], default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def identity(path: Path) -> str:
    """A file's size and the hash of blocks of it. Blocks; raises ``OSError``.

    Not its time: a source that is fetched once more is a new file each time.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=32)
    step = max(_BLOCK, -(-max(0, size - _BLOCK) // (_BLOCKS - 1)))
    with path.open("rb") as file:
        for at in range(0, size, step):
            file.seek(at)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _read(path: Path) -> list[tuple[Any, Any, Any]]:
    found = json.loads(path.read_bytes())
    if not isinstance(found, list):
        raise TypeError("no list of points")
    return found
