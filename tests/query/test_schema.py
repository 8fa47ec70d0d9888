"""The JSON Schema says yes to what is read, and no to what each attribute can't be."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from orchestrator.query import QueryError, parse_query
from orchestrator.query.schema import query_schema
from tests.query.attributes import OF_FORMAT, OF_PARTS, OF_QUERY, OUTPUT_NAMES
from tests.query.strategies import queries
from tests.query.test_request import EXAMPLES

SCHEMA = query_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def query(**attributes: Any) -> dict[str, Any]:
    return {"source": "tus:0a1b", "format": [{"output": "mp4", **attributes}]}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert "SecretStr" not in str(SCHEMA)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_documents_examples_fit(name: str) -> None:
    VALIDATOR.validate(EXAMPLES[name])


@given(queries())
@pytest.mark.slow
def test_what_is_read_fits(doc: dict[str, Any]) -> None:
    try:
        read = parse_query(doc)
    except QueryError:
        return
    VALIDATOR.validate(doc)
    VALIDATOR.validate(read.document())


@pytest.mark.parametrize(
    "attributes",
    [
        {"heigth": 480},
        {"height": 0},
        {"height": 17000},
        {"height": "tall"},
        {"height": 4.5},
        {"rotate": 45},
        {"two_pass": 2},
        {"video_codec": "libvpx"},
        {"video_codec_parameters": {"refs": 17}},
        {"video_codec_parameters": {"qcomp": -1}},
        {"logo": {"x": 1}},
        {"destination": {"key": "a"}},
        {"output": "mp5"},
        {"output": "advanced_hls", "stream": []},
        {"output": "advanced_hls", "height": 480},
    ],
)
def test_what_can_not_be_does_not_fit(attributes: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(query(**attributes))
    with pytest.raises(QueryError):
        parse_query(query(**attributes))


def test_placeholders_may_stand_for_numbers() -> None:
    VALIDATOR.validate(query(height="{height}", bitrate="${env:RATE}"))


def test_one_input_is_asked_for() -> None:
    both = query() | {"stitch": ["http://127.0.0.1/a.mp4"]}
    assert not VALIDATOR.is_valid(both)
    assert not VALIDATOR.is_valid({"format": [{"output": "mp4"}]})


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", ())
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def test_every_attribute_of_the_api_is_in_it() -> None:
    assert set(SCHEMA["properties"]) == OF_QUERY
    known = set(_names(SCHEMA["$defs"]))
    assert known >= OF_FORMAT | OF_PARTS
    assert {each["properties"]["output"]["enum"][0] for each in _outputs()} == OUTPUT_NAMES


def _outputs() -> list[dict[str, Any]]:
    return [each for each in SCHEMA["$defs"].values() if "output" in each["properties"]]
