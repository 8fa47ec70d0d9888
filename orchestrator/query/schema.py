"""The JSON Schema of a query, for editors and for clients in other languages.

It is made from the models, so it can't differ from what is read. It tells what
can be told of each attribute alone; what attributes mean to each other only
``parse_query`` knows.
"""

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchestrator.query.outputs import FOR_ALL_STREAMS, OUTPUTS, Streaming, stream_of
from orchestrator.query.request import EncodeQuery

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

#: Clients send numbers as text, too, and templates stand where a number will.
_WHOLE_TEXT: Final = r"^\s*[+-]?[0-9]+\s*$|\{"
_NUMBER_TEXT: Final = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*$|\{"
_BOUNDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}
_FLAG: Final = [0, 1, "0", "1", False, True]


class _AsClientsWrite(GenerateJsonSchema):
    """Types as they may be sent: numbers and flags as text, lists of one as one."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        text = {"type": "string", "pattern": _WHOLE_TEXT}
        return {"anyOf": [super().int_schema(schema), text]}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        text = {"type": "string", "pattern": _NUMBER_TEXT}
        return {"anyOf": [super().float_schema(schema), text]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"enum": _FLAG}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        words = [1 if word == "keep" else word for word in schema["expected"]]
        return {"enum": words + [str(word) for word in words if isinstance(word, int)]}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """A name is title enough."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without the default where that is a model of its own, or no JSON."""
        made = super().default_schema(schema)
        plain = isinstance(made.get("default"), str | int | float | bool)
        return made if plain else {k: v for k, v in made.items() if k != "default"}


def query_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what stands in ``query``."""
    made = EncodeQuery.model_json_schema(schema_generator=_AsClientsWrite)
    parts = made["$defs"]
    for part in parts.values():
        properties = part.get("properties", {})
        if "tag" in properties:
            properties["user_tag"] = properties["tag"] | {"deprecated": True}
    for model in OUTPUTS.values():
        stream = stream_of(model)
        if stream and issubclass(model, Streaming):
            of_stream = parts[stream.__name__]["properties"]
            shared = FOR_ALL_STREAMS.intersection(of_stream)
            parts[model.__name__]["properties"] |= {name: of_stream[name] for name in shared}
    made["oneOf"] = [{"required": ["source"]}, {"required": ["stitch"]}]
    return {"$schema": _DIALECT, **_bounded(made)}


def _bounded(made: Any) -> Any:
    """With bounds in JSON Schema's words: behind a validator pydantic leaves its own."""
    if isinstance(made, dict):
        return {_BOUNDS.get(name, name): _bounded(value) for name, value in made.items()}
    return [_bounded(each) for each in made] if isinstance(made, list) else made
