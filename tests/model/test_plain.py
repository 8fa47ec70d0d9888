"""Plain rows by columns and by rows; blanks by their texts."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.plain import Blank, PlainColumns, PlainRow

WIDTH = len(PlainRow._fields)
VALUES = st.sampled_from([None, "", "a", 0, 1])


@given(st.lists(st.tuples(*[VALUES] * WIDTH), max_size=4), st.integers(1, 3))
def test_columns_hold_the_rows_that_they_were_made_of(some, times):
    rows = some * times
    columns = PlainColumns.of(list(zip(*rows, strict=True)))
    assert columns.count == len(rows)
    assert list(columns.rows()) == rows
    assert list(columns.column("line")) == [PlainRow._make(row).line for row in rows]
    for found, given_ in zip(columns.columns, zip(*rows, strict=True), strict=True):
        assert isinstance(found, list) == (len(set(given_)) > 1)


@given(st.lists(st.text("%s ab\0\n", max_size=6), min_size=1, max_size=4))
def test_a_blanks_texts_are_those_around_its_places(texts):
    escaped = [text.replace("%", "%%") for text in texts]
    names = ("x",) * (len(texts) - 1)
    blank = Blank("%s".join(escaped), names)
    assert blank.texts() == texts
    assert blank.format % names == "x".join(texts)
