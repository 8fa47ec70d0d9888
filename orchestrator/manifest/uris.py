"""Source text, as people write it, to the one normal form that the ledger keys on."""

import os
import re
from functools import lru_cache
from pathlib import Path
from posixpath import expanduser, normpath
from urllib.parse import unquote_to_bytes

from orchestrator.manifest.faults import Fault

#: The schemes that a source may have, and the port that each has by default.
DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21", "sftp": "22", "s3": ""}

_SCHEMES = ", ".join(DEFAULT_PORTS)
_REFERENCE = r"\$\{env:\w+\}"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_AUTHORITY_END = re.compile(r"[/?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(
    rf"(\[[0-9A-Fa-f:.]+\]|(?:{_REFERENCE}|[^\s:\[\]\\{{}}$\x00-\x1f])+)(?::([0-9]*))?"
)
_LOGIN_HINT = "write ${env:USER}:${env:PASSWORD}@ before the host, and set the two variables"
_LOGIN = re.compile(rf"{_REFERENCE}(?::{_REFERENCE})?")


def normalise(text: str, folder: str, field: str = "source") -> str:
    """A source in its normal form: an absolute path, or a URL.

    A path is taken from ``folder`` (absolute) if it is relative, ``~`` is
    expanded, ``.`` and ``..`` are resolved in the text alone, links stay. A URL
    gets a lower-case scheme and host and loses its default port and fragment;
    its path and query stay as they are. ``file:`` URLs become paths. Raises
    ``Fault`` for ``field``; its message never repeats a URL, which may hold a
    secret.
    """
    if not text:
        raise Fault(field, "no source", "give a path or a URL, or leave the row out")
    if ":/" in text:
        if "://" in text and (url := _url(text, field)):
            return url
        if text[:6].lower() == "file:/":
            return _path(_file_url(text, field), "/", field)
    return _path(text, folder, field)


def normalise_url(text: str, field: str) -> str:
    """Like ``normalise``, where nothing but a URL will do."""
    if url := _url(text, field):
        return url
    raise Fault(field, "not a URL", f"write URLs ({_SCHEMES}); local files can't be stitched")


def _path(text: str, folder: str, field: str) -> str:
    if "\0" in text:
        raise Fault(field, "the path holds a NUL character", "remove it")
    if text[0] == "~":
        text = expanduser(text)
    if text[0] != "/":
        return normpath(f"{folder}/{text}")
    # POSIX lets two leading slashes stand; for a source they are a typing slip.
    return normpath("/" + text.lstrip("/"))


def _url(text: str, field: str) -> str | None:
    """A URL in normal form; None if this is a path, or a ``file:`` URL."""
    cut = text.find("/", text.find("://") + 3)
    if cut > 0 and "#" not in text and text.isprintable():
        origin = _origin(text[:cut], field)
        return origin and origin + text[cut:]
    return _normal_url(text, field)


def _normal_url(text: str, field: str) -> str | None:
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme) or scheme.lower() == "file":
        return None
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    rest = rest[len(authority) :]
    if "@" in rest.partition("/")[0]:
        # A password with ? or # in it ends the host early.
        raise Fault(field, "there is an @ before the URL's path", _LOGIN_HINT)
    rest = rest.partition("#")[0]
    if _CONTROL.search(rest):
        raise Fault(field, "the URL holds a control character", "write it percent-encoded")
    scheme = scheme.lower()
    return f"{scheme}://{_authority(scheme, authority, field)}{rest}"


#: What stands before a URL's path, in normal form: rows are many and hosts few.
_origin = lru_cache(maxsize=1024)(_normal_url)


def _authority(scheme: str, text: str, field: str) -> str:
    if scheme not in DEFAULT_PORTS:
        raise Fault(field, f"{scheme}:// can't be read", f"use {_SCHEMES}, or a local path")
    userinfo, at, place = text.rpartition("@")
    if at and not _LOGIN.fullmatch(userinfo):
        raise Fault(field, "the URL holds a user name or password", _LOGIN_HINT)
    match = _HOST.fullmatch(place)
    if not match:
        raise Fault(field, "the URL's host or port is wrong", f"write {scheme}://host/path")
    host, port = match.groups()
    # The name of a variable keeps its case.
    host = host if "$" in host else host.lower()
    return f"{userinfo}{at}{host}" + (f":{port}" if port and port != DEFAULT_PORTS[scheme] else "")


def _file_url(text: str, field: str) -> str:
    """The path of a file URL (RFC 8089), percent-decoded."""
    path = text[5:]
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        if not slash or host.lower() not in ("", "localhost"):
            raise Fault(field, "the file URL names another machine", "write file:///path")
        path = f"/{rest}"
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise Fault(field, "the file URL is not UTF-8", "write the path itself") from None


def absolute(path: str | Path) -> str:
    """A path from the command line or a job, absolute, ``~`` expanded."""
    return _path(os.fspath(path) or ".", str(Path.cwd()), "manifest")


def printable(path: str) -> str:
    """A path with its bytes that are not UTF-8 written as escapes."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()
