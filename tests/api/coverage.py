"""Which attribute of the Transcoding API is honoured where, and which test proves it.

``python -m tests.api.coverage`` writes ``docs/api-coverage.md``. Tests say what
they prove with ``@pytest.mark.attribute("format[].rotate")``: the attribute's
name as in ``attributes.tsv``, for those of the query without the query's own.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api-coverage.md"

_QUERY = "start_encode2.query."
_LIST = Path(__file__).with_name("attributes.tsv")
#: What the service does with it; for what is refused or only read, where that happens.
_HONOURED_IN = ("orchestrator/transcoder", "orchestrator/query")
#: In the documents' examples and texts alone.
_ALSO = frozenset(
    {f"{_QUERY}format[].file_extension"}
    | {f"{_QUERY}stitch[].{name}" for name in ("url", "start_time", "duration")}
    | {"status.returns.status.videos[].meta.incremental_tag"}
)
#: What is honoured where no module names it: values that are read alone, and a part of a URL.
_KNOWN_PLACES = {
    "encoder_version": "orchestrator/query/request.py",
    "packager_version": "orchestrator/query/outputs/streaming.py",
    "file_uuid": "orchestrator/transcoder/tus/uploads.py",
}
#: Models name these otherwise, since the names are methods of every model.
_RENAMED = {"json": "json_file", "copy": "copy_captions"}


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute; ``places`` are modules, ``tests`` are ``file::test``."""

    name: str
    kind: str
    required: bool
    places: tuple[str, ...]
    tests: tuple[str, ...]


def rows() -> list[Row]:
    """Every attribute of the list, in its order."""
    tests = proofs()
    read = _readings()
    return [
        Row(name, kind, required == "yes", _places(name, read), tuple(tests.get(name, ())))
        for name, kind, required in _attributes()
    ]


def unknown() -> list[str]:
    """Names that tests claim to prove and that the list has not."""
    known = {name for name, _, _ in _attributes()}
    return sorted(set(proofs()) - known - _ALSO)


def page(found: Sequence[Row]) -> str:
    """The page, as Markdown."""
    lines = [
        "# The Transcoding API, attribute by attribute",
        "",
        "Every attribute of the API's documents, where the embedded transcoder honours it, and the",
        "test that proves it by what comes out. This page is written by `make api-coverage`, and a",
        "test fails when it is out of date or when an attribute has no proof.",
        "",
        "| attribute | type | honoured in | proven by |",
        "|---|---|---|---|",
    ]
    for row in found:
        name = f"`{row.name.removeprefix(_QUERY)}`" + (" (required)" if row.required else "")
        places = "<br>".join(f"`{place}`" for place in row.places)
        tests = "<br>".join(f"`{test}`" for test in row.tests[:3])
        lines.append(f"| {name} | {row.kind} | {places} | {tests} |")
    return "\n".join(lines) + "\n"


@cache
def proofs() -> Mapping[str, list[str]]:
    """The tests that say what they prove, by the attribute's full name."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for test in ast.walk(tree):
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{file.relative_to(ROOT)}::{test.name}"
                for name in _marked(test):
                    if where not in found[name]:
                        found[name].append(where)
    return found


def _marked(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The names in a test's markers, those of its parameters too."""
    for decorator in test.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.attribute":
                for given in node.args:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield _full(given.value)


def _full(name: str) -> str:
    """The name as the list has it, where a stream's attributes are told of as a format's."""
    if name.startswith("format[].stream[].") and name != "format[].stream[].chunklist_name":
        name = name.replace(".stream[]", "", 1)
    known = {known for known, _, _ in _attributes()} | _ALSO
    return name if name in known else _QUERY + name


def _attributes() -> list[tuple[str, str, str]]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()[1:]
    return [(name, kind, required) for name, kind, required in (each.split("\t") for each in lines)]


@cache
def _readings() -> Mapping[str, set[str]]:
    """The modules that read an attribute, or a text, of a name."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in _HONOURED_IN:
        for file in (ROOT / folder).rglob("*.py"):
            module = str(file.relative_to(ROOT))
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    found[node.attr.removesuffix("_bps")].add(module)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for word in re.findall(r"\w+", node.value) if len(node.value) < 60 else ():
                        found[f'"{word}"'].add(module)
    return found


def _places(name: str, read: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Modules of the service that read an attribute; else those that read the request."""
    leaf = name.rpartition(".")[2].removesuffix("[]")
    leaf = _RENAMED.get(leaf, leaf)
    named = read.get(f'"{leaf}"', set())
    found = named if not name.startswith(_QUERY) else read.get(leaf, set()) or named
    for folder in _HONOURED_IN:
        if inside := sorted(place for place in found if place.startswith(folder)):
            return tuple(inside[:3])
    known = _KNOWN_PLACES.get(leaf)
    return (known,) if known else ()


if __name__ == "__main__":
    PAGE.write_text(page(rows()), encoding="utf-8")
