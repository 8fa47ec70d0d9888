"""Job files: what to encode, how, and what to do with the outputs."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError

from orchestrator.model.items import Problem
from orchestrator.model.turns import Order
from orchestrator.query import lines, problems
from orchestrator.query.base import Part
from orchestrator.query.check import QueryCheck
from orchestrator.query.collect import Collect, Verify
from orchestrator.query.hours import BudgetTable, WindowTable
from orchestrator.query.order import parse_order
from orchestrator.query.problems import QueryError
from orchestrator.query.publish import Origins, Publish, WebFolder, as_publish
from orchestrator.query.sizes import in_bytes
from orchestrator.query.templates import TemplateError, compile_template
from orchestrator.query.values import Text, as_text, refuse

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


def _name(value: object) -> str:
    name = as_text(value)
    if not _NAME.fullmatch(name):
        hint = "use up to 64 of a-z, 0-9, dot, hyphen and underscore, a letter or digit first"
        raise refuse("is not a job's name", hint)
    return name


def _given(value: object) -> str:
    text = as_text(value)
    if not text.strip() or "\0" in text:
        raise refuse("is empty")
    return text


_Given = Annotated[str, BeforeValidator(_given)]
_Limit = Annotated[int, Field(ge=1, strict=True)] | None


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return in_bytes(value)
    except ValueError as error:
        raise refuse("is not a size", 'write bytes per second, such as "10MiB"') from error


_Rate = Annotated[int, BeforeValidator(_rate), Field(ge=1, strict=True)] | None


class Limits(Part):
    """How much of a job may be under way at once; None leaves it to the config.

    ``bandwidth`` is in bytes per second, over all uploads.
    """

    uploads: _Limit = None
    starts: _Limit = None
    in_flight: _Limit = None
    collects: _Limit = None
    upload_ahead: _Limit = None
    starts_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    bandwidth: _Rate = None


class Queue(Part):
    """Whose turn comes first within a priority; None leaves it to the config."""

    order: Order | None = None


class _CollectTable(Part):
    into: _Given
    name: _Given = "{tag}.{ext}"
    verify: Verify | None = None


class _JobFile(Part):
    name: Annotated[str, BeforeValidator(_name)] | None = None
    service: _Given | None = None
    services: tuple[_Given, ...] = ()
    manifest: _Given
    payload: Text | None = None
    query: dict[str, Any] | None = None
    order: dict[str, Any] | None = None
    publish: Annotated[Publish, BeforeValidator(as_publish)] | None = None
    origin_map: dict[_Given, WebFolder] = Field(default_factory=dict)
    collect: _CollectTable | None = None
    limits: Limits = Limits()
    queue: Queue = Queue()
    window: WindowTable | None = None
    budget: BudgetTable = BudgetTable()


@dataclass(frozen=True, slots=True)
class Job:
    """A job file, validated.

    ``manifest`` is an absolute path, or a glob with an absolute folder.
    ``query`` is the request's query as the file has it: without its source,
    templates and ``${env:NAME}`` in place; empty where the job has only an
    ``order``, which is the same for Transparent Edge. ``payload`` is a template.
    ``publish`` is the folder that local sources are put into for a service that
    downloads them, ``origins`` the URLs of local folders that it can download from
    as they are (``origin_map`` in the file). ``services`` are those that share the
    job in one run, where it is more than one; ``service``
    is None where the config's default is to be taken, ``window`` where the
    config's own holds.
    """

    name: str
    path: Path
    manifest: str
    query: Mapping[str, Any] = field(repr=False)
    order: Mapping[str, Any] | None = field(default=None, repr=False)
    publish: Publish | None = None
    origins: Origins | None = field(default=None, repr=False)
    service: str | None = None
    services: tuple[str, ...] = ()
    payload: str | None = None
    collect: Collect | None = None
    limits: Limits = field(default_factory=Limits)
    queue: Queue = field(default_factory=Queue)
    window: WindowTable | None = None
    budget: BudgetTable = field(default_factory=BudgetTable)

    def with_(
        self,
        *,
        manifest: str | Path | None = None,
        service: str | None = None,
        services: tuple[str, ...] = (),
    ) -> Self:
        """This job with another manifest (relative to the current folder) or other services."""
        other = self
        if service or services:
            other = replace(self, service=service, services=services)
        if manifest is None:
            return other
        return replace(other, manifest=_absolute(Path.cwd(), str(manifest)))


def load_job(path: Path) -> Job:
    """Read and check a job file.

    Raises ``QueryError`` (a ``BadInput``) with every problem, each with its
    line: ``jobs/demo.toml:12: query.format[1].heigth: unknown attribute (…)``.
    """
    file = str(path)
    text = _read(path, file)
    try:
        doc = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise QueryError([_not_toml(error, file)]) from None
    try:
        return _job(doc, path, file)
    except QueryError as error:
        places = lines.lines_of(text)
        found = [replace(each, line=lines.line_of(places, each.field)) for each in error.problems]
        raise QueryError(sorted(found, key=lambda each: each.line)) from None


def _read(path: Path, file: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise QueryError([Problem(file, "is not UTF-8 text", "save it as UTF-8")]) from None
    except OSError as error:
        message = f"can't be read: {error.strerror or error}"
        raise QueryError([Problem(file, message, "job files are in jobs/")]) from None


def _not_toml(error: tomllib.TOMLDecodeError, file: str) -> Problem:
    message = str(error)
    place = _TOML_PLACE.search(message)
    said = message[: place.start()] if place else message
    return Problem(file, f"is not valid TOML: {said}", line=int(place[1]) if place else 0)


def _job(doc: dict[str, Any], path: Path, file: str) -> Job:
    found: list[Problem] = []
    table = None
    try:
        table = _JobFile.model_validate(doc)
    except ValidationError as error:
        found += problems.problems_in(error, doc, file, unknown=_unknown_key)
    found += _request_problems(doc, file)
    if table is not None and table.service and table.services:
        hint = "name one service, or several in `services`"
        found.append(Problem(file, "is there beside `services`", hint, field="service"))
    if table is None:
        raise QueryError(found)
    name = table.name or path.stem
    if not _NAME.fullmatch(name):
        hint = 'add a line such as: name = "nightly-480p"'
        found.append(Problem(file, f"needs a name: the file's, \"{name}\", can't be one", hint))
    folder = path.absolute().parent
    collect = _collect(table.collect, folder, file, found)
    found += _template_problems(table.payload, file)
    if found:
        raise QueryError(found)
    return Job(
        name=name,
        path=path.absolute(),
        manifest=_absolute(folder, table.manifest),
        query=table.query or {},
        order=table.order,
        publish=table.publish,
        origins=Origins.of(table.origin_map, folder) if table.origin_map else None,
        service=table.service,
        services=table.services,
        payload=table.payload,
        collect=collect,
        limits=table.limits,
        queue=table.queue,
        window=table.window,
        budget=table.budget,
    )


def _request_problems(doc: Mapping[str, Any], file: str) -> tuple[Problem, ...]:
    """What is wrong with the query and the order; a job has one of them, or both."""
    if doc.get("query") is None and doc.get("order") is None:
        hint = "[query] is for Qencode and the local service, [order] for Transparent Edge"
        return (Problem(file, "is required", hint, field="query"),)
    query, order = doc.get("query"), doc.get("order")
    return (
        *(_query_problems(query, file) if isinstance(query, dict) else ()),
        *(_order_problems(order, file) if isinstance(order, dict) else ()),
    )


def _order_problems(order: Mapping[str, Any], file: str) -> tuple[Problem, ...]:
    if "origin" in order:
        message = "the origin of each item comes from the manifest"
        return (Problem(file, message, "take it out", field="order.origin"),)
    try:
        return QueryCheck(order, file, root="order", read=as_order).with_samples()
    except TemplateError as error:
        return (Problem(file, error.message, error.hint, field=error.field),)


def as_order(doc: Mapping[str, Any], file: str) -> object:
    """Read an order that has no origin yet. Raises ``QueryError``."""
    return parse_order({"origin": "ftp://host/any", **doc}, file=file)


def _query_problems(query: Mapping[str, Any], file: str) -> tuple[Problem, ...]:
    for name in ("source", "stitch"):
        if name in query:
            hint = "take it out"
            message = "the source of each item comes from the manifest"
            return (Problem(file, message, hint, field=f"query.{name}"),)
    try:
        return QueryCheck(query, file).with_samples()
    except TemplateError as error:
        return (Problem(file, error.message, error.hint, field=error.field),)


def _template_problems(payload: str | None, file: str) -> tuple[Problem, ...]:
    try:
        compile_template(payload or "", "payload")
    except TemplateError as error:
        return (Problem(file, error.message, error.hint, field=error.field),)
    return ()


def _collect(
    table: _CollectTable | None, folder: Path, file: str, found: list[Problem]
) -> Collect | None:
    if table is None:
        return None
    try:
        return Collect.of(table.into, table.name, folder, table.verify)
    except TemplateError as error:
        found.append(Problem(file, error.message, error.hint, field=error.field))
    return None


def _unknown_key(path: problems.Path, _doc: object) -> tuple[str, str]:
    tables: dict[str, type[Part]] = {
        "collect": _CollectTable,
        "limits": Limits,
        "queue": Queue,
        "window": WindowTable,
        "budget": BudgetTable,
        "publish": Publish,
    }
    table = tables.get(str(path[0]), _JobFile) if len(path) > 1 else _JobFile
    return "unknown setting", problems.nearest(str(path[-1]), table.model_fields)


def _absolute(folder: Path, where: str) -> str:
    """An absolute form of a path, a glob or a URL; ``..`` is taken out of a path."""
    return where if "://" in where else normpath(folder / where)
