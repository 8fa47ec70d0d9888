"""Types of settings: sizes, addresses, programs, times; and what every section is made of."""

import re
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.query.sizes import in_bytes


def _bytes(value: object) -> object:
    return in_bytes(value) if isinstance(value, str) else value


def _program(value: Path) -> Path:
    """A path, or a bare name that is looked up on PATH."""
    if value.parent != Path() or str(value).startswith("~"):
        return value
    found = shutil.which(str(value))
    if found is None:
        raise ValueError(f"no program called {str(value)!r} is on the PATH")
    return Path(found)


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8080")
    return value


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+\S*", value):
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=1)]
Program = Annotated[Path, AfterValidator(_program)]
Address = Annotated[str, AfterValidator(_address)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Moment = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]


def _never(value: object) -> object:
    """TOML has no null: "never" stands for it."""
    return None if value == "never" else value


Patience = Annotated[Seconds | None, BeforeValidator(_never)]


class Section(BaseModel):
    """A table of the file: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
