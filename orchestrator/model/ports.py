"""The Protocols that the engine needs. It sees the rest of the house through these.

Everything here may raise the families of ``model.errors`` and nothing else.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model.items import Attempt, Change, Item, Output
from orchestrator.model.states import State


class Clock(Protocol):
    """Time, from outside, so that tests and simulations can own it."""

    def now(self) -> float:
        """UNIX time in seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""


class Phase(StrEnum):
    """What a service says of its task. Never a state of an item."""

    QUEUED = "queued"
    RUNNING = "running"
    SAVING = "saving"
    DONE = "done"
    FAULTED = "faulted"


@dataclass(slots=True)
class TaskReport:
    """A service's answer about one task. Nobody changes it, though it is not frozen: see ``items``.

    ``percent`` is 0 to 100. ``duration`` is the source's, in seconds. For
    ``FAULTED``: ``fault`` is the error to act on (its family decides), built
    from the service's description. ``replaced_by`` is the task that the service
    started in place of this one.
    """

    task: str
    phase: Phase
    percent: float = 0.0
    status_url: str | None = None
    duration: float | None = None
    outputs: tuple[Output, ...] = ()
    warnings: tuple[str, ...] = ()
    fault: Exception | None = None
    replaced_by: str | None = None


class Service(Protocol):
    """Something that transcodes. One object per configured account."""

    @property
    def name(self) -> str:
        """The name under ``[services]`` in the config."""

    async def prepare(self, attempt: Attempt) -> Attempt:
        """Reserve what an upload or a start needs (a task token, an upload URL).

        Costs nothing at the service, so a lost answer may simply be retried.
        """

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        """Start the encode that ``request`` describes; the answer is its status URL.

        ``request`` still holds ``${env:NAME}``; the service resolves it as it
        sends. Raises ``OutcomeUnknown`` when the answer was lost.
        """

    async def find(self, attempt: Attempt) -> TaskReport | None:
        """What became of a start whose answer was lost; None: it never began."""

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        """Ask about many tasks in one request, at ``status_url`` or the main endpoint.

        A task that the endpoint does not know is missing from the answer.
        """

    async def check(self) -> str:
        """Prove that the service can be reached and the account is good; says how."""


class Sources(Protocol):
    """Looks at local sources."""

    async def fingerprint(self, path: str) -> str:
        """The version of the file as it is now. Raises ``SourceMissing``."""


class UploadWatcher(Protocol):
    """Hears of an upload's progress."""

    async def created(self, upload_url: str) -> None:
        """The upload exists at this URL; returns when that is on disk."""

    def sent(self, offset: int, total: int) -> None:
        """``offset`` of ``total`` bytes are known to have arrived."""


class Uploader(Protocol):
    """Makes a local file readable for a service."""

    async def upload(self, path: Path, attempt: Attempt, watcher: UploadWatcher) -> str:
        """Upload, or go on with ``attempt.upload_url``; the answer is the remote source.

        Raises ``UploadGone`` when that URL no longer works, ``SourceChanged``
        when the file changed meanwhile, ``SourceMissing`` when it can't be read.
        """


class Collector(Protocol):
    """Brings outputs to where the job wants them."""

    async def collect(
        self, item: Item, outputs: Sequence[Output], got: Callable[[int, int | None], None]
    ) -> tuple[Output, ...]:
        """Fetch what is not there yet; the answer has paths and sizes.

        ``got(done, total)`` counts bytes over all of the item's outputs.
        """


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why outputs can't be collected now; sizes in bytes.

    ``free`` is what nobody else has been promised, ``needed`` what it would take,
    with what is to be left free.
    """

    folder: str
    free: int
    needed: int


class Room(Protocol):
    """Disk space for outputs, shared by all that are collected at once."""

    async def hold(self, item: Item, outputs: Sequence[Output]) -> Shortage | None:
        """Keep room for an item's outputs until ``let_go``; or say what is missing."""

    def let_go(self, item: Item) -> None:
        """What was held for the item and not used is for others again."""


class Verifier(Protocol):
    """Looks at what was collected."""

    async def verify(self, item: Item, outputs: Sequence[Output]) -> tuple[str, ...]:
        """Prove that outputs are what was asked for; the answer is what could not be proven.

        Raises ``VerificationFailed`` naming the file, what was expected and what
        was found. Changes and deletes nothing.
        """


class Recipe(Protocol):
    """A job's request, ready to be filled in for an item."""

    def request(self, item: Item) -> Mapping[str, Any]:
        """The request body for ``item``, whose attempt names the remote source.

        Secrets stand as ``${env:NAME}``. Raises ``BadInput`` naming the field.
        """

    def payload(self, item: Item) -> str | None:
        """The text that the service passes back with the task, None for none."""


class Ledger(Protocol):
    """Every step of every item, durable. One writer; see ``orchestrator.ledger``."""

    def post(self, change: Change) -> Awaitable[None]:
        """Queue a change; awaiting it ends when it is on disk.

        Changes reach the disk in the order in which they were posted, so a change
        that a later awaited one covers may be left unawaited. Raises
        ``IllegalMove`` at once, ``Superseded`` or ``LedgerProblem`` when awaited.
        """

    async def pending(self, limit: int, skip: Collection[int]) -> list[Item]:
        """The most urgent pending items of this run that are due, without ``skip``."""

    async def in_flight(self, states: Collection[State], after: int, limit: int) -> list[Item]:
        """Items of this run in ``states``, by id, after that id: for recovery."""

    async def outputs(self, item: Item) -> tuple[Output, ...]:
        """What the item's present attempt has on record."""

    async def next_due(self, after: float) -> float | None:
        """When the first pending item due later than ``after`` is due; UNIX seconds, both.

        ``after`` is when ``pending`` was last asked, not now: what became due in
        between is not missed.
        """


class Observer(Protocol):
    """Hears what the engine does. Must return at once and never raise."""

    def moved(self, item: Item, was: State) -> None:
        """An item's step is on disk."""

    def sent(self, item: Item, done: int, total: int) -> None:
        """Bytes of its source that have arrived at the service."""

    def percent(self, item: Item, phase: Phase, percent: float) -> None:
        """How far the service is."""

    def got(self, item: Item, done: int, total: int | None) -> None:
        """Bytes of its outputs that have been collected."""

    def note(self, message: str) -> None:
        """Something that a person should know: a pause, a recovery, a warning."""
