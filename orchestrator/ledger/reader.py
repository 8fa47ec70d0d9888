"""The ledger for those who only look: status, export, dry runs. Takes no lock."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.ledger import reads, schema, sqlite, upgrade, wishes
from orchestrator.ledger.reads import Event
from orchestrator.model.errors import LedgerProblem
from orchestrator.model.items import Attempt, Item
from orchestrator.model.outcome import Failure
from orchestrator.model.states import IN_FLIGHT, State

_I, _A, _O, _E, _R = (
    schema.items.c,
    schema.attempts.c,
    schema.outputs.c,
    schema.events.c,
    schema.runs.c,
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the job. Times are UNIX seconds.

    ``rows`` counts its manifest's rows; None where it was not taken in.
    ``outcome`` is None while it goes on, and after a crash until the next run.
    """

    number: int
    service: str
    manifest: str
    rows: int | None
    started_at: float
    ended_at: float | None
    outcome: str | None
    pid: int
    host: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An item that is under way. ``since`` (UNIX seconds) is when it came into its state."""

    key: str
    state: State
    since: float
    attempt: Attempt | None


@dataclass(frozen=True, slots=True)
class Volume:
    """What the manifest's completed items come to: bytes, and seconds of output."""

    source_bytes: int
    outputs: int
    output_bytes: int
    output_seconds: float


class LedgerReader:
    """One job's ledger, read as it is at each question; works while a run holds it.

    "The manifest" is the last one that was taken in. Raises ``LedgerProblem``
    where there is no ledger, or the job has never run.
    """

    def __init__(self, url: str, job: str) -> None:
        self._url = url
        self._name = job
        with self._asking():
            pass

    def counts(self) -> Mapping[State, int]:
        """The manifest's items by state; a state without any is missing."""
        with self._asking() as (connection, job, seen):
            return reads.counts(connection, job, seen)

    def earlier(self) -> Mapping[State, int]:
        """Items by state that earlier manifests had and the last one has not."""
        query = select(_I.state, func.count()).group_by(_I.state)
        with self._asking() as (connection, job, seen):
            rows = connection.execute(query.where(_I.job_id == job, _I.seen_run != seen))
            return {State(state): count for state, count in rows}

    def failures(self, limit: int) -> list[Failure]:
        """The manifest's failed items, the latest first."""
        query = (
            select(_I.key, _I.error_class, _I.error)
            .where(_I.state == State.FAILED.value)
            .order_by(_I.updated_at.desc(), _I.id)
            .limit(limit)
        )
        with self._asking() as (connection, job, seen):
            rows = connection.execute(query.where(_I.job_id == job, _I.seen_run == seen))
            return [Failure(key, kind or "error", error or "") for key, kind, error in rows]

    def by_error_class(self) -> Mapping[str, int]:
        """The manifest's failed items by error class, the most frequent first."""
        count = func.count()
        query = (
            select(_I.error_class, count)
            .where(_I.state == State.FAILED.value)
            .group_by(_I.error_class)
            .order_by(count.desc(), _I.error_class)
        )
        with self._asking() as (connection, job, seen):
            rows = connection.execute(query.where(_I.job_id == job, _I.seen_run == seen))
            return {kind or "error": number for kind, number in rows}

    def in_flight(self, limit: int) -> list[UnderWay]:
        """The manifest's items that are under way, by their place in the ledger."""
        with self._asking() as (connection, job, seen):
            items = reads.in_flight(connection, job, seen, IN_FLIGHT, 0, limit)
            return [
                UnderWay(item.key, item.state, _since(connection, item), item.attempt)
                for item in items
            ]

    def last_run(self) -> Run | None:
        """The job's latest run, None where it has none."""
        query = select(
            *(_R.id, _R.service, _R.manifest, _R.rows, _R.started_at, _R.ended_at),
            *(_R.outcome, _R.pid, _R.host),
        )
        with self._asking() as (connection, job, _):
            latest = query.where(_R.job_id == job).order_by(_R.id.desc()).limit(1)
            row = connection.execute(latest).first()
        return Run(*row) if row is not None else None

    def paused(self) -> bool:
        """Whether a person paused the latest run, and it has neither gone on nor ended."""
        run = self.last_run()
        if run is None or run.ended_at is not None:
            return False
        with self._asking() as (connection, job, _):
            return wishes.paused(connection, job, run.started_at)

    def volume(self) -> Volume:
        """What the manifest's completed items come to. Reads every one of them."""
        done = (_I.state == State.COMPLETED.value,)
        sources = select(func.coalesce(func.sum(_I.size), 0)).where(*done)
        outputs = (
            select(
                func.count(),
                func.coalesce(func.sum(_O.size), 0),
                func.coalesce(func.sum(_O.duration), 0.0),
            )
            .select_from(schema.items.join(schema.outputs, _O.item_id == _I.id))
            .where(*done, _O.attempt == _I.attempt)
        )
        with self._asking() as (connection, job, seen):
            ours = (_I.job_id == job, _I.seen_run == seen)
            size = connection.execute(sources.where(*ours)).scalar_one()
            count, output_bytes, seconds = connection.execute(outputs.where(*ours)).one()
        return Volume(int(size), count, int(output_bytes), float(seconds))

    def history(self, key: str) -> list[Event]:
        """Every step of an item, the oldest first; nothing for a key that is not there."""
        with self._asking() as (connection, job, _):
            query = select(_I.id).where(_I.job_id == job, _I.key == key)
            item = connection.execute(query).scalar()
            return reads.history(connection, item) if item is not None else []

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Connection, int, int]]:
        """A connection that sees one moment, the job's number, the manifest's run."""
        with self._asking() as asked:
            yield asked

    @contextmanager
    def _asking(self) -> Iterator[tuple[Connection, int, int]]:
        with reading(self._url, self._name) as known:
            if known is None:
                path = sqlite.path_of(self._url)
                raise LedgerProblem(f"the ledger {path} has nothing of the job {self._name} yet")
            connection, job = known
            yield connection, job, reads.last_seen(connection, job)


@contextmanager
def reading(
    url: str, job: str, *, missing_ok: bool = False
) -> Iterator[tuple[Connection, int] | None]:
    """A reading connection and the job's number; None where the job never ran.

    Raises ``LedgerProblem`` where there is no ledger, unless ``missing_ok``.
    """
    path = sqlite.path_of(url)
    if not path.exists():
        if missing_ok:
            yield None
            return
        raise LedgerProblem(f"there is no ledger at {path} yet: the job {job} has not been run")
    engine = sqlite.reading(path)
    try:
        with engine.connect() as connection:
            number = _checked(connection, path, job)
            yield (connection, number) if number is not None else None
    except SQLAlchemyError as error:
        raise sqlite.problem(path, error) from error
    finally:
        engine.dispose()


def _checked(connection: Connection, path: Path, job: str) -> int | None:
    upgrade.check(connection, path)
    return reads.job_id(connection, job)


def _since(connection: Connection, item: Item) -> float:
    """When the item came into its state: steps within a state only take notes."""
    query = select(func.max(_E.at)).where(
        _E.item_id == item.id, _E.now == item.state.value, _E.was != item.state.value
    )
    return float(connection.execute(query).scalar() or 0.0)
