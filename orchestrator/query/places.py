"""Where things are fetched from, and the names of what is made."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from orchestrator.query.values import as_text, refuse

_SOURCE = re.compile(r"tus:\S+|[A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x1f]+")
_WEB = re.compile(r"https?://[^\x00-\x20\x7f]+", re.IGNORECASE)
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f]+")
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")
_LONGEST_NAME = 200


def _source(value: object) -> str:
    text = as_text(value)
    if not _SOURCE.fullmatch(text):
        raise refuse("is not a source", "write a URL, or tus:<id> for an uploaded file")
    return text


def as_web_url(value: object) -> str:
    text = as_text(value)
    if not _WEB.fullmatch(text):
        raise refuse("is not a web address", "write http://… or https://…")
    return text


def _key_url(value: object) -> str:
    """An address as it stands in a playlist, inside of quotes."""
    text = as_text(value)
    if not _ANY_SCHEME.fullmatch(text) or '"' in text:
        raise refuse("is not a URL", "write it as players will ask for it")
    return text


def as_file_name(value: object) -> str:
    text = as_text(value)
    if text in ("", ".", "..") or _NOT_IN_NAMES.search(text):
        raise refuse("is not a file's name", "write a name without folders")
    if len(text.encode(errors="surrogatepass")) > _LONGEST_NAME:
        raise refuse(f"is longer than {_LONGEST_NAME} bytes")
    return text


def _extension(value: object) -> str:
    text = as_text(value)
    if text.isascii() and text.isalnum() and len(text) <= 8:
        return text
    raise refuse("is not a file name's extension", 'write it without the dot, as in "mp4"')


#: What a file is made from: a URL, or ``tus:<id>``.
Source = Annotated[str, BeforeValidator(_source)]
#: Any file that is fetched beside the source.
Url = Source
#: Where players find a key: any scheme, as FairPlay's is ``skd``.
KeyUrl = Annotated[str, BeforeValidator(_key_url)]
WebUrl = Annotated[str, BeforeValidator(as_web_url)]
#: A name that can't lead to another folder.
FileName = Annotated[str, BeforeValidator(as_file_name)]
Extension = Annotated[str, BeforeValidator(_extension)]
