"""Run by Alembic, on the connection and in the transaction of ``ledger.upgrade``."""

from alembic import context

from orchestrator.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
