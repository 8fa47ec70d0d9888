"""A job's recipe: its request, payload, digest and folder, for any row or item."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Item, Problem, Row, StitchPart
from orchestrator.model.plain import PlainRecipe
from orchestrator.query.check import QueryCheck
from orchestrator.query.digest import BYTES, Digest
from orchestrator.query.job import Job, as_order
from orchestrator.query.order import ORIGINS, order_priority
from orchestrator.query.problems import QueryError
from orchestrator.query.secrets import SECRET, secrets_in
from orchestrator.query.templates import (
    DocumentTemplate,
    PlainValues,
    TemplateError,
    compile_template,
)

#: "Any string up to 1000 characters long" (Transcoding API, Starting a Task).
LONGEST_PAYLOAD = 1000


class TemplatedRecipe:
    """A request whose texts hold placeholders: what ``model.ports.Recipe`` asks for, and more.

    ``digest``, ``folder`` and ``check`` are called for every row of a manifest:
    everything that does not depend on the row is worked out here, once.
    ``document`` is the job's table called ``root``.
    """

    def __init__(self, job: Job, document: Mapping[str, Any], root: str, check: QueryCheck) -> None:
        self._job = job
        self._query = DocumentTemplate(document, root)
        self._payload = compile_template(job.payload, "payload") if job.payload else None
        self._digest = Digest(document, job.payload or None)
        self._check = check
        #: The fields last seen and their folder: ``check`` and ``folder`` follow each other.
        self._last: tuple[Mapping[str, str] | None, str] = (None, "")
        names = {*self._query.names, *(self._payload.names if self._payload else ())}
        self._names = tuple(sorted(names))
        self._plain = PlainValues(self._names)
        #: Whether no text of the job's own could join with a plain value to something else.
        self._joins_well = all(
            SECRET.sub("", piece).isprintable() and "$" not in SECRET.sub("", piece)
            for _, template in self._query.templates
            for piece in template.pieces
            if isinstance(piece, str)
        )
        #: The templates of the query, each with the secrets that the job itself wrote there.
        self._templates = [
            (template, secrets_in("".join(p for p in template.pieces if isinstance(p, str))))
            for _, template in self._query.templates
        ]

    def payload(self, item: Item) -> str | None:
        """What the service is to hand back with its callbacks."""
        return self._payload_of(item.payload, item.fields)

    def digest(self, row: Row) -> str:
        """The digest of the row's resolved query and payload, credentials left out.

        Raises ``TemplateError`` (a ``BadInput``) where ``check`` reports one.
        """
        return self._digest.of(row.fields, row.payload)

    def folder(self, row: Row) -> str:
        """The absolute folder for the row's outputs; "" if the job collects none.

        Raises ``TemplateError`` (a ``BadInput``) where ``check`` reports one.
        """
        if self._job.collect is None:
            return ""
        if row.fields is not self._last[0]:
            self._last = row.fields, self._job.collect.folder(row.fields)
        return self._last[1]

    def check(self, row: Row) -> Problem | None:
        """Why the row can't be encoded under this job; None if it can."""
        try:
            problem = self._problem_with_query(row.fields) or self._problem_with_payload(row)
            if problem is None:
                self.folder(row)
        except TemplateError as error:
            problem = self._unfilled(error)
        return replace(problem, line=row.line, key=row.key) if problem else None

    def plain(self) -> PlainRecipe | None:
        """What is made of rows whose values are plain; None where each needs a look."""
        whole, collect = self._digest.whole, self._job.collect
        if whole is None or not self._joins_well or self._check.depends_on_rows:
            return None
        return PlainRecipe(
            names=self._names,
            digest_bytes=BYTES,
            digest_start=self._digest.start,
            digest=whole.blank,
            base=collect.base if collect else "",
            into=collect.into.blank if collect else None,
            payload=self._payload.blank if self._payload else None,
            longest_payload=LONGEST_PAYLOAD,
        )

    def _filled(self, item: Item) -> Mapping[str, Any]:
        """The document for an item. Raises ``QueryError`` naming what it can't fill."""
        if problem := self._problem_with_query(item.fields):
            raise QueryError([replace(problem, line=item.line, key=item.key)])
        filled: Mapping[str, Any] = self._query.render(item.fields)
        return filled

    def _payload_of(self, own: str | None, fields: Mapping[str, str]) -> str | None:
        if own is not None or self._payload is None:
            return own
        return self._payload.render(fields)

    def _problem_with_query(self, fields: Mapping[str, str]) -> Problem | None:
        if self._joins_well and self._plain.has(fields):
            return self._check.problem(fields, plain=True)
        for template, own_secrets in self._templates:
            text = template.render(fields)
            if "${env:" in text and secrets_in(text) != own_secrets:
                message = "a value of the row names a secret, as in ${env:NAME}"
                return self._problem(message, "only job files may", template.where)
            if not text.isascii() and _has_no_utf8(text):
                hint = "rename the file, or take another field"
                return self._problem("a value of the row is not valid text", hint, template.where)
        return self._check.problem(fields)

    def _problem_with_payload(self, row: Row) -> Problem | None:
        payload = self._payload_of(row.payload, row.fields)
        if payload is None:
            return None
        if len(payload) > LONGEST_PAYLOAD:
            message = f"{len(payload):,} characters; {LONGEST_PAYLOAD:,} are allowed"
            hint = "shorten it, or send a reference to what it holds"
            return self._problem(message, hint, "payload")
        if not payload.isascii() and _has_no_utf8(payload):
            return self._problem("a value of the row is not valid text", "", "payload")
        return None

    def _unfilled(self, error: TemplateError) -> Problem:
        if not error.name:
            return self._problem(error.message, error.hint, error.field)
        return self._problem(f"{error.message}, but {error.field} uses it", error.hint, error.name)

    def _problem(self, message: str, hint: str, field: str) -> Problem:
        return Problem(self._job.manifest, message, hint, field=field)


class QencodeRecipe(TemplatedRecipe):
    """Fills in a job's ``start_encode2`` request."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, job.query, "query", QueryCheck(job.query, job.manifest))
        #: Where the service sends its callbacks if the job names no place of its own.
        #: It makes no other output, so the digest knows nothing of it.
        self.callback_url: str | None = None

    def request(self, item: Item) -> Mapping[str, Any]:
        """The body of ``start_encode2``: the query, wrapped in ``query``.

        Raises ``BadInput`` naming the field that this item can't fill.
        """
        calls = {"callback_url": self.callback_url} if self.callback_url else {}
        return {"query": {**calls, **_input(item), **self._filled(item)}}


class OrderRecipe(TemplatedRecipe):
    """Fills in a job's order for Transparent Edge: its origin and priority are the item's.

    A priority of the job's own holds for all of its items.
    """

    def __init__(self, job: Job) -> None:
        order = job.order or {}
        check = QueryCheck(order, job.manifest, root="order", read=as_order)
        super().__init__(job, order, "order", check)
        #: Where the service calls at the end, beside the places that the job names itself.
        #: It makes no other output, so the digest knows nothing of it.
        self.callback_url: str | None = None

    def request(self, item: Item) -> Mapping[str, Any]:
        """The order, in ``order``. Raises ``BadInput`` naming the field that can't be filled."""
        priority = {"priority": order_priority(item.priority)}
        order = {"origin": _origin(item), **priority, **self._filled(item)}
        if self.callback_url:
            task = item.attempt.task if item.attempt else None
            call = {"call": f"{self.callback_url}?task_token={task or ''}"}
            order["notifications"] = [*order.get("notifications", ()), call]
        return {"order": order}

    def check(self, row: Row) -> Problem | None:
        """Why the row can't be encoded under this job; None if it can."""
        problem = self._problem_with_source(row)
        if problem is not None:
            return replace(problem, line=row.line, key=row.key)
        return super().check(row)

    def plain(self) -> PlainRecipe | None:
        """None: whether the service can download a row's source has to be looked at."""
        return None

    def _problem_with_source(self, row: Row) -> Problem | None:
        if row.source is None:
            hint = "encode it at another service"
            return self._problem("an order has one source", hint, "stitch")
        scheme, mark, _ = row.source.partition("://")
        if mark:
            if scheme.lower() in ORIGINS:
                return None
            hint = f"it can from {', '.join(ORIGINS)}"
            return self._problem(f"the service can't download from {scheme}://", hint, "source")
        publish, origins = self._job.publish, self._job.origins
        if publish is not None or (origins is not None and origins.url(row.source)):
            return None
        if origins is not None:
            return origins.outside(row.source, self._job.manifest)
        hint = "set publish or origin_map in the job, or name URLs in the manifest"
        return self._problem("the service downloads sources, and this is a file", hint, "source")


def _origin(item: Item) -> str:
    """Where the service downloads the source from."""
    remote = item.attempt.remote_source if item.attempt else None
    if remote is None and item.is_local:
        raise BadInput(f"{item.key}: the source is not published yet, so no service can read it")
    return remote or str(item.source)


def _input(item: Item) -> dict[str, Any]:
    """The input that the service is to read, as the query names it."""
    if item.stitch:
        return {"stitch": [_stitch_source(part) for part in item.stitch]}
    remote = item.attempt.remote_source if item.attempt else None
    if remote is None and item.is_local:
        raise BadInput(f"{item.key}: the source is not uploaded yet, so no service can read it")
    return {"source": remote or item.source}


def _stitch_source(part: StitchPart) -> dict[str, Any]:
    times = {"start_time": part.start_time, "duration": part.duration}
    return {"url": part.url, **{name: time for name, time in times.items() if time is not None}}


def _has_no_utf8(text: str) -> bool:
    """Whether it came from a file's name that is not UTF-8 (it holds lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
