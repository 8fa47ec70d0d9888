"""Which storage a destination means, whether it can be meant, and what a status says of it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.azblob import account_key, open_azblob
from orchestrator.storage.b2 import open_b2
from orchestrator.storage.ftp import open_ftp
from orchestrator.storage.local import local_path, open_local
from orchestrator.storage.place import Place, Reach, Refused, record_of
from orchestrator.storage.s3 import open_s3

_BUCKETS = ("s3", "b2", "azblob")


def open_place(wanted: Destination, reach: Reach) -> AbstractAsyncContextManager[Place]:
    """The storage of a destination. Entering raises ``Refused``, ``Passing``."""
    openers: dict[str, Callable[[Destination, Reach], AbstractAsyncContextManager[Place]]] = {
        "s3": open_s3,
        "b2": open_b2,
        "azblob": open_azblob,
        "ftp": open_ftp,
        "ftps": open_ftp,
        "sftp": _open_sftp,
        "file": open_local,
    }
    return openers[wanted.scheme](wanted, reach)


@dataclass(frozen=True, slots=True)
class Target:
    """The path of a destination inside its storage."""

    url: str
    path: str
    record: dict[str, Any]

    @classmethod
    def of(cls, wanted: Destination, reach: Reach) -> "Target":
        """Judge a destination without reaching for it. Raises ``Refused``."""
        _check_headers(wanted)
        scheme = wanted.scheme
        if scheme in _BUCKETS:
            where = address.bucket(wanted)
            if scheme == "azblob":
                account_key(wanted)
            record = {"bucket": where.bucket, "host": where.host or None}
            return cls(wanted.url, _stripped(where.path), record)
        if scheme == "file":
            return cls(wanted.url, local_path(wanted, reach), {})
        server = address.server(wanted)
        if scheme == "sftp" and not (wanted.key and wanted.secret):
            raise Refused("needs the user's name as key and the password as secret")
        return cls(wanted.url, _stripped(server.path), {"host": server.host})

    @staticmethod
    def shown(wanted: Destination) -> str:
        """Scheme and host."""
        return address.shown(wanted.url)

    def file(self, name: str) -> str:
        """The path of a file of a folder; of the one file there is, if ``name`` is empty."""
        if not self.path or not name:
            return self.path or name
        return f"{self.path}/{name}"

    def told(self, entry: str | None) -> dict[str, Any]:
        """``url`` and ``storage`` as a status shows them."""
        url = f"{self.url.rstrip('/')}/{quote(entry)}" if entry else self.url
        path = self.file(entry or "")
        scheme = urlsplit(self.url).scheme
        where = {"key": path} if scheme in _BUCKETS else {"path": path}
        return {"url": url, "storage": record_of(scheme, path, **self.record, **where)}


def _open_sftp(wanted: Destination, reach: Reach) -> AbstractAsyncContextManager[Place]:
    from orchestrator.storage.sftp import open_sftp  # asyncssh takes a fifth of a second to load

    return open_sftp(wanted, reach)


def _stripped(path: str) -> str:
    return path.rstrip("/")


def _check_headers(wanted: Destination) -> None:
    """They become headers of HTTP, which hold visible ASCII alone."""
    for name in ("permissions", "storage_class", "cache_control"):
        text = getattr(wanted, name) or ""
        if not (text.isascii() and text.isprintable()):
            raise Refused(f"its {name} may hold letters, digits and signs of ASCII alone")
