"""What the transcoding service needs to know before it starts."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_GIB = 1024**3


#: The client of the API of orders where none is named.
EDGE_CLIENT, EDGE_COMPANY = "orchestrator", "1"


class EdgeAccount(BaseModel):
    """A client of the API of orders: its secret, and the company that it speaks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret: Annotated[SecretStr, Field(min_length=1, max_length=256)]
    company: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


class Smtp(BaseModel):
    """The server that mails about orders go through."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    server: str
    """``host:port``."""

    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    """The address that mails come from."""

    starttls: bool = False
    """Whether the connection is secured before anything is said."""

    user: str = ""
    password: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        split_address(self.server)
        return self


class TranscoderSettings(BaseModel):
    """Settings of one transcoding service. Immutable; secrets don't show in its repr."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    data: Path
    """The folder that holds everything: tasks, uploads, outputs. One process at a time."""

    api_keys: Annotated[tuple[SecretStr, ...], Field(min_length=1)]
    """The keys that ``/v1/access_token`` accepts. Printable, without spaces."""

    suspended_keys: tuple[SecretStr, ...] = ()
    """Keys that were good once: they, and the tokens they gave, are answered with error 6."""

    listen: str = "127.0.0.1:0"
    """``host:port`` to listen at; port 0 takes any free one, ``[::1]:80`` is IPv6."""

    public_url: str = ""
    """How clients reach the service, where that is not the address they ask for (a proxy)."""

    workers: Annotated[int, Field(ge=0)] = 0
    """Tasks encoded at the same time; 0 takes half of the cores, and at least two."""

    min_free_bytes: Annotated[int, Field(ge=0)] = 2 * _GIB
    """Room on the disk of ``data`` below which no new work is taken (error 8, HTTP 507)."""

    keep_hours: Annotated[float, Field(gt=0)] = 24
    """How long outputs without a destination can be downloaded after their task ended."""

    upload_expiry_hours: Annotated[float, Field(gt=0)] = 24
    """How long an upload of a task that was not started is kept after its last byte."""

    max_upload_bytes: Annotated[int, Field(ge=0)] = 0
    """The largest upload or download of a source; 0 sets no limit."""

    local_roots: tuple[Path, ...] = ()
    """Folders under which ``file://`` destinations may write; none by default."""

    allow_private_sources: bool = False
    """Whether sources may be fetched from loopback, private and link-local addresses, and
    callbacks sent there."""

    allow_private_destinations: bool = True
    """Whether outputs may be sent to such addresses: storage often stands in one's own network."""

    profiles: Path | None = None
    """The folder of the profiles of ``/v1/start_encode``; None means ``profiles`` in ``data``."""

    transfers: Path | None = None
    """The folder of its transfer methods; None means ``transfers`` in ``data``."""

    speech_models: Path | None = None
    """The folder of Whisper models for ``speech_to_text``; None refuses that output.

    It holds a model in the CTranslate2 format per mode, in ``speed``, ``balanced`` and
    ``accuracy``; or it is itself one model, for all of them. Nothing is downloaded.
    """

    edge_clients: Mapping[str, EdgeAccount] = Field(default_factory=dict)
    """The clients of the API of orders by their ``client_id``; without any, one called
    ``orchestrator`` with the first API key as its secret, for the company ``1``."""

    smtp: Smtp | None = None
    """Where mails about orders are sent through; None sends none, and orders say so."""

    @field_validator("api_keys", "suspended_keys")
    @classmethod
    def _printable(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(well_formed(key.get_secret_value()) for key in keys):
            raise ValueError("an API key is 1 to 256 printable ASCII characters without spaces")
        return keys

    @field_validator("public_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("public_url must begin with http:// or https://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _address(self) -> Self:
        split_address(self.listen)
        return self

    @property
    def edge_accounts(self) -> Mapping[str, EdgeAccount]:
        """The clients of the API of orders; there is always one."""
        usual = EdgeAccount(secret=self.api_keys[0], company=EDGE_COMPANY)
        return self.edge_clients or {EDGE_CLIENT: usual}

    @property
    def at_once(self) -> int:
        """How many tasks are encoded at the same time."""
        return self.workers or max(2, _cores() // 2)

    @property
    def threads(self) -> int:
        """ffmpeg's threads for each of them: together they use every core, and no more.

        Two encodes on two cores took 13.7 s with one thread each and 19.0 s
        where each took as many threads as it liked.
        """
        return max(1, _cores() // self.at_once)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen at."""
        return split_address(self.listen)


def profile_folders(data: Path, profiles: Path | None, transfers: Path | None) -> tuple[Path, Path]:
    """Where profiles and transfer methods are, if no other folder is named."""
    return profiles or data / "profiles", transfers or data / "transfers"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


def well_formed(key: str) -> bool:
    """Whether text could be an API key at all."""
    return 0 < len(key) <= 256 and all("!" <= char <= "~" for char in key)


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``. Raises ``ValueError`` saying what is wrong."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"listen must be host:port, like 127.0.0.1:8080, not {listen!r}")
    return host.strip("[]"), int(port)
