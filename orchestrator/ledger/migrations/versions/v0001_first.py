"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    _jobs_and_runs()
    _items()
    _attempts()
    _outputs()
    _events()


def _jobs_and_runs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _BigId, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
    )
    op.create_table(
        "runs",
        sa.Column("id", _BigId, nullable=False),
        sa.Column("job_id", _BigId, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer),
        sa.Column("outcome", sa.Text),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_runs_job_id"),
    )
    op.create_index("runs_of_job", "runs", ["job_id", "id"])


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("id", _BigId, nullable=False),
        sa.Column("job_id", _BigId, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("stitch", sa.Text),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text),
        sa.Column("tags", sa.Text),
        sa.Column("fields", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("first_run", _BigId, nullable=False),
        sa.Column("seen_run", _BigId, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("error_class", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.UniqueConstraint("job_id", "key", name="uq_items_job_id_key"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_items_job_id"),
    )
    op.create_index("items_by_state", "items", ["job_id", "seen_run", "state"])
    pending, waiting = sa.text("state = 'pending'"), sa.text("state = 'pending' AND due_at > 0")
    op.create_index(
        "items_to_feed",
        "items",
        ["job_id", "seen_run", sa.text("priority DESC"), "id", "due_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index(
        "items_waiting",
        "items",
        ["job_id", "seen_run", "due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("item_id", _BigId, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("task", sa.Text),
        sa.Column("upload_to", sa.Text),
        sa.Column("upload_url", sa.Text),
        sa.Column("remote_source", sa.Text),
        sa.Column("status_url", sa.Text),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("error_class", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("item_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_attempts_item_id"),
        sqlite_with_rowid=False,
    )


def _outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("item_id", _BigId, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("user_tag", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("size", sa.BigInteger),
        sa.Column("duration", sa.Double),
        sa.Column("bitrate", sa.BigInteger),
        sa.Column("meta", sa.Text),
        sa.PrimaryKeyConstraint("item_id", "attempt", "position", name="pk_outputs"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_outputs_item_id"),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", _BigId, nullable=False),
        sa.Column("item_id", _BigId, nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("run_id", _BigId, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("was", sa.Text, nullable=False),
        sa.Column("now", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_events_item_id"),
    )
    op.create_index("events_of_item", "events", ["item_id", "id"])
