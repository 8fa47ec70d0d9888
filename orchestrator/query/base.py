"""What every model of the request has in common."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Part(BaseModel):
    """A part of the request: immutable, and with no attribute that nobody reads.

    Inputs are kept out of pydantic's own errors because they may hold secrets.
    An attribute that is null counts as left out: some clients send all they know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        return {name: value for name, value in sent.items() if value is not None}
