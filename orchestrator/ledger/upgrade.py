"""Brings a database to the schema that this version knows.

Alembic takes longer to import than everything else here together, so it is
imported only when there is something to do.
"""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from orchestrator.model.errors import LedgerProblem

#: The revision that ``schema`` describes: the last one in ``migrations/versions``.
HEAD = "0003"

_VERSION = table("alembic_version", column("version_num"))


def upgrade(connection: Connection, path: Path) -> None:
    """Run the migrations that are missing, in ``connection``'s transaction.

    Raises ``LedgerProblem`` for a database that a newer version made, or that
    is not a ledger.
    """
    found = revision(connection)
    if found == HEAD:
        return
    if found is None and inspect(connection).get_table_names():
        raise LedgerProblem(
            f"{path} is a database, but not a ledger; give the ledger a file of its own"
        )
    _migrate(connection, path, found)


def check(connection: Connection, path: Path) -> None:
    """Raise ``LedgerProblem`` unless the schema is this version's own: for readers."""
    found = revision(connection)
    if found is None:
        raise LedgerProblem(f"{path} is not a ledger")
    if found != HEAD:
        raise LedgerProblem(
            f"{path} has another schema ({found}) than this version of orchestrator ({HEAD}): "
            "a run of this version upgrades an older one"
        )


def revision(connection: Connection) -> str | None:
    """The schema revision on record; None in a database that has none."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def _migrate(connection: Connection, path: Path, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    folder = str(Path(__file__).with_name("migrations"))
    config = Config()
    config.set_main_option("script_location", folder.replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory(folder).walk_revisions()}
    if found is not None and found not in known:
        raise LedgerProblem(
            f"{path} was made by a newer version of orchestrator (schema {found}, this one knows "
            f"up to {HEAD}); use that version, or another ledger"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
