"""Checksums that a server names for a file, and the file's own."""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from orchestrator.services.disk_write import in_thread

#: Names of the fields (RFC 9530, RFC 3230) and hashlib's, the one to prefer first.
_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "md5": "md5"}
_MD5_IN_HEX = re.compile(r'"([0-9a-f]{32})"')
_PIECE = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file's checksum should be. ``algorithm`` is hashlib's name for it."""

    algorithm: str
    value: bytes


def named_digest(headers: Mapping[str, str], status: int, host: str) -> Digest | None:
    """The checksum of the whole file that an answer names, None where it names none.

    ``Repr-Digest`` (RFC 9530) and ``Digest`` (RFC 3230) are of the whole file,
    for a part of it (206) too. ``Content-MD5`` (RFC 1864) is of what was sent, so
    it counts with status 200 alone. Amazon S3's ``ETag`` counts where S3's
    documents call it an MD5: an object put in one piece, plain or encrypted by
    S3's own keys, not in a directory bucket. Anybody else's ``ETag`` says nothing.
    """
    if status not in (200, 206) or headers.get("Content-Encoding", "identity") != "identity":
        return None
    named = dict(_listed(headers.get("Repr-Digest", ""), quote=":"))
    named = dict(_listed(headers.get("Digest", ""), quote="")) | named
    for name, algorithm in _ALGORITHMS.items():
        if digest := _digest(algorithm, named.get(name, "")):
            return digest
    if status == 200 and (digest := _digest("md5", headers.get("Content-MD5", ""))):
        return digest
    return _etag(headers, host)


async def digest_of(path: Path, algorithm: str) -> bytes:
    """The checksum of a file, read in steps between which it can be cancelled."""
    made = hashlib.new(algorithm, usedforsecurity=False)
    file = await in_thread(path.open, "rb")
    try:
        while await in_thread(_feed, file, made):
            pass
    finally:
        file.close()
    return made.digest()


def _feed(file: IO[bytes], made: Any) -> bool:
    piece = file.read(_PIECE)
    made.update(piece)
    return bool(piece)


def _listed(field: str, quote: str) -> Iterator[tuple[str, str]]:
    """``name=value`` pairs, the value between ``quote`` marks (RFC 8941, byte sequences)."""
    for part in field.split(","):
        name, _, value = part.strip().partition("=")
        if value.startswith(quote) and value.endswith(quote):
            yield name.lower(), value[len(quote) : len(value) - len(quote)]


def _digest(algorithm: str, text: str) -> Digest | None:
    try:
        value = b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    right = len(value) == hashlib.new(algorithm, usedforsecurity=False).digest_size
    return Digest(algorithm, value) if right else None


def _etag(headers: Mapping[str, str], host: str) -> Digest | None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html, under ETag."""
    own_keys = headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
    others = "x-amz-server-side-encryption-customer-algorithm" in headers or "s3express" in host
    found = _MD5_IN_HEX.fullmatch(headers.get("ETag", ""))
    if headers.get("Server") != "AmazonS3" or not own_keys or others or not found:
        return None
    return Digest("md5", bytes.fromhex(found[1]))
