"""What is read can be sent on, and means the same again."""

import json
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from orchestrator.query import OUTPUTS, EncodeQuery, parse_query
from tests.query.strategies import ATTRIBUTES, formats, queries
from tests.query.test_request import read_or_refused


def read(doc: dict[str, Any]) -> EncodeQuery | None:
    """The query; None where it is refused, in our words."""
    if isinstance(found := read_or_refused(doc), EncodeQuery):
        return found
    assert all(each.field.startswith("query") and each.message for each in found.problems)
    assert "Input should" not in str(found)
    assert "pydantic" not in str(found)
    return None


@given(queries())
def test_a_query_means_the_same_when_sent_on(doc: dict[str, Any]) -> None:
    query = read(doc)
    event("read" if query else "refused")
    if query:
        sent = json.loads(json.dumps(query.document()))
        assert parse_query(sent) == query
        assert parse_query(sent).document() == sent


@given(st.sampled_from(sorted(ATTRIBUTES)).flatmap(formats), st.data())
def test_an_attribute_less_is_a_query_still(wanted: dict[str, Any], data: st.DataObject) -> None:
    """No attribute is needed but what makes the output: defaults stand for the rest."""
    query = read({"source": "tus:1", "format": [wanted]})
    assume(query is not None)
    needed = {"output", "distorted"}
    given = sorted(set(wanted) - needed)
    assume(given)
    name = data.draw(st.sampled_from(given))
    without = {key: value for key, value in wanted.items() if key != name}
    left = read({"source": "tus:1", "format": [without]})
    hanging = {"bitrate", "sprite", "optimize_bitrate", "quality", "image_format", "audio_pan"}
    assert left is not None or name in hanging


def test_every_output_is_among_them() -> None:
    assert set(ATTRIBUTES) == set(OUTPUTS)
