"""Sizes as people write them: 512KiB, 8MiB, 1GB, or a plain number of bytes."""

import re

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*")


def in_bytes(text: str) -> int:
    """The bytes that ``text`` stands for. Raises ``ValueError`` where it is no size."""
    found = _SIZE.fullmatch(text.lower())
    if not found or found[2] not in _UNITS:
        raise ValueError("must be a size such as 512KiB, 8MiB or 1GB")
    return int(float(found[1]) * _UNITS[found[2]])
