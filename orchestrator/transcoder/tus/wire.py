"""What stands in tus headers, and what a server may say to it (tus 1.0.0, tus.io)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,"
    "checksum,termination,expiration,concatenation"
)
CONTENT_TYPE = "application/offset+octet-stream"

#: The algorithms of ``Upload-Checksum``. They guard against broken bytes, not
#: against attackers, which is why sha1 (which tus demands) and md5 are fine.
CHECKSUMS: Mapping[str, Callable[[], Any]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha256": hashlib.sha256,
}

#: Browsers may upload from any page: an upload URL is the permission.
CORS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Tus-Version, Tus-Resumable, Tus-Max-Size, "
    "Tus-Extension, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, "
    "Upload-Defer-Length, Upload-Concat, Upload-Expires",
}
PREFLIGHT: Mapping[str, str] = {
    "Access-Control-Allow-Methods": "OPTIONS, POST, HEAD, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Content-Type, X-HTTP-Method-Override, X-Requested-With, "
    "Tus-Resumable, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Checksum, "
    "Upload-Defer-Length, Upload-Concat",
    "Access-Control-Max-Age": "86400",
}

CHECKSUM_MISMATCH = 460

_NUMBER = re.compile(r"[0-9]{1,18}")
_METADATA_KEY = re.compile(r"[!-+\--~]+")  # printable ASCII without space and comma
_MAX_PARTS = 1000


class TusError(Exception):
    """Raised when a request is refused: the HTTP status, and why, for a person."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a request's body must hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> Any:
        """A new hash of this algorithm."""
        return CHECKSUMS[self.algorithm]()


def check_version(headers: Mapping[str, str]) -> None:
    """Refuse what speaks another version of tus (412), as the core protocol asks."""
    if headers.get("Tus-Resumable") != VERSION:
        raise TusError(
            412, f"Tus-Resumable must be {VERSION} in every request", {"Tus-Version": VERSION}
        )


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header's number, None where it is missing."""
    text = headers.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise TusError(400, f"{name} must be a whole number from 0 up")
    return int(text)


def new_length(headers: Mapping[str, str]) -> int | None:
    """The length that a creation names; None where it is put off (defer-length)."""
    length, deferred = number(headers, "Upload-Length"), headers.get("Upload-Defer-Length")
    if deferred not in (None, "1"):
        raise TusError(400, "Upload-Defer-Length can only be 1")
    if (length is None) == (deferred is None):
        raise TusError(400, "send exactly one of Upload-Length and Upload-Defer-Length: 1")
    return length


def metadata(headers: Mapping[str, str]) -> str:
    """``Upload-Metadata`` as it came, once it is proven well formed."""
    text = headers.get("Upload-Metadata", "").strip()
    seen: set[str] = set()
    for pair in text.split(",") if text else ():
        key, _, value = pair.strip().partition(" ")
        if not _METADATA_KEY.fullmatch(key):
            raise TusError(400, "a key of Upload-Metadata is empty or not printable ASCII")
        if key in seen:
            raise TusError(400, f"Upload-Metadata names {key} twice")
        seen.add(key)
        _from_base64(value, f"the value of {key} in Upload-Metadata")
    return text


def checksum(headers: Mapping[str, str]) -> Checksum | None:
    """What ``Upload-Checksum`` promises of the body."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, value = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise TusError(400, f"Upload-Checksum must use one of {', '.join(CHECKSUMS)}")
    digest = _from_base64(value, "the value of Upload-Checksum")
    if len(digest) != CHECKSUMS[algorithm]().digest_size:
        raise TusError(400, f"Upload-Checksum is not a {algorithm} checksum")
    return Checksum(algorithm, digest)


def concat(headers: Mapping[str, str]) -> str:
    """``Upload-Concat``: "", ``partial``, or ``final;`` and the parts' URLs."""
    text = headers.get("Upload-Concat", "").strip()
    if text not in ("", "partial") and not text.startswith("final;"):
        raise TusError(400, "Upload-Concat must be partial, or final; and the parts' URLs")
    return text


def parts(concatenation: str, task: str) -> list[str]:
    """The ids of the parts that a final upload names; all must be of ``task``."""
    urls = concatenation.removeprefix("final;").split()
    if not 0 < len(urls) <= _MAX_PARTS:
        raise TusError(400, f"Upload-Concat must name 1 to {_MAX_PARTS} parts")
    ids = []
    for url in urls:
        owner, _, upload = url.rstrip("/").rpartition("/")
        if owner.rpartition("/")[2] != task:
            raise TusError(400, "Upload-Concat names a part that is not an upload of this task")
        ids.append(upload)
    return ids


def http_date(when: float) -> str:
    """UNIX time as RFC 9110 writes it."""
    return formatdate(when, usegmt=True)


def _from_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TusError(400, f"{what} is not base64") from error
