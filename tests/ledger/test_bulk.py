import pytest
from sqlalchemy import Connection, create_engine

from orchestrator.ledger.bulk import BLOCK, Many, driven

ADD = Many("INSERT INTO films (id, name) VALUES {rows}", 2)
RENAME = Many(
    "UPDATE films SET name = new.column2 FROM (VALUES {rows}) AS new WHERE films.id = new.column1",
    2,
)


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.connect() as made:
        made.exec_driver_sql("CREATE TABLE films (id INTEGER PRIMARY KEY, name TEXT)")
        yield made
    engine.dispose()


def names(connection: Connection) -> list[tuple[int, str]]:
    return [tuple(row) for row in connection.exec_driver_sql("SELECT id, name FROM films")]


@pytest.mark.parametrize("rows", [0, 1, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_however_many_rows_all_are_written_in_their_order(connection: Connection, rows: int):
    films = [(number, f"film {number}") for number in range(rows)]
    with driven(connection) as cursor:
        assert ADD.run(cursor, films) == rows
    assert names(connection) == films


def test_rows_that_meet_nothing_are_not_counted(connection: Connection):
    news = [(number, "new") for number in range(100)]
    with driven(connection) as cursor:
        ADD.run(cursor, [(number, "old") for number in range(0, 200, 2)])
        assert RENAME.run(cursor, news) == 50
    assert sum(name == "new" for _, name in names(connection)) == 50
