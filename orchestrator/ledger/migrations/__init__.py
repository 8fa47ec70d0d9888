"""Alembic's environment. Add a file to ``versions/``, then move ``upgrade.HEAD``."""
