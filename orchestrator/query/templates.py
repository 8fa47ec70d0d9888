"""Templates: text and documents with ``{placeholders}`` for the fields of a row.

``{stem}`` stands for a field, ``{{`` and ``}}`` for the braces themselves.
``${env:NAME}`` is no placeholder: it stays as it is, and only
``secrets.resolve_secrets`` puts the secret in its place, as a request is sent.

A template is compiled once and rendered for every row, so rendering is one
formatting of a string. Fields are text; keys of documents are never templates.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from orchestrator.model.errors import BadInput
from orchestrator.model.plain import Blank, is_plain
from orchestrator.query.problems import Path, dotted, nearest

_TOKENS = re.compile(r"\$\{env:[^{}]*\}|\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SECRET = re.compile(r"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}")
_ESCAPED = {"{{": "{", "}}": "}"}


class TemplateError(BadInput):
    """Raised when a template is malformed, or names a field that a row has not.

    ``field`` is the dotted path of the template, ``name`` the field it misses.
    """

    def __init__(self, message: str, hint: str, field: str, name: str = "") -> None:
        where = f"{field}: " if field else ""
        super().__init__(f"{where}{message} ({hint})" if hint else f"{where}{message}")
        self.message, self.hint, self.field, self.name = message, hint, field, name


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A field's place in a template."""

    name: str


Piece = str | Placeholder


class Template:
    """Text with placeholders. ``names`` are theirs, each once, in their order."""

    __slots__ = ("_fields", "_format", "names", "pieces", "where")

    def __init__(self, pieces: Iterable[Piece], where: str = "") -> None:
        self.where = where
        self.pieces = tuple(_joined(pieces))
        used = [piece.name for piece in self.pieces if isinstance(piece, Placeholder)]
        self.names = tuple(dict.fromkeys(used))
        self._fields = itemgetter(*used) if used else None
        self._format = "".join(
            "%s" if isinstance(piece, Placeholder) else piece.replace("%", "%%")
            for piece in self.pieces
        )

    @property
    def head(self) -> str:
        """The text before the first placeholder."""
        return self.pieces[0] if self.pieces and isinstance(self.pieces[0], str) else ""

    @property
    def tail(self) -> str:
        """The text after the last placeholder."""
        return self.pieces[-1] if self.pieces and isinstance(self.pieces[-1], str) else ""

    @property
    def blank(self) -> Blank:
        """The template as it is filled in where no class of this package is at hand."""
        used = [piece.name for piece in self.pieces if isinstance(piece, Placeholder)]
        return Blank(self._format, tuple(used))

    def render(self, fields: Mapping[str, str]) -> str:
        """The text for ``fields``. Raises ``TemplateError`` for one that is not there."""
        if self._fields is None:
            return self.head
        try:
            text: str = self._format % self._fields(fields)
        except KeyError:
            raise self.missing(fields) from None
        return text

    def missing(self, fields: Iterable[str]) -> TemplateError:
        """The error about the first placeholder that is not among ``fields``."""
        known = set(fields)
        name = next(name for name in self.names if name not in known)
        hint = nearest(name, known) or f"known here: {', '.join(sorted(known)) or 'none'}"
        return TemplateError(f"nothing is known as {{{name}}}", hint, self.where, name)


def compile_template(text: str, where: str = "") -> Template:
    """The template that ``text`` is; ``where`` is its dotted path, for errors.

    Raises ``TemplateError`` for a brace that has no partner or no name in it.
    """
    return Template(_pieces(text, where), where)


def _pieces(text: str, where: str) -> Iterator[Piece]:
    done = 0
    for token in _TOKENS.finditer(text):
        yield text[done : token.start()]
        done = token.end()
        yield _piece(token, where)
    yield text[done:]


def _piece(token: re.Match[str], where: str) -> Piece:
    found = token[0]
    if found in _ESCAPED:
        return _ESCAPED[found]
    if found.startswith("$"):
        if not _SECRET.fullmatch(found):
            hint = "write ${env:NAME} with letters, digits and _"
            raise TemplateError(f"{found} names no environment variable", hint, where)
        return found
    name = (token[1] or "").strip()
    if not name:
        place = token.start() + 1
        hint = "write {{ and }} for braces that are part of the text"
        raise TemplateError(f"the {found} at character {place} is no placeholder", hint, where)
    return Placeholder(name)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same with neighbouring texts made one, and no empty ones."""
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            yield text
        yield piece
        text = ""
    if text:
        yield text


class PlainValues:
    """Tells rows whose values need no closer look: ``model.plain``."""

    def __init__(self, names: Sequence[str]) -> None:
        self._values = itemgetter(*names) if names else None
        self._single = len(names) == 1

    def has(self, fields: Mapping[str, str]) -> bool:
        """Whether all values are plain; a field that is not there has none."""
        if self._values is None:
            return True
        try:
            found = self._values(fields)
        except KeyError:
            return False
        return is_plain(found if self._single else " ".join(found))


class DocumentTemplate:
    """A JSON-like document with templates in its strings.

    ``templates`` holds those that have placeholders, with their paths. What
    ``render`` gives shares every part without placeholders with the other
    renderings: it is for reading.
    """

    __slots__ = ("_root", "names", "templates")

    def __init__(self, doc: Any, where: str = "") -> None:
        found: list[tuple[Path, Template]] = []
        self._root = _compiled(doc, (where,) if where else (), found)
        self.templates = tuple(found)
        self.names = tuple(dict.fromkeys(name for _, each in found for name in each.names))

    def render(self, fields: Mapping[str, str]) -> Any:
        """The document for ``fields``. Raises ``TemplateError`` as ``Template`` does."""
        return _rendered(self._root, fields)


class _Branch:
    """A list or an object, and the parts of it that differ from row to row."""

    __slots__ = ("base", "parts")

    def __init__(self, base: Any, parts: Sequence[tuple[Any, Any]]) -> None:
        self.base, self.parts = base, parts


def _compiled(doc: Any, path: Path, found: list[tuple[Path, Template]]) -> Any:
    """``doc`` with its templates compiled; without any, plain as it is rendered."""
    if isinstance(doc, str):
        template = compile_template(doc, dotted(path))
        if not template.names:
            return template.head
        found.append((path, template))
        return template
    if isinstance(doc, Mapping):
        pairs: Iterable[tuple[Any, Any]] = doc.items()
        base: Any = dict(doc)
    elif isinstance(doc, list | tuple):
        pairs, base = enumerate(doc), list(doc)
    else:
        return doc
    for key, value in pairs:
        base[key] = _compiled(value, (*path, key), found)
    parts = [
        (key, base[key])
        for key in (base if isinstance(base, dict) else range(len(base)))
        if isinstance(base[key], _Branch | Template)
    ]
    return _Branch(base, parts) if parts else base


def _rendered(node: Any, fields: Mapping[str, str]) -> Any:
    if isinstance(node, Template):
        return node.render(fields)
    if not isinstance(node, _Branch):
        return node
    copy = node.base.copy()
    for key, part in node.parts:
        copy[key] = _rendered(part, fields)
    return copy
