"""How local sources become URLs, for services that download what they encode.

A job either puts them into a folder of a file server first (``publish``), or says
under which URL a local folder can be read as it is (``origin_map``).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from pydantic import BeforeValidator, Field

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Problem
from orchestrator.query.base import Part
from orchestrator.query.destination import Destination
from orchestrator.query.secrets import SECRET, resolve_secrets
from orchestrator.query.values import Flag, as_text, refuse

#: Where sources can be put.
SCHEMES: Final = ("ftp", "ftps", "sftp", "s3")

_NAMED = re.compile(r"(?P<scheme>\w+)://(?:(?P<user>[^@]*)@)?(?P<rest>[^@]*)", re.DOTALL)
_RAW = re.compile(r"[/?#@:\s]")
_WEB = re.compile(r"(https?|ftp|ftps|sftp|s3)://[^/\s]+\S*")
_HINT = "write scheme://${env:USER}:${env:PASSWORD}@host/folder"


class _Named(NamedTuple):
    """A folder's URL in parts; user and password may hold ``${env:NAME}``."""

    scheme: str
    user: str
    password: str
    rest: str


def _read(url: str) -> _Named:
    found = _NAMED.fullmatch(url)
    if found is None or found["scheme"] not in SCHEMES or "?" in url or "#" in url:
        raise refuse("is no folder to publish in", f"{_HINT}; one of {', '.join(SCHEMES)}")
    user, _, password = _split(found["user"] or "")
    return _Named(found["scheme"], user, password, found["rest"])


def _split(userinfo: str) -> tuple[str, str, str]:
    """At the first colon that is not within ``${env:NAME}``."""
    outside = SECRET.sub(lambda secret: "\0" * len(secret[0]), userinfo)
    at = outside.find(":")
    return (userinfo, "", "") if at < 0 else (userinfo[:at], ":", userinfo[at + 1 :])


def _folder(value: object) -> str:
    url = as_text(value)
    named = _read(url)
    if SECRET.sub("", named.password):
        raise refuse("holds a password", f"{_HINT}: only names are stored and shown")
    if SECRET.search(named.rest) or not urlsplit(f"x://{named.rest}").hostname:
        raise refuse("names no host, or holds a secret beside user and password", _HINT)
    return url.rstrip("/")


def _web(value: object) -> str:
    url = as_text(value)
    if not _WEB.fullmatch(SECRET.sub("secret", url)):
        raise refuse("is not a URL", "write the folder's address, such as https://host/folder")
    return url.rstrip("/")


WebFolder = Annotated[str, BeforeValidator(_web)]


class Publish(Part):
    """A folder that local sources are put into, so that a service can download them.

    ``to`` is its URL; ``url`` is how the service reads it, where that differs (a
    folder that is filled by sftp and read by https). Secrets in both stand as
    ``${env:NAME}``, whose values are written as in a URL: percent-encoded. With
    ``remove``, a source is removed when its item has completed or failed.
    """

    to: Annotated[str, BeforeValidator(_folder)] = Field(repr=False)
    url: WebFolder | None = Field(default=None, repr=False)
    remove: Flag = False

    def destination(self, env: Mapping[str, str]) -> Destination:
        """The folder as storages take it, secrets resolved. Raises ``BadInput``."""
        named = _read(self.to)
        user, password = (_plain(text, env, "publish") for text in (named.user, named.password))
        given: dict[str, Any] = {"url": f"{named.scheme}://{named.rest}"}
        if user or named.scheme == "s3":
            given |= {"key": user, "secret": password}
        return Destination.model_validate(given)

    def remote(self, name: str) -> str:
        """The URL that the service reads the file ``name`` at, secrets by their names."""
        return f"{self.url or self.to}/{quote(name)}"


def as_publish(value: object) -> object:
    """A lone URL stands for a table of it."""
    return {"to": value} if isinstance(value, str) else value


def _plain(text: str, env: Mapping[str, str], where: str) -> str:
    """User or password, decoded. What a URL could not hold as it is would be cut there."""
    for name in SECRET.findall(text):
        if _RAW.search(env.get(name, "")):
            raise BadInput(
                f"{where}: the value of the environment variable {name} becomes part of a URL: "
                "write its special characters percent-encoded (%2F for a slash, %40 for @)"
            )
    return unquote(str(resolve_secrets({where: text}, env)[where]))


@dataclass(frozen=True, slots=True)
class Origins:
    """The URLs of local folders that a service can read as they are: by absolute paths."""

    folders: Mapping[str, str]

    @classmethod
    def of(cls, mapped: Mapping[str, str], folder: Path) -> "Origins":
        """As a job file in ``folder`` has them; the deepest folders first."""
        found = {
            normpath(folder / Path(root).expanduser()): url.rstrip("/")
            for root, url in mapped.items()
        }
        return cls(dict(sorted(found.items(), key=lambda each: -len(each[0]))))

    def url(self, path: str) -> str | None:
        """The URL of a file; None where it lies outside every folder."""
        for root, url in self.folders.items():
            inside = path.removeprefix(root.rstrip("/") + "/")
            if inside != path:
                return f"{url}/{quote(os.fsencode(inside))}"
        return None

    def outside(self, path: str, file: str) -> Problem:
        """What is wrong with a file that lies outside."""
        known = ", ".join(self.folders) or "none"
        hint = f"its folders are: {known}; add one, or set publish"
        message = f"{path} is under no folder of origin_map, so the service can't download it"
        return Problem(file, message, hint, field="source")
