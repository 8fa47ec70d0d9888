"""Problems of a request in words for the person who wrote it.

Each names the dotted path of the attribute, says what is wrong and what to do.
Values are quoted only where they are names from a fixed list, never where they
could be a secret.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Problem
from orchestrator.query.outputs import OUTPUTS, stream_of
from orchestrator.query.values import shown

Path = tuple[str | int, ...]
_ONE_OF: Final = f"one of {', '.join(OUTPUTS)}"
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_Found = tuple[Path, str, str]

#: pydantic's own kinds of errors, in our words.
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "tuple_type": "must be a list",
    "too_short": "must hold at least one",
    "too_long": "must hold at most {max_length}",
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
    error: ValidationError, doc: object, file: str, root: str = "", *, unknown: Unknown
) -> tuple[Problem, ...]:
    """Every problem that pydantic found in ``doc``.

    ``root`` is the dotted path of ``doc`` itself. ``unknown`` has the message
    and the hint about an attribute that is not known at its path.
    """
    details = error.errors(include_url=False, include_input=False)
    problems = (_problem(detail, doc, unknown) for detail in details)
    # What a format says for all its streams is found at each of them.
    return tuple(
        Problem(file, message, hint, field=dotted((root, *path) if root else path))
        for path, message, hint in dict.fromkeys(filter(None, problems))
    )


def _line(problem: Problem) -> str:
    """A problem without its file's name where that is only the request's own."""
    if problem.field.split(".")[0] == problem.file:
        return str(problem).removeprefix(f"{problem.file}: ")
    return str(problem)


def _problem(detail: ErrorDetails, doc: object, unknown: Unknown) -> _Found | None:
    path = _as_written(tuple(_steps(detail["loc"], doc)), doc)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "default_factory_not_called":
        return None  # the problem is in what the default hangs on
    if kind == "too_short" and _at(doc, path) != []:
        return None  # pydantic counts what passed: each that did not is a problem of its own
    if kind == "refused":
        message, hint = context["message"], context["hint"]
        path = _as_written((*path, *_parts(context["field"])), doc)
    elif kind == "extra_forbidden":
        message, hint = unknown(path, doc)
    elif kind.startswith("union_tag"):
        message, hint = _output(_at(doc, path))
        path += ("output",)
    else:
        message = _WORDS[kind].format(**context) if kind in _WORDS else detail["msg"]
        hint = _other_outputs(path, doc) if kind == "literal_error" else ""
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
    if name is None:
        return "is required", _ONE_OF
    if not isinstance(name, str):
        return "must be text", _ONE_OF
    return "is not an output", nearest(name, OUTPUTS) or _ONE_OF


def _other_outputs(path: Path, doc: object) -> str:
    """Which outputs take a value that the one at hand does not."""
    name, value = str(path[-1]), _at(doc, path)
    takers = [
        output
        for output, model in OUTPUTS.items()
        if isinstance(value, str) and value in _choices(model, name)
    ]
    return f"{shown(value)} is for {', '.join(takers)}" if takers else ""


def _choices(model: type[BaseModel], name: str) -> frozenset[Any]:
    """The words that an attribute of an output, or of its streams, may be."""
    for each in (model, stream_of(model)):
        field = each.model_fields.get(name) if each else None
        if field and get_origin(field.annotation) is Literal:
            return frozenset(get_args(field.annotation))
    return frozenset()


def _parts(field: str) -> Iterator[str | int]:
    """A dotted field as steps: ``stream[1].video_codec``."""
    for name, place in _STEP.findall(field):
        yield int(place) if place else name


def _as_written(path: Path, doc: object) -> Path:
    """Where the client wrote what a stream takes over from its format."""
    match path:
        case ("format", int(number), "stream", int(), str(name), *rest):
            above = ("format", number, name)
            if _at(doc, path[:5]) is None and _at(doc, above) is not None:
                return (*above, *rest)
    return path
