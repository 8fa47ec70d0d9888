"""Whether an MP4 file ends where its boxes do.

A file whose index comes first probes well however much of its end is missing:
only its boxes tell (ISO/IEC 14496-12, 4.2: a size and a type, one after another).
"""

from pathlib import Path

_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"})


def missing_bytes(path: Path) -> int:
    """How many bytes the file's last box has less than it says; 0 for other files. Blocks."""
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            if at == 0 and head[4:8] not in _FIRST:
                return 0
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # the real one follows, in 64 bits
                length = int.from_bytes(head[8:16], "big")
            if length == 0:  # "extends to end of file"
                return 0
            at += max(8, length)
    return max(0, at - size)
