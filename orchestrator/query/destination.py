"""Where the service stores an output, and with which credentials."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_validator,
)

from orchestrator.query.base import Part
from orchestrator.query.values import Flag, Text, Whole, as_text, refuse

#: ``file`` is this project's own: the embedded service can store on its disk.
SCHEMES: Final = ("s3", "b2", "azblob", "ftp", "ftps", "sftp", "file")

#: Storage that takes a key and a secret with every request.
_BUCKETS: Final = ("s3", "b2", "azblob")

#: Where an attribute means something. The documents name S3 for the first
#: three, and FTP for the next two; they give the ports no storage of their own.
_BELONGS_TO: Final[Mapping[str, tuple[str, ...]]] = {
    "permissions": ("s3",),
    "storage_class": ("s3",),
    "cache_control": ("s3", "b2", "azblob"),
    "is_passive": ("ftp", "ftps"),
    "use_tls": ("ftp", "ftps"),
    "tcp_port": ("ftp", "ftps", "sftp"),
    "udp_port": (),
}

#: The vendor's own storage knows its clients without keys (its notes on storage).
_KNOWS_ITS_CLIENTS: Final = ".s3.qencode.com"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: Ask ``model_dump`` for credentials with this context.
REVEAL: Final[Mapping[str, Any]] = {"reveal": True}


def split_url(url: str) -> SplitResult:
    """A destination's URL in parts. The message of a refusal never quotes it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (reading it validates it)
    except ValueError:
        raise refuse("is not a URL", "write scheme://host/path") from None
    if "://" not in url or _CONTROL.search(url):
        raise refuse("is not a URL", "write scheme://host/path")
    if parts.scheme not in SCHEMES:
        raise refuse(f"can't store on {parts.scheme}://", f"use one of {', '.join(SCHEMES)}")
    if not parts.netloc and parts.scheme != "file":
        raise refuse("names no host", f"write {parts.scheme}://host/path")
    return parts


def _url(value: object) -> str:
    url = as_text(value)
    split_url(url)
    return url


def _secret(value: object) -> object:
    if isinstance(value, str | SecretStr):
        return value
    raise refuse("must be text")


def _revealed(secret: SecretStr, info: SerializationInfo) -> str:
    wanted = isinstance(info.context, Mapping) and info.context.get("reveal")
    return secret.get_secret_value() if wanted else str(secret)


Secret = Annotated[SecretStr, BeforeValidator(_secret), PlainSerializer(_revealed, return_type=str)]
Port = Annotated[Whole, Field(ge=1, le=65535)]


class Destination(Part):
    """One place to store an output at.

    ``url`` names a file, or for an output of many files a folder. ``key`` and
    ``secret`` never show in a message or a representation.
    """

    url: Annotated[str, BeforeValidator(_url)] = Field(repr=False)
    key: Secret | None = None
    secret: Secret | None = None
    permissions: Text | None = None
    storage_class: Text | None = None
    cache_control: Text | None = None
    is_passive: Flag = True
    use_tls: Flag = False
    tcp_port: Port | None = None
    udp_port: Port | None = None

    @property
    def scheme(self) -> str:
        """``s3``, ``ftp`` and so on: one of ``SCHEMES``."""
        return urlsplit(self.url).scheme

    @property
    def names_a_file(self) -> bool:
        """Whether the URL ends in a file's name, not in a folder's slash."""
        path = urlsplit(self.url).path
        return bool(path) and not path.endswith("/")

    @model_validator(mode="after")
    def _fits_its_storage(self) -> Self:
        scheme = self.scheme
        for name, schemes in _BELONGS_TO.items():
            if name in self.model_fields_set and scheme not in schemes:
                raise refuse(f"means nothing to {scheme}://", "leave it out", field=name)
        host = urlsplit(self.url).hostname or ""
        needs_keys = scheme in _BUCKETS and not host.endswith(_KNOWS_ITS_CLIENTS)
        for name in ("key", "secret"):
            if needs_keys and getattr(self, name) is None:
                raise refuse(f"is required with {scheme}://", field=name)
        return self


def _as_list(value: object) -> object:
    if value in ("", None):
        return ()
    return (value,) if isinstance(value, Mapping) else value


def _as_sent(destinations: tuple[Destination, ...], handler: SerializerFunctionWrapHandler) -> Any:
    dumped = list(handler(destinations))
    return (dumped[0] if len(dumped) == 1 else dumped) if dumped else ""


#: An object, a list of objects, or "" for none (as in the documents' example).
Destinations = Annotated[
    tuple[Destination, ...],
    BeforeValidator(_as_list, json_schema_input_type=Destination | list[Destination] | Literal[""]),
    WrapSerializer(_as_sent),
]


class StoredFile(Part):
    """An output of one file: each destination is a path that ends in its name."""

    destination: Destinations = ()

    @model_validator(mode="after")
    def _destination_names_a_file(self) -> Self:
        if not all(each.names_a_file for each in self.destination):
            hint = "write the path and the name of the file"
            raise refuse("names a folder where a file is stored", hint, field="destination")
        return self


class StoredFolder(Part):
    """An output of many files: each destination is a folder, slash or not."""

    destination: Destinations = ()
