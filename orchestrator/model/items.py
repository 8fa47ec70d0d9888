"""Items, attempts, outputs, and the manifest rows that items come from.

Items, attempts and outputs are snapshots that nobody changes: the engine makes a
new one for every step and hands it to the ledger, which stores it whole. Rows,
items and attempts are not frozen all the same: millions are made in a night, and
freezing makes one five times as dear.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.model.states import State

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DEFAULT_PRIORITY = 5

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class StitchPart:
    """One source of a stitch list. Times are in seconds; None means all of it."""

    url: str
    start_time: float | None = None
    duration: float | None = None


@dataclass(slots=True)
class Row:
    """One row of a manifest: exactly one of ``source`` and ``stitch`` is set.

    ``source`` is an absolute path or a URL, normalised. ``key`` is the row's
    ``id``, else the normalised source (for a stitch: its URLs joined by a
    space). ``fields`` holds what templates may use: every column, and
    ``stem``, ``name``, ``parent`` and ``id``. ``fingerprint`` is the source's
    (see ``manifest.sources``), "" where it is not known. ``line`` counts from
    1; it is 0 where the manifest has no lines (a folder). ``size`` is in bytes,
    ``duration`` in seconds, both None where nobody said.
    """

    key: str
    source: str | None
    stitch: tuple[StitchPart, ...] = ()
    priority: int = DEFAULT_PRIORITY
    payload: str | None = None
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    size: int | None = None
    line: int = 0
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a manifest, a job file or a config, for a person.

    Says where (``file``, ``line`` from 1, ``field``: a column's or attribute's
    name), what (``message``) and what to do (``hint``). ``key`` names the item
    where the row still has one, so that ``--keep-going`` can set it aside.
    """

    file: str
    message: str
    hint: str = ""
    line: int = 0
    field: str = ""
    key: str | None = None

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line else "")
        what = f"{where}: {self.field}: " if self.field else f"{where}: "
        return f"{what}{self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(slots=True)
class Attempt:
    """One try of an item at a service. ``(item id, number)`` names it.

    ``task`` is the service's handle (a task token, an order id), ``upload_to``
    where uploads for it are created, ``upload_url`` the upload itself. URLs under the
    service's own base URL are kept relative to it, so that a service which
    comes back at another address is found again. Times are UNIX seconds.
    ``duration`` is the source's in seconds, as the service measured it, and
    ``cost`` what the attempt came to by the price table; None until known.
    """

    number: int
    service: str
    fingerprint: str
    digest: str
    task: str | None = None
    upload_to: str | None = None
    upload_url: str | None = None
    remote_source: str | None = None
    status_url: str | None = None
    started_at: float = 0.0
    ended_at: float | None = None
    error_class: str | None = None
    error: str | None = None
    duration: float | None = None
    cost: float | None = None

    def but(self, **changes: Any) -> "Attempt":
        """This attempt with some fields changed."""
        return _next_attempt(self, **changes)


@dataclass(frozen=True, slots=True)
class Output:
    """One file, or one folder of files, that the service produced.

    ``kind`` is ``video``, ``audio``, ``image`` or ``text``. ``path`` is where
    it was collected to, None while it was not. ``size`` is in bytes,
    ``duration`` in seconds, ``bitrate`` in kbit/s.
    """

    tag: str
    kind: str
    url: str
    user_tag: str | None = None
    path: str | None = None
    size: int | None = None
    duration: float | None = None
    bitrate: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Item:
    """One manifest row under one job, as the ledger has it.

    ``id`` is the ledger's own number. ``fingerprint`` and ``digest`` are the
    version that the manifest asks for now. ``attempt`` is the present one, None
    before the first; ``attempts`` counts all of them, so the next one's number
    is ``attempts + 1``. ``due_at`` (UNIX seconds) keeps a pending item from
    being fed before then. ``rank`` and ``weight`` say whose turn comes first:
    see ``model.turns``.
    """

    id: int
    key: str
    state: State
    source: str | None
    stitch: tuple[StitchPart, ...] = ()
    priority: int = DEFAULT_PRIORITY
    payload: str | None = None
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    digest: str = ""
    size: int | None = None
    line: int = 0
    attempts: int = 0
    attempt: Attempt | None = None
    due_at: float = 0.0
    error_class: str | None = None
    error: str | None = None
    duration: float | None = None
    rank: float = 0.0
    weight: int = 0

    @property
    def is_local(self) -> bool:
        """Whether the source is a file of this machine, which must be uploaded."""
        return self.source is not None and "://" not in self.source

    def to(self, state: State, **changes: Any) -> "Item":
        """This item in another state; ``changes`` are fields of the item."""
        return _next_item(self, state=state, **changes)

    def noting(self, state: State, **changes: Any) -> "Item":
        """This item in another state, with fields of its present attempt changed."""
        if self.attempt is None:
            raise ValueError(f"{self.key} has no attempt to note {', '.join(changes)} on")
        return _next_item(self, state=state, attempt=_next_attempt(self.attempt, **changes))


def _snapshots(kind: type[T]) -> Callable[..., T]:
    """As ``dataclasses.replace`` for one class, which is then written out field by field.

    A night copies each item a dozen times. This takes two fifths of the time of a
    loop over the fields, and a sixth of ``replace``.
    """
    names = [each.name for each in fields(kind)]
    lines = [
        "def snapshot(of, **changes):",
        "    made = new(kind)",
        *[f"    made.{name} = of.{name}" for name in names],
        "    for name, value in changes.items():",
        "        setattr(made, name, value)",
        "    return made",
    ]
    scope: dict[str, Any] = {"new": kind.__new__, "kind": kind}
    exec("\n".join(lines), scope)  # noqa: S102 - as dataclasses makes its own methods
    made: Callable[..., T] = scope["snapshot"]
    return made


_next_item = _snapshots(Item)
_next_attempt = _snapshots(Attempt)


@dataclass(slots=True)
class Change:
    """One durable step of an item: its new snapshot, and what to write with it.

    ``was`` is the state before. ``outputs`` replaces the attempt's outputs
    where it is not None. ``note`` goes to the event, for people. ``since`` is the
    snapshot before, whose step was posted: what is still the same need not be
    written again. None: all of it is.
    """

    item: Item
    was: State
    outputs: tuple[Output, ...] | None = None
    note: str = ""
    since: Item | None = None
