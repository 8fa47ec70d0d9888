"""The digest of a resolved query: what tells whether an item must be encoded anew.

It is the blake2b of the canonical JSON (keys sorted, no spaces) of the query
and the payload as a row fills them in. Credentials are left out, because a new
password makes no other output: the ``key`` and ``secret`` of destinations, the
user part of URLs, and each ``${env:NAME}``.

A million rows pass through here, so the JSON is cut at the placeholders once,
and a row costs one join and one hash.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from orchestrator.query.secrets import SECRET
from orchestrator.query.templates import Piece, PlainValues, Template, compile_template

BYTES = 16
_CREDENTIALS = frozenset({"key", "secret"})
_USER_PART = re.compile(r"(?<=://)[^/?#\s]*@")

_Piece = bytes | Template


def without_credentials(text: str) -> str:
    """``text`` without secrets' names and the user part of the URL that it may be."""
    if "${env:" in text:
        text = SECRET.sub("", text)
    return _USER_PART.sub("", text) if "@" in text else text


class Digest:
    """The digest of one job's query, for any row."""

    def __init__(self, query: Mapping[str, Any], payload: str | None) -> None:
        payload_piece = _text(payload) if payload is not None else b"null"
        pieces = list(_joined([*_json(query, in_destination=False), b"\n"]))
        #: The start that every row has is hashed once.
        self.start = pieces[0] if isinstance(pieces[0], bytes) else b""
        self._start = blake2b(self.start, digest_size=BYTES)
        self._pieces = pieces[1:]
        self._payload = payload_piece
        rest = [*self._pieces, payload_piece]
        templates = [piece for piece in rest if not isinstance(piece, bytes)]
        #: The rest as one text, for rows whose values are the same in JSON; else None.
        self.whole = Template(_as_text(rest)) if all(map(_keeps_all, templates)) else None
        self._plain = PlainValues(self.whole.names if self.whole else ())

    def of(self, fields: Mapping[str, str], payload: str | None) -> str:
        """The digest in hex. ``payload`` is the row's own, in place of the job's.

        Raises ``TemplateError`` for a placeholder that ``fields`` has not.
        """
        state = self._start.copy()
        if payload is None and self.whole is not None and self._plain.has(fields):
            state.update(self.whole.render(fields).encode())
            return state.hexdigest()
        for piece in self._pieces:
            state.update(piece if isinstance(piece, bytes) else _filled(piece, fields))
        if payload is not None:
            state.update(_quoted(payload))
        elif isinstance(self._payload, bytes):
            state.update(self._payload)
        else:
            state.update(_filled(self._payload, fields))
        return state.hexdigest()


def _keeps_all(template: Template) -> bool:
    """Whether nothing of its own text is left out of the digest, nor of a plain value."""
    own = [piece for piece in template.pieces if isinstance(piece, str)]
    return all("@" not in piece and "$" not in piece for piece in own)


def _as_text(pieces: Iterable[_Piece]) -> Iterator[Piece]:
    """The JSON as the pieces of one template."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece.decode()
            continue
        yield '"'
        for part in piece.pieces:
            yield orjson.dumps(part).decode()[1:-1] if isinstance(part, str) else part
        yield '"'


def _filled(template: Template, fields: Mapping[str, str]) -> bytes:
    return _quoted(template.render(fields))


def _quoted(text: str) -> bytes:
    """Text as JSON, without its credentials."""
    text = without_credentials(text)
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate: a file's name that is not UTF-8
        return json.dumps(text).encode()


def _text(text: str) -> _Piece:
    template = compile_template(text)
    return template if template.names else _quoted(template.head)


def _json(value: Any, *, in_destination: bool) -> Iterator[_Piece]:
    if isinstance(value, str):
        yield _text(value)
    elif isinstance(value, Mapping):
        yield b"{"
        comma = b""
        for name in sorted(value):
            if in_destination and name in _CREDENTIALS:
                continue
            yield comma + orjson.dumps(name) + b":"
            yield from _json(value[name], in_destination=name == "destination")
            comma = b","
        yield b"}"
    elif isinstance(value, list | tuple):
        yield b"["
        for place, item in enumerate(value):
            yield b"," if place else b""
            yield from _json(item, in_destination=in_destination)
        yield b"]"
    else:
        yield orjson.dumps(value)


def _joined(pieces: list[_Piece]) -> Iterator[_Piece]:
    """The same with neighbouring bytes made one."""
    done = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            done += piece
            continue
        yield done
        yield piece
        done = b""
    yield done
