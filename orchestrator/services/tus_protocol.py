"""What tus 1.0 says on the wire (https://tus.io/protocols/resumable-upload), as values."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

VERSION = "1.0.0"
RESUMABLE = {"Tus-Resumable": VERSION}
BODY_TYPE = "application/offset+octet-stream"

#: Best first: what catches most for the least work on today's processors.
_ALGORITHMS = ("sha1", "sha256", "md5")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a tus server can do beyond the core protocol and creation."""

    creation_with_upload: bool = False
    max_size: int | None = None
    algorithm: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read from the answer to OPTIONS."""
        extensions = _words(headers.get("Tus-Extension", ""))
        offered = _words(headers.get("Tus-Checksum-Algorithm", ""))
        algorithm = next((name for name in _ALGORITHMS if name in offered), None)
        return cls(
            creation_with_upload="creation-with-upload" in extensions,
            max_size=number(headers, "Tus-Max-Size"),
            algorithm=algorithm if "checksum" in extensions else None,
        )


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header that holds a count of bytes; None where it doesn't."""
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def metadata(filename: str) -> str:
    """The value of Upload-Metadata. A name that isn't UTF-8 is sent with the bytes it has."""
    return "filename " + base64.b64encode(filename.encode("utf-8", "surrogateescape")).decode()


def checksum(algorithm: str, pieces: Sequence[bytes | bytearray | memoryview]) -> str:
    """The value of Upload-Checksum for a body made of ``pieces``."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return f"{algorithm} {base64.b64encode(digest.digest()).decode()}"


def _words(value: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in value.split(",") if word.strip())
