"""Problems of a request in words for the person who wrote it.

Each names the dotted path of the attribute, says what is wrong and what to do.
Values are quoted only where they are names from a fixed list, never where they
could be a secret.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Problem
from orchestrator.query import documents
from orchestrator.query.outputs import OUTPUTS

Path = tuple[str | int, ...]
_Found = tuple[Path, str, str]

#: pydantic's own kinds of errors, in our words.
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "tuple_type": "must be a list",
    "too_short": "must hold at least one",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "literal_error": "must be {expected}",
    "string_type": "must be text",
    "int_type": "must be a whole number",
}


class QueryError(BadInput):
    """Raised when a query or a job file can't be used as it stands.

    ``field`` and ``message`` are those of the first problem, for API answers.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(_line, self.problems)))

    @property
    def field(self) -> str:
        """The dotted path of the first problem, as ``query.format[1].width``."""
        return self.problems[0].field

    @property
    def message(self) -> str:
        """What is wrong there, with the hint."""
        first = self.problems[0]
        return f"{first.message} ({first.hint})" if first.hint else first.message


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it: ``query.format[1].width``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to ``name``; "" if none is near."""
    found = get_close_matches(name, sorted(known), n=1)
    return f'did you mean "{found[0]}"?' if found else ""


Unknown = Callable[[Path, object], tuple[str, str]]


def problems_in(
    error: ValidationError, doc: object, file: str, root: str = "", unknown: Unknown | None = None
) -> tuple[Problem, ...]:
    """Every problem that pydantic found in ``doc``.

    ``root`` is the dotted path of ``doc`` itself. ``unknown`` has the message
    and the hint about an attribute that is not known at its path.
    """
    details = error.errors(include_url=False, include_input=False)
    problems = (_problem(detail, doc, unknown or unknown_attribute) for detail in details)
    return tuple(
        Problem(file, message, hint, field=dotted((root, *path) if root else path))
        for path, message, hint in filter(None, problems)
    )


def _line(problem: Problem) -> str:
    """A problem without its file's name where that is only the request's own."""
    if problem.field.split(".")[0] == problem.file:
        return str(problem).removeprefix(f"{problem.file}: ")
    return str(problem)


def _problem(detail: ErrorDetails, doc: object, unknown: Unknown) -> _Found | None:
    path = tuple(_steps(detail["loc"], doc))
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "too_short" and _at(doc, path):
        return None  # pydantic counts what passed: each that did not is a problem of its own
    if kind == "refused":
        message, hint = context["message"], context["hint"]
        path += (context["field"],) if context["field"] else ()
    elif kind == "extra_forbidden":
        message, hint = unknown(path, doc)
    elif kind.startswith("union_tag"):
        message, hint = _output(_at(doc, path))
        path += ("output",)
    else:
        message = _WORDS[kind].format(**context) if kind in _WORDS else detail["msg"]
        hint = _value_hint(path, doc) if kind == "literal_error" else ""
    return path, message, hint


def _steps(loc: Path, doc: object) -> Iterator[str | int]:
    """pydantic's location as a path in the document that was sent.

    pydantic adds the name of the output that it chose, and sees a list where
    one object, or one URL, stands for a list of one.
    """
    for number, step in enumerate(loc):
        if number == 2 and loc[0] == "format" and step in OUTPUTS:
            continue
        if isinstance(step, int) and isinstance(doc, Mapping):
            continue
        if isinstance(step, str) and isinstance(doc, str):
            continue
        yield step
        doc = _at(doc, (step,))


def _at(doc: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        try:
            doc = doc[step]
        except (KeyError, IndexError, TypeError):
            return None
    return doc


def _output(chosen: object) -> tuple[str, str]:
    name = chosen.get("output") if isinstance(chosen, Mapping) else None
    supported = f"supported: {', '.join(OUTPUTS)}"
    if name is None:
        return "is required", supported
    if not isinstance(name, str):
        return "must be text", supported
    if name in documents.OUTPUTS:
        return f'"{name}" is not supported yet', supported
    return "is not an output", nearest(name, documents.OUTPUTS) or supported


def unknown_attribute(path: Path, doc: object) -> tuple[str, str]:
    """Message and hint about an attribute of a query that no model has."""
    name = str(path[-1])
    if "destination" in path[:-1]:
        return "unknown attribute", nearest(name, documents.DESTINATION)
    if path[0] == "stitch":
        return "unknown attribute", nearest(name, documents.STITCH)
    if path[0] == "format":
        return _unknown_in_format(name, _at(doc, path[:-1]))
    if name in documents.FORMAT:
        return "unknown attribute", "it belongs to a format: query.format[]"
    return "unknown attribute", nearest(name, documents.QUERY)


def _unknown_in_format(name: str, chosen: Mapping[str, Any]) -> tuple[str, str]:
    output = chosen["output"]
    if name == "user_tag":
        return "repeats tag", "the two are one attribute: keep tag"
    if name in documents.FORMAT:
        having = [other for other, model in OUTPUTS.items() if name in model.model_fields]
        hint = f"it is for {', '.join(having)}" if having else "leave it out"
        return f'is not supported on "{output}" outputs' + ("" if having else " yet"), hint
    if name in documents.QUERY:
        return "unknown attribute", "it belongs to the query itself, not to a format"
    supported = OUTPUTS[output].model_fields
    return "unknown attribute", nearest(name, supported) or nearest(name, documents.FORMAT)


def _value_hint(path: Path, doc: object) -> str:
    name, value = str(path[-1]), _at(doc, path)
    if isinstance(value, str) and value in documents.VALUES.get(name, ()):
        return f'"{value}" is not supported yet'
    return ""
