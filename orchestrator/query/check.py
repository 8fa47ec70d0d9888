"""Checks a job's query before any item of it is sent.

A string with placeholders can't be judged before a row fills it in, so a job is
checked with samples in their places, and each row with its own fields.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.model.items import Problem
from orchestrator.query.problems import Path, QueryError
from orchestrator.query.request import parse_query
from orchestrator.query.secrets import SECRET
from orchestrator.query.templates import DocumentTemplate, Template

#: The first two fit where a number belongs, the last where a word does.
_SAMPLES = ("480", "1", "x")

#: A URL whose scheme and host no row can change.
_FIXED_HOST = re.compile(r"[a-z0-9]+://[^/]+/")
#: Rows of a kind fill in the same numbers and words, so few are judged anew.
_REMEMBERED = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


#: Reads a document as it will be sent, and raises ``QueryError`` where it can't be.
Reader = Callable[[Mapping[str, Any], str], object]


def _as_query(doc: Mapping[str, Any], file: str) -> object:
    return parse_query({**doc, "source": "tus:any"}, file=file)


class QueryCheck:
    """The check of one job's request, a query unless ``root`` and ``read`` say otherwise.

    ``file`` is how problems name it.
    """

    def __init__(
        self,
        query: Mapping[str, Any],
        file: str,
        *,
        root: str = "query",
        read: Reader = _as_query,
    ) -> None:
        self._file, self._read = file, read
        # A secret is not known before a request is sent: it is one more placeholder.
        self._document = DocumentTemplate(_secrets_as_fields(query), root)
        self._secrets = {name: "1" for name in self._document.names if name.startswith("env:")}
        templates = self._document.templates
        self._hidden = {
            each.where for _, each in templates if not self._secrets.keys().isdisjoint(each.names)
        }
        self._judged_by_host = {each.where for _, each in templates if _FIXED_HOST.match(each.head)}
        #: With these, only by a character that no URL holds.
        self._urls = [
            each for path, each in templates if path[-1] == "url" and _is_free(path, each)
        ]
        #: With these a row can make the query invalid.
        self._bound = [
            each
            for path, each in templates
            if not _is_free(path, each) and not self._secrets.keys() >= set(each.names)
        ]
        self._judged: dict[tuple[str, ...], Problem | None] = {}

    def with_samples(self) -> tuple[Problem, ...]:
        """What is wrong whatever a row fills in."""
        unknowable = {each.where for _, each in self._document.templates} - self._judged_by_host
        best: tuple[Problem, ...] | None = None
        least = (0, 0)
        for sample in _SAMPLES:
            fields = dict.fromkeys(self._document.names, sample)
            problems = self._problems(self._document.render(fields))
            certain = tuple(each for each in problems if each.field not in unknowable)
            # An attribute that its sample does not fit keeps others from being judged.
            misfits = (len(problems) - len(certain), len(certain))
            if best is None or misfits < least:
                best, least = certain, misfits
        return best or ()

    @property
    def depends_on_rows(self) -> bool:
        """Whether a row of plain values can make the query invalid."""
        return bool(self._bound)

    def problem(self, fields: Mapping[str, str], *, plain: bool = False) -> Problem | None:
        """What is wrong with the query as ``fields`` fill it in.

        ``plain`` says that no value of them holds a control character.
        Raises ``TemplateError`` for a placeholder that ``fields`` has not.
        """
        if plain and not self._bound:
            return None
        known = {**fields, **self._secrets} if self._secrets else fields
        for each in () if plain else self._urls:
            if _CONTROL.search(each.render(known)):
                message = "holds a control character, such as a line's end"
                return Problem(self._file, message, field=each.where)
        texts = tuple([each.render(known) for each in self._bound])
        if texts and texts not in self._judged:
            if len(self._judged) == _REMEMBERED:
                self._judged.clear()
            self._judged[texts] = self._first_problem(known)
        return self._judged.get(texts)

    def _first_problem(self, known: Mapping[str, str]) -> Problem | None:
        problems = self._problems(self._document.render(known))
        return next((each for each in problems if each.field not in self._hidden), None)

    def _problems(self, query: Mapping[str, Any]) -> tuple[Problem, ...]:
        try:
            self._read(query, self._file)
        except QueryError as error:
            return error.problems
        return ()


def _is_free(path: Path, template: Template) -> bool:
    """Whether any text will do, so that a row costs no check of the whole query."""
    if path[-1] in ("tag", "user_tag") or (path[-1] in ("key", "secret") and _is_stored(path)):
        return True
    names_a_file = template.tail != "" and not template.tail.endswith("/")
    return path[-1] == "url" and bool(_FIXED_HOST.match(template.head)) and names_a_file


def _is_stored(path: Path) -> bool:
    """Whether it is a destination's: keys of streams have a form."""
    return "destination" in path


def _secrets_as_fields(doc: Any) -> Any:
    if isinstance(doc, str):
        return SECRET.sub(r"{env:\1}", doc) if "${env:" in doc else doc
    if isinstance(doc, Mapping):
        return {key: _secrets_as_fields(value) for key, value in doc.items()}
    if isinstance(doc, list | tuple):
        return [_secrets_as_fields(value) for value in doc]
    return doc
