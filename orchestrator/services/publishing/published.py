"""Names of published files: unique, safe in every file system, and found again.

What is on record of an upload is ``<name>#<handle>``: the name in the folder and
what the storage finds an unfinished file by. Neither is a secret.
"""

import re
from pathlib import Path
from typing import NamedTuple

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
#: With the mark, well below what any storage takes as a name.
_LONGEST_STEM, _LONGEST_ENDING = 80, 16


class Published(NamedTuple):
    """A file's name in the folder, and the storage's handle of it."""

    name: str
    handle: str = ""

    @classmethod
    def of(cls, path: Path, mark: str) -> "Published":
        """A name for the file at ``path`` that no other attempt's is; ``mark`` is the attempt's."""
        stem = _UNSAFE.sub("_", path.stem)[:_LONGEST_STEM].strip("._-") or "source"
        return cls(f"{stem}-{mark}{_UNSAFE.sub('_', path.suffix)[:_LONGEST_ENDING]}")

    @classmethod
    def read(cls, record: str) -> "Published":
        """What ``record`` says."""
        name, _, handle = record.partition("#")
        return cls(name, handle)

    @property
    def record(self) -> str:
        """For the ledger."""
        return f"{self.name}#{self.handle}" if self.handle else self.name
