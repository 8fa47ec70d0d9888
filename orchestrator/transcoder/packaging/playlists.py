"""Reading the media playlists that our own tools write."""

import re

#: Times read from playlists are in millionths of a second.
_MILLION = 1_000_000
_PART = re.compile(r"#EXTINF:([0-9.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)")


def read_parts(playlist: str) -> list[tuple[str, int, int]]:
    """File, start and duration of each segment."""
    parts: list[tuple[str, int, int]] = []
    at = 0
    for seconds, file in _PART.findall(playlist):
        length = round(float(seconds) * _MILLION)
        parts.append((file, at, length))
        at += length
    return parts
