"""The tables. ``migrations/`` brings a database to exactly this shape.

Only types and clauses that SQLite and PostgreSQL share. JSON is kept as text
and encoded in ``codec``, because that is several times faster on bulk writes.
Times are UNIX seconds.

Indexes on ``items`` are partial wherever they can be: a completed item is in
none but the unique key and ``items_by_state``, so that a rerun over a million
completed rows has little to rewrite. A partial index is used only by a query
that repeats its condition word for word: take ``IS_PENDING`` and ``HAS_DUE``
from here.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from orchestrator.model.states import State

#: SQLite makes only an INTEGER primary key its own row number.
BigId = BigInteger().with_variant(Integer(), "sqlite")

IS_PENDING = text(f"state = '{State.PENDING}'")
HAS_DUE = text("due_at > 0")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", Text, nullable=False),
    UniqueConstraint("name"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id"), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("service", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("options", Text, nullable=False),
    # How many rows its manifest had; none where it was not taken in.
    Column("rows", Integer),
    Column("outcome", Text),
    Column("pid", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Index("runs_of_job", "job_id", "id"),
)

items = Table(
    "items",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id"), nullable=False),
    Column("key", Text, nullable=False),
    # What the manifest says: written as rows are read, never by a step.
    Column("source", Text),
    Column("stitch", Text),
    Column("priority", Integer, nullable=False),
    Column("payload", Text),
    Column("tags", Text),
    Column("fields", Text),
    Column("fingerprint", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("size", BigInteger),
    Column("duration", Double),
    Column("line", Integer, nullable=False),
    # Whose turn comes first: ``model.turns``.
    Column("rank", Double, nullable=False, server_default=text("0")),
    Column("weight", BigInteger, nullable=False, server_default=text("0")),
    Column("first_run", BigId, nullable=False),
    # The same number for all that the job's last manifest has, whichever runs they
    # came with, so that a rerun need not touch what has not changed; -1 for items
    # that it leaves out.
    Column("seen_run", BigId, nullable=False),
    # Where it stands: written by every step.
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempt", Integer),
    Column("due_at", Double, nullable=False),
    Column("error_class", Text),
    Column("error", Text),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("job_id", "key"),
)

Index("items_by_state", items.c.job_id, items.c.seen_run, items.c.state)
Index(
    "items_to_feed",
    items.c.job_id,
    items.c.seen_run,
    items.c.rank,
    items.c.weight.desc(),
    items.c.id,
    items.c.due_at,
    sqlite_where=IS_PENDING,
    postgresql_where=IS_PENDING,
)
Index(
    "items_waiting",
    items.c.job_id,
    items.c.seen_run,
    items.c.due_at,
    sqlite_where=IS_PENDING & HAS_DUE,
    postgresql_where=IS_PENDING & HAS_DUE,
)

attempts = Table(
    "attempts",
    metadata,
    Column("item_id", BigId, ForeignKey("items.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("service", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("task", Text),
    Column("upload_to", Text),
    Column("upload_url", Text),
    Column("remote_source", Text),
    Column("status_url", Text),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("error_class", Text),
    Column("error", Text),
    Column("duration", Double),
    Column("cost", Double),
    sqlite_with_rowid=False,
)

#: What people ask of a run that is under way; the run answers.
wishes = Table(
    "wishes",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("wish", Text, nullable=False),
    Column("answered_at", Double),
    Column("answer", Text),
    Index("wishes_of_job", "job_id", "answered_at"),
)

outputs = Table(
    "outputs",
    metadata,
    Column("item_id", BigId, ForeignKey("items.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tag", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("user_tag", Text),
    Column("path", Text),
    Column("size", BigInteger),
    Column("duration", Double),
    Column("bitrate", BigInteger),
    Column("meta", Text),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("item_id", BigId, ForeignKey("items.id"), nullable=False),
    Column("attempt", Integer),
    Column("run_id", BigId, nullable=False),
    Column("at", Double, nullable=False),
    Column("was", Text, nullable=False),
    Column("now", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("events_of_item", "item_id", "id"),
)
