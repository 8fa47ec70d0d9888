"""Turns instead of bare priorities, what a source's length is, and wishes of people."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them; what waits already is ranked by its first run and its priority."""
    _items()
    op.add_column("attempts", sa.Column("duration", sa.Double))
    op.add_column("attempts", sa.Column("cost", sa.Double))
    _wishes()


def _items() -> None:
    op.add_column("items", sa.Column("duration", sa.Double))
    for name, kind in (("rank", sa.Double), ("weight", sa.BigInteger)):
        column = sa.Column(name, kind, nullable=False, server_default=sa.text("0"))
        op.add_column("items", column)
    op.execute(
        "UPDATE items SET rank = "
        "coalesce((SELECT started_at FROM runs WHERE runs.id = items.first_run), 0)"
        " - priority * 86400.0"  # a day for each step of priority
    )
    op.drop_index("items_to_feed", "items")
    waiting = sa.text("state = 'pending'")
    op.create_index(
        "items_to_feed",
        "items",
        ["job_id", "seen_run", "rank", sa.text("weight DESC"), "id", "due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _wishes() -> None:
    op.create_table(
        "wishes",
        sa.Column("id", _BigId, nullable=False),
        sa.Column("job_id", _BigId, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("wish", sa.Text, nullable=False),
        sa.Column("answered_at", sa.Double),
        sa.Column("answer", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_wishes"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_wishes_job_id"),
    )
    op.create_index("wishes_of_job", "wishes", ["job_id", "answered_at"])
