import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from orchestrator.ledger import LedgerReader, schema, sqlite, upgrade
from orchestrator.model.errors import LedgerProblem
from tests.ledger.support import rows, take_in

MIGRATIONS = str(Path(upgrade.__file__).with_name("migrations"))


@pytest.fixture
async def migrated(fresh, path):
    async with fresh():
        pass
    return path


def definitions(path):
    """What makes each table and index, without the spelling."""
    database = sqlite3.connect(path)
    found = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    ).fetchall()
    database.close()
    return {name: _parts(sql) for name, sql in found}


def _parts(sql):
    head, _, body = " ".join(sql.replace('"', "").split()).partition("(")
    return head, sorted(part.strip() for part in body.rstrip(")").split(","))


def test_the_head_is_the_last_migration():
    assert ScriptDirectory(MIGRATIONS).get_current_head() == upgrade.HEAD


def test_the_migrations_make_the_tables_that_the_code_knows(migrated):
    engine = sqlite.reading(migrated)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_partial_indexes_and_all_are_the_same(migrated, tmp_path):
    direct = tmp_path / "direct.db"
    engine = create_engine(f"sqlite:///{direct}")
    schema.metadata.create_all(engine)
    engine.dispose()
    assert definitions(migrated) == definitions(direct)
    assert "WHERE state = 'pending'" in str(definitions(direct)["items_to_feed"])


async def test_a_newer_ledger_is_refused_and_left_alone(migrated, fresh, url):
    with sqlite3.connect(migrated) as database:
        database.execute("UPDATE alembic_version SET version_num = '0999'")
    database.close()
    with pytest.raises(LedgerProblem, match=r"made by a newer version .*schema 0999.*up to 0003"):
        await fresh().__aenter__()
    with pytest.raises(LedgerProblem, match="another schema"):
        LedgerReader(url, "demo")


async def test_a_migration_that_fails_leaves_nothing_behind(fresh, path, monkeypatch):
    from alembic import op

    def full(*_, **__):
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(op, "create_index", full)
    with pytest.raises(sqlite3.OperationalError):
        await fresh().__aenter__()
    assert definitions(path) == {}
    monkeypatch.undo()
    async with fresh() as ledger:
        assert (await take_in(ledger, rows(1))).taken
