"""What rows leave out is there again when they are read; rows that say it in full read the same."""

import sqlite3
from contextlib import closing

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ledger import codec
from orchestrator.ledger.bulk import BLOCK, Block
from orchestrator.model.decisions import Action
from orchestrator.model.items import Row
from orchestrator.model.plain import PlainColumns
from orchestrator.model.states import State
from tests.ledger.support import bring_to, take_in

PATHS = st.text("ab./ ", min_size=1, max_size=9)
FIELDS = st.dictionaries(
    st.sampled_from(["name", "stem", "id", "parent", "title", "+"]), PATHS | st.just(""), max_size=6
)
FULL = {"name": "b.c.mp4", "stem": "b.c", "id": "/m/b.c.mp4", "parent": "m", "title": "T"}


@given(key=PATHS, source=st.none() | PATHS, fields=FIELDS, own=st.booleans())
def test_fields_come_back_as_they_were(key, source, fields, own):
    if own and source:
        fields = {**fields, **codec.fields_told("+{}", key, source)}
    stored = codec.fields(Row(key, source, fields=fields))
    assert codec.fields_told(stored, key, source) == fields
    assert not (own and source) or stored.startswith("+")


def test_what_the_source_tells_is_left_out():
    stored = codec.fields(Row("/m/b.c.mp4", "/m/b.c.mp4", fields=FULL))
    assert stored == '+{"parent":"m","title":"T"}'


async def test_items_of_before_read_the_same_and_are_left_as_they_stand(opened, path):
    manifest = [Row("/m/b.c.mp4", "/m/b.c.mp4", fields=FULL, fingerprint="f1", line=2)]
    async with opened() as ledger:
        await take_in(ledger, manifest)
        (narrow,) = await ledger.pending(9, ())
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute("SELECT source FROM items").fetchall() == [("",)]
        full = orjson.dumps(FULL).decode()
        database.execute("UPDATE items SET source = key, fields = ?", (full,))
    async with opened() as ledger:
        (wide,) = await ledger.pending(9, ())
        assert (wide.source, wide.fields) == (narrow.source, narrow.fields) == (wide.key, FULL)
        await bring_to(ledger, wide, State.COMPLETED)
        taken = await take_in(ledger, manifest)
        assert dict(taken.counts) == {Action.SKIP: 1}
        assert await ledger.counts() == {State.COMPLETED: 1}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT source FROM items").fetchall() == [("",)]


VALUES = st.sampled_from([None, "", "a", "b", 0, 1])


@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK + 7])
@given(first=st.tuples(VALUES, VALUES, VALUES), data=st.data())
def test_blocks_of_rows_go_in_as_they_are(count, first, data):
    some = [data.draw(st.just(first) | st.tuples(VALUES, VALUES, VALUES)) for _ in range(3)]
    rows = [some[number % 3] for number in range(count)]
    block = Block("INSERT INTO t VALUES ", lambda places: f"({', '.join(places)})")
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (a, b, c)")
        for _ in range(2):
            block.run(database.cursor(), PlainColumns.of(list(zip(*rows, strict=True))))
        assert database.execute("SELECT * FROM t").fetchall() == rows * 2
