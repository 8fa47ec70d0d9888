"""The query of ``start_encode2``: one input, and the outputs to make of it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from orchestrator.query.base import Part
from orchestrator.query.destination import REVEAL
from orchestrator.query.outputs import Format
from orchestrator.query.places import Source
from orchestrator.query.problems import QueryError, problems_in
from orchestrator.query.unknown import unknown_in
from orchestrator.query.values import Flag, Moment, Span, as_text, as_whole, refuse

_LONGEST_CALLBACK = 4000


def _callback(value: object) -> str:
    text = as_text(value)
    if not text.startswith(("http://", "https://")):
        raise refuse("is not a URL to call back", "write http://… or https://…")
    if len(text) > _LONGEST_CALLBACK:
        raise refuse(f"is longer than {_LONGEST_CALLBACK} characters")
    return text


class StitchSource(Part):
    """One source of a stitch list; times in seconds, without them all of it."""

    url: Source = Field(repr=False)
    start_time: Moment = 0.0
    duration: Span | None = None


def _stitch_source(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


class EncodeQuery(Part):
    """What a client asks for: exactly one of ``source`` and ``stitch``, and outputs."""

    source: Source | None = Field(default=None, repr=False)
    stitch: Annotated[
        tuple[
            Annotated[
                StitchSource,
                BeforeValidator(_stitch_source, json_schema_input_type=Source | StitchSource),
            ],
            ...,
        ]
        | None,
        Field(min_length=1),
    ] = None
    format: Annotated[tuple[Format, ...], Field(min_length=1)]
    encoder_version: Annotated[Literal[1, 2], BeforeValidator(as_whole)] = 1
    callback_url: Annotated[str, BeforeValidator(_callback)] | None = Field(
        default=None, repr=False
    )
    upscale: Flag = False
    retry_on_error: Flag = False
    refresh_playlist: Flag = False
    use_subtask_callback: Flag = False

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.source is None) == (self.stitch is None):
            given = "both are here" if self.source else "neither is here"
            raise refuse(f"a query has a source or a stitch list; {given}", field="source")
        return self

    def document(self) -> dict[str, Any]:
        """The query as a client would send it, credentials included.

        What the client left to its default is left out.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, context=REVEAL)


_UNKNOWN = unknown_in(EncodeQuery, StitchSource)


def parse_query(doc: Mapping[str, Any], *, file: str = "query") -> EncodeQuery:
    """Read the inner query object of a request; ``file`` is how problems name it.

    Raises ``QueryError`` with every problem, each at its dotted path.
    """
    try:
        return EncodeQuery.model_validate(doc)
    except ValidationError as error:
        raise QueryError(problems_in(error, doc, file, "query", unknown=_UNKNOWN)) from None
