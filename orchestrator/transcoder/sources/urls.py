"""The URL of a source: what it names, and what of it may be shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

SCHEMES = ("http", "https", "ftp", "ftps", "sftp", "s3")

_PORTS = {"ftp": 21, "ftps": 21, "sftp": 22, "s3": 443}

_HOST = r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:/@?#\[\]\s]+)(?::(?P<port>\d{1,5}))?(?:/(?P<path>.*))?"
#: A password ends at the last @ before the path.
_SERVER = re.compile(rf"\w+://(?:(?P<user>[^:/]*)(?::(?P<password>[^/]*))?@)?{_HOST}", re.DOTALL)
#: A secret of S3 may hold slashes, which many write as they are, but never an @.
_BUCKET = re.compile(rf"\w+://(?:(?P<user>[^:/@]*):(?P<password>[^@]*)@)?{_HOST}", re.DOTALL)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class BadUrl(ValueError):
    """Raised when a URL can't be one of a source; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file at a server of files. All parts are decoded; ``path`` has no leading slash."""

    scheme: str
    host: str
    port: int
    path: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    #: Whether the URL itself named the port.
    port_given: bool = False


def scheme_of(source: str) -> str:
    """The scheme in small letters: ``https``, ``tus`` and so on."""
    return source.partition(":")[0].lower()


def read_remote(url: str) -> Remote:
    """A URL of ftp, ftps, sftp or s3 in its parts. Raises ``BadUrl``."""
    scheme = scheme_of(url)
    found = (_BUCKET if scheme == "s3" else _SERVER).fullmatch(url)
    if found is None:
        raise BadUrl(f"is not a URL: write {scheme}://user:password@host/path")
    parts = {name: unquote(value or "") for name, value in found.groupdict().items()}
    # A decoded line break would begin a command of its own on an FTP connection.
    if any(_CONTROL.search(part) for part in parts.values()):
        raise BadUrl("holds a control character")
    port = int(parts["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise BadUrl("names a port that can't be")
    if not parts["path"] or parts["path"].endswith("/"):
        raise BadUrl("names no file")
    return Remote(
        scheme=scheme,
        host=parts["host"].strip("[]"),
        port=port,
        path=parts["path"],
        user=parts["user"],
        password=parts["password"],
        port_given=bool(parts["port"]),
    )


def without_credentials(source: str) -> str:
    """A source as the log of starts may hold it: no user, password or signature."""
    scheme, colon, rest = source.partition("://")
    if not colon:
        return source if source.startswith("tus:") else f"{source.partition(':')[0]}:"
    if scheme.lower() == "s3":
        found = _BUCKET.fullmatch(source)
        return f"{scheme}://" + (rest.rpartition("@")[2] if found is None else _shown(found))
    try:
        parts = urlsplit(source)
        host = parts.netloc.rpartition("@")[2]
        hidden = parts.port is None and ":" in host and "]" not in host
    except ValueError:
        return f"{scheme}://"
    # A password with a bare slash in it ends the host early: show nothing then.
    if hidden or ("@" in parts.path and ":" in host and "@" not in parts.netloc):
        return f"{scheme}://"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _shown(found: re.Match[str]) -> str:
    port = f":{found['port']}" if found["port"] else ""
    return f"{found['host']}{port}/{found['path'] or ''}"
