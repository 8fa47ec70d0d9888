"""What verification needs of ffprobe and ffmpeg; ``wiring`` has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Unreadable(Exception):
    """Raised when a file can't be opened as media; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a media file holds.

    ``streams`` are ffprobe's words (``video``, ``audio``, ``subtitle``), ``frame``
    width and height of the first picture in upright pixels, ``shown`` as players show
    it, where pixels are not square; None where there is none, or nobody knows.
    ``picture`` and ``sound`` are ffprobe's names of the first codec of each, "" for
    none.
    """

    streams: frozenset[str]
    seconds: float | None = None
    frame: tuple[int, int] | None = None
    picture: str = ""
    sound: str = ""
    shown: tuple[int, int] | None = None


class Prober(Protocol):
    """Looks into media files."""

    async def probe(self, path: Path) -> Found:
        """What the file holds, by its headers. Raises ``Unreadable``, ``Transient``."""

    async def decode(self, path: Path) -> str:
        """Decode all of it: what the decoder complained of, "" for nothing.

        Raises ``Transient`` where that took too long.
        """

    async def decode_joined(self, heads: Sequence[Path], media: Sequence[Path]) -> str:
        """As ``decode``, of segments that are one stream when put one behind another.

        ``heads`` come first, and hold what it takes to decode the ``media``.
        """
