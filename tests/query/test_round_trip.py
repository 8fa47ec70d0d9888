"""What is read can be sent on, and means the same again."""

import json
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from orchestrator.query import OUTPUTS, EncodeQuery, parse_query
from tests.query.attributes import OF_FORMAT, OF_PARTS
from tests.query.strategies import ATTRIBUTES, formats, queries
from tests.query.test_request import JSON, read_or_refused


def read(doc: dict[str, Any]) -> EncodeQuery | None:
    """The query; None where it is refused, in our words."""
    if isinstance(found := read_or_refused(doc), EncodeQuery):
        return found
    assert all(each.field.startswith("query") and each.message for each in found.problems)
    assert " should " not in str(found)
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
@pytest.mark.slow
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


@given(st.sampled_from(sorted(OUTPUTS)), st.sampled_from(sorted(OF_FORMAT | OF_PARTS)), JSON)
def test_anything_is_read_or_refused_in_words(output: str, name: str, value: object) -> None:
    """Wherever it stands: on the format, on a stream, or in a part of either."""
    places: list[dict[str, Any]] = [
        {name: value},
        {"stream": [{name: value}]},
        {"video_codec_parameters": {name: value}},
        {"subtitles": {"sources": [{name: value}]}, "logo": {name: value}},
        {"stream": [{}], "cenc_drm": {name: value}, "encryption": {name: value}},
    ]
    for place in places:
        query = read({"source": "tus:1", "format": [{"output": output, **place}]})
        if query:
            assert parse_query(query.document()) == query
