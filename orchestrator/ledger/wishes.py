"""Wishes: what people ask of a job from another process, and what they are answered.

A command puts a row into the ledger's table ``wishes`` through a connection of
its own; the process that runs the job carries it out and writes the answer into
the same row. A wish that nobody took up expires with its run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.ledger import reads, schema, sqlite, upgrade
from orchestrator.model.errors import LedgerProblem

_W, _R = schema.wishes.c, schema.runs.c


@dataclass(frozen=True, slots=True)
class Prioritize:
    """Waiting items whose key matches get this priority."""

    match: str
    priority: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Items whose key matches, and that are not settled, are given up."""

    match: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Items that failed or were cancelled go back to pending.

    Where several are given, all must hold; ``failed`` leaves cancelled ones out.
    """

    match: str | None = None
    error_class: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing new uploads or starts until ``Resume``."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Other limits for the rest of this run; None leaves one as it is.

    ``bandwidth`` is in bytes per second, over all uploads. ``service`` names the one
    that is meant; None: each.
    """

    in_flight: int | None = None
    uploads: int | None = None
    starts_per_second: float | None = None
    bandwidth: int | None = None
    service: str | None = None


Wish = Prioritize | Cancel | Retry | Pause | Resume | Limit

_KINDS: Mapping[str, type[Wish]] = {
    "prioritize": Prioritize,
    "cancel": Cancel,
    "retry": Retry,
    "pause": Pause,
    "resume": Resume,
    "limits": Limit,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a wish, for people; ``done`` is False where nothing did.

    ``changed`` counts the items it concerned, ``states`` by the state they were in.
    """

    done: bool
    message: str
    changed: int = 0
    states: Mapping[str, int] = field(default_factory=dict)


#: What wishes are answered that came too late for their run, or that it never saw.
EXPIRED = Answer(False, "no run took it up; say it again while one is under way")


def encoded(wish: Wish) -> str:
    """A wish as it is stored."""
    return orjson.dumps({"kind": _NAMES[type(wish)], **asdict(wish)}).decode()


def decoded(text: str) -> Wish | None:
    """The wish that was stored; None for one that another version wrote."""
    values = orjson.loads(text)
    kind = _KINDS.get(values.pop("kind", ""))
    try:
        return kind(**values) if kind else None
    except TypeError:
        return None


# --- within a transaction of the process that holds the ledger --------------------


def waiting(connection: Connection, job: int) -> list[tuple[int, Wish | None]]:
    """Wishes that nobody has answered, by number, the oldest first."""
    query = select(_W.id, _W.wish).where(_W.job_id == job, _W.answered_at.is_(None))
    return [(number, decoded(wish)) for number, wish in connection.execute(query.order_by(_W.id))]


def answer(connection: Connection, number: int, said: Answer, now: float) -> None:
    """Put on record what became of a wish."""
    row = update(schema.wishes).where(_W.id == number)
    connection.execute(row.values(answered_at=now, answer=_stored(said)))


def record(connection: Connection, job: int, wish: Wish, said: Answer, now: float) -> None:
    """Put a wish on record that was carried out at once, without a run."""
    values = {"job_id": job, "at": now, "wish": encoded(wish)}
    answered = {"answered_at": now, "answer": _stored(said)}
    connection.execute(insert(schema.wishes), values | answered)


def expire(connection: Connection, job: int, now: float) -> None:
    """Answer every wish that no run took up: it must not come true by surprise later."""
    left = update(schema.wishes).where(_W.job_id == job, _W.answered_at.is_(None))
    connection.execute(left.values(answered_at=now, answer=_stored(EXPIRED)))


def priorities(connection: Connection, job: int) -> list[Prioritize]:
    """Priorities that people gave since a run of the job last finished, in their order."""
    finished = select(_R.ended_at).where(_R.job_id == job, _R.outcome == "finished")
    since = connection.execute(finished.order_by(_R.id.desc()).limit(1)).scalar() or 0.0
    return [wish for wish in _granted(connection, job, since) if isinstance(wish, Prioritize)]


def paused(connection: Connection, job: int, since: float) -> bool:
    """Whether people paused the run that began at ``since``, and did not resume it."""
    said = [wish for wish in _granted(connection, job, since) if isinstance(wish, Pause | Resume)]
    return bool(said) and isinstance(said[-1], Pause)


def _granted(connection: Connection, job: int, since: float) -> Iterator[Wish]:
    query = (
        select(_W.wish, _W.answer)
        .where(_W.job_id == job, _W.answered_at >= since)
        .order_by(_W.answered_at, _W.id)
    )
    for stored, said in connection.execute(query):
        wish = decoded(stored)
        if wish is not None and _read(said).done:
            yield wish


# --- for the command that wishes --------------------------------------------------


class Mailbox:
    """Wishes to the run that holds a job's ledger, from another process."""

    def __init__(self, connection: Connection, job: int) -> None:
        self._connection = connection
        self._job = job

    def post(self, wish: Wish, now: float) -> int:
        """Leave a wish; its number."""
        values = {"job_id": self._job, "at": now, "wish": encoded(wish)}
        with self._connection.begin():
            key = self._connection.execute(insert(schema.wishes), values).inserted_primary_key
        return int(key[0]) if key else 0

    def answer(self, number: int) -> Answer | None:
        """What became of it; None while nobody has said."""
        query = select(_W.answer).where(_W.id == number)
        with self._connection.begin():
            said = self._connection.execute(query).scalar()
        return _read(said) if said else None


@contextmanager
def mailbox(url: str, job: str) -> Iterator[Mailbox]:
    """The mailbox of a ledger that another process holds. May raise ``LedgerProblem``."""
    path = sqlite.path_of(url)
    engine = sqlite.writing(path)
    try:
        with engine.connect() as connection:
            yield Mailbox(connection, _job(connection, path, job))
    except SQLAlchemyError as error:
        raise sqlite.problem(path, error) from error
    finally:
        engine.dispose()


def _job(connection: Connection, path: Path, name: str) -> int:
    with connection.begin():
        upgrade.check(connection, path)
        number = reads.job_id(connection, name)
    if number is None:
        raise LedgerProblem(f"the ledger {path} has nothing of the job {name} yet")
    return number


def _stored(said: Answer) -> str:
    return orjson.dumps(asdict(said)).decode()


def _read(stored: str) -> Answer:
    values: dict[str, Any] = orjson.loads(stored)
    return Answer(**values)
