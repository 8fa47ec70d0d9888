"""What can be set: the sections of ``config.toml``, with their defaults and meanings.

Pure data, frozen once checked. ``orchestrator.config`` reads it.
"""

import re
import shutil
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestrator.model import turns
from orchestrator.model.turns import Order
from orchestrator.query.collect import Verify
from orchestrator.query.hours import BudgetTable, WindowTable
from orchestrator.query.sizes import in_bytes

# --- types of values -----------------------------------------------------------


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
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# --- services --------------------------------------------------------------------


class _Polled(Section):
    """What every service has."""

    max_in_flight: Count | None = Field(
        None, description="Encodes at this service at once; without it, limits.in_flight."
    )
    weight: Moment = Field(
        1.0,
        description="Its share of the load beside other services in one run; 0: only what they "
        "have no place for.",
    )
    settle: Moment = Field(
        30.0,
        description="Seconds for which a start whose answer was lost may still arrive: only after "
        "them is it sent again, where the service does not know of it.",
    )
    timeout: Seconds = Field(60.0, description="Seconds to wait for the answer to one request.")
    connect: Seconds = Field(10.0, description="Seconds to wait for a connection.")
    poll_batch: Count = Field(
        100, description="Tasks asked for in one status request; fewer where it refuses so many."
    )
    stuck_after: Patience = Field(
        6 * 3600.0,
        description='Seconds without news of a task until it counts as stuck, or "never".',
    )
    on_stuck: Literal["report", "retry"] = Field(
        "report", description="What happens to a stuck task: a line in the report, or a new try."
    )


class _Far(_Polled):
    """What a service over the network has."""

    poll_min: Seconds = Field(
        5.0, description="Shortest time between two polls of a task, seconds."
    )
    poll_max: Seconds = Field(
        120.0, description="Longest time between two polls of a task, seconds."
    )
    callback_listen: Address | None = Field(
        None, description="Address and port to hear its callbacks at; without it, polling alone."
    )
    callback_public_url: BaseUrl | None = Field(
        None, description="That address as the service reaches it from outside."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.callback_listen is None) != (self.callback_public_url is None):
            raise ValueError("callback_listen and callback_public_url need each other: set both")
        return self


class _Encoding(Section):
    """How the transcoding service that the product carries does its work."""

    workers: Count | None = Field(
        None, description="Encodes at once; without it, as many as suit the machine's cores."
    )
    ffmpeg: Program | None = Field(
        None,
        description="The ffmpeg to run, a path or a name on PATH; without it, the bundled one.",
    )
    ffprobe: Program | None = Field(
        None, description="The ffprobe to run; without it, the bundled one."
    )
    local_roots: tuple[Path, ...] = Field(
        (), description="Folders in which file:// destinations may write."
    )
    keep_hours: Hours = Field(
        24.0, description="Hours that outputs without a destination, and idle uploads, are kept."
    )
    min_free: Bytes = Field(
        2 * 2**30, description="Free bytes on its disk below which it takes no new work."
    )
    speech_models: Path | None = Field(
        None,
        description="Folder of Whisper models (CTranslate2) for speech_to_text: speed/, balanced/ "
        "and accuracy/ in it, or one model for all; without it, that output is refused.",
    )
    nice: int = Field(
        5, ge=0, le=19, description="How far ffmpeg steps back for other programs (0: not at all)."
    )


class TranscoderService(_Polled, _Encoding):
    """The transcoding service inside the run itself, on this machine."""

    kind: Literal["transcoder"]
    data: Path = Field(
        Path("{state}/local"),
        description="Folder of its uploads and outputs while they are needed.",
    )
    max_in_flight: Count | None = Field(
        16,
        description="Encodes handed to it at once; those beyond its workers wait on its disk.",
    )
    private_sources: bool = Field(
        True, description="Whether it may fetch from loopback and private addresses."
    )
    settle: Moment = Field(
        0.0, description="As for any service; this one has stopped when the run has."
    )
    poll_min: Seconds = Field(
        0.5, description="Shortest time between two polls of a task, seconds."
    )
    poll_max: Seconds = Field(2.0, description="Longest time between two polls of a task, seconds.")


class QencodeService(_Far):
    """Qencode, or anything that speaks its API (``orchestrator serve`` does)."""

    kind: Literal["qencode"]
    url: BaseUrl = Field("https://api.qencode.com", description="Where its API is.")
    api_key: str = Field("${env:QENCODE_API_KEY}", repr=False, description="The project's API key.")


class EdgeService(_Far):
    """Transparent Edge, or anything that speaks its API. It takes a job's [order]."""

    kind: Literal["transparent_edge"]
    url: BaseUrl = Field("https://api.transparentcdn.com", description="Where its API is.")
    company: str = Field(
        "${env:TRANSPARENT_COMPANY_ID}", min_length=1, description="The company's id."
    )
    client_id: str = Field(
        "${env:TRANSPARENT_CLIENT_ID}", repr=False, description="The API client's id."
    )
    client_secret: str = Field(
        "${env:TRANSPARENT_CLIENT_SECRET}", repr=False, description="The API client's secret."
    )


AnyService = TranscoderService | QencodeService | EdgeService
ServiceConfig = Annotated[AnyService, Field(discriminator="kind")]

# --- the other sections --------------------------------------------------------------


class LedgerConfig(Section):
    """Where every step is recorded."""

    url: str = Field(
        "sqlite:///{state}/{job}.db",
        description="SQLAlchemy URL; {state} and {job} are filled in.",
    )


class LimitsConfig(Section):
    """How much happens at once."""

    uploads: Count = Field(4, description="Files uploaded at once.")
    starts: Count = Field(4, description="Start requests under way at once.")
    in_flight: Count = Field(
        100, description="Encodes at one service at once; a busy service lowers it by itself."
    )
    collects: Count = Field(4, description="Items whose outputs are fetched at once.")
    upload_ahead: Count = Field(
        8, description="Uploaded items that may wait for a free place at the service."
    )
    starts_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Most encodes started in a second; without it, no bound."
    )
    bandwidth: Bytes | None = Field(
        None, description="Bytes per second over all uploads; without it, as fast as the line is."
    )


class QueueConfig(Section):
    """Whose turn comes first among items that wait. A job's own order is stronger."""

    order: Order = Field(
        Order.FIRST,
        description="Within a priority: first, as the manifest has them, or longest first.",
    )
    ageing_hours: Hours = Field(
        turns.AGEING / 3600, description="Hours of waiting that make up for one step of priority."
    )


class UploadConfig(Section):
    """How files travel to the service (tus)."""

    chunk: Bytes = Field(
        512 * 2**20, description="Most bytes per request; about 2 MiB per upload are in memory."
    )
    small: Bytes = Field(2**20, description="Files up to this size go up in a single request.")
    checksum: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Checksums of chunks: auto sends them where the way there has none of its own.",
    )
    stall: Seconds = Field(60.0, description="Seconds without a byte moving before it reconnects.")


class CollectConfig(Section):
    """What happens to outputs once they are fetched, and the disk that they go to."""

    verify: Verify = Field(
        "probe",
        description="How much is proven of each output before its item is completed.",
    )
    tolerance: Seconds = Field(
        1.0, description="Seconds by which an output's length may differ; never less than 1 %."
    )
    min_free: Bytes = Field(
        2 * 2**30, description="Free bytes on the outputs' disk that are left alone."
    )


class RetryConfig(Section):
    """What happens after an error that may pass: backoff with full jitter."""

    attempts: Count = Field(8, description="Tries of one step before its item fails.")
    encodes: Count = Field(
        3, description="Encodes of one item in a run, where they are lost or fail in passing."
    )
    first: Seconds = Field(1.0, description="Longest pause after the first failure, seconds.")
    cap: Annotated[Seconds, Field(le=900)] = Field(
        60.0, description="Longest pause after any failure, seconds; 900 at most."
    )


class ManifestConfig(Section):
    """How a run sees that a source has changed since it was encoded."""

    fingerprint: Literal["stat", "content", "none"] = Field(
        "stat", description="stat: size and time; content: reads every byte; none: never looks."
    )


class WindowConfig(WindowTable, Section):
    """When runs may begin anything; a job's own [window] takes its place."""


class BudgetConfig(BudgetTable, Section):
    """The most that one run may begin; a job's own bounds are stronger."""


class RateConfig(Section):
    """What a minute of one kind of output costs."""

    output: str = Field(description="The output, as queries name it: mp4, thumbnails.")
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="Per minute of output, in the currency."
    )
    codec: str | None = Field(None, description="Its video_codec; without it, any.")
    up_to: Count | None = Field(
        None, description="The most lines (a frame's shorter side); without it, any."
    )


class PricesConfig(Section):
    """What a service charges, for estimates, budgets and accounts."""

    currency: str = Field("", description="What prices are in, as it is to be shown: EUR, USD.")
    two_pass: Factor = Field(2.0, description="What two_pass multiplies the price with.")
    per_title: Factor = Field(1.5, description="What optimize_bitrate multiplies it with.")
    hdr_to_sdr: Factor = Field(2.0, description="What hdr_to_sdr multiplies it with.")
    per_minute: tuple[RateConfig, ...] = Field(
        (), description="Prices per minute of output; the first that fits counts."
    )

    @model_validator(mode="after")
    def _money_has_a_name(self) -> Self:
        if self.per_minute and not self.currency:
            raise ValueError('prices need a currency, such as currency = "EUR"')
        return self


class BreakerConfig(Section):
    """When most items fail: pause, try one, go on or stop."""

    percent: Annotated[float, Field(gt=0, le=100)] = Field(
        50.0, description="It acts when more than this share of the last items failed; 100: never."
    )
    of_last: Count = Field(20, description="How many of the last items are looked at.")
    pause: Seconds = Field(
        60.0, description="Seconds before one item is tried; doubled each time that it fails."
    )
    probes: Count = Field(3, description="So many failures of one item tried alone end the run.")


class LogConfig(Section):
    """The log of a run, beside the ledger."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to keep."
    )
    format: Literal["text", "json"] = Field("text", description="text for people, json for tools.")
    file: Path = Field(
        Path("{state}/{job}.log"), description="Where it goes; {state} and {job} are filled in."
    )


class OrderClient(Section):
    """Who may send orders: the client's secret, and the company that it speaks for."""

    secret: str = Field(repr=False, description="Its secret, as in ${env:EDGE_SECRET}.")
    company: str = Field("1", description="The company in the paths of its calls.")


class Mail(Section):
    """The server that mails about orders go through."""

    server: Address = Field(description="host:port of the SMTP server.")
    sender: str = Field(description="The address that mails come from.")
    starttls: bool = Field(False, description="Whether the connection is secured first.")
    user: str = Field("", description="The user to log in as; without it, nobody logs in.")
    password: str = Field("", repr=False, description="Its password, as in ${env:SMTP_PASSWORD}.")


class ServeConfig(_Encoding):
    """The transcoding service for others to use: ``orchestrator serve``."""

    listen: Address = Field("127.0.0.1:8080", description="Address and port to listen at.")
    url: BaseUrl | None = Field(
        None, description="Its URL as clients see it, where a proxy stands before it."
    )
    api_key: str = Field(
        "${env:ORCHESTRATOR_API_KEY}", repr=False, description="The key that clients must show."
    )
    suspended_keys: list[str] = Field(
        [],
        repr=False,
        description="Keys that are good no longer; whoever shows one, or a token from it, is told "
        "that the service is suspended (error 6).",
    )
    data: Path = Field(Path("{state}/serve"), description="Folder of its uploads and outputs.")
    private_sources: bool = Field(
        False,
        description="Whether clients may have it fetch from loopback and private addresses, "
        "and send callbacks there.",
    )
    private_destinations: bool = Field(
        False, description="Whether clients may have it store at such addresses."
    )
    profiles: Path | None = Field(
        None,
        description="Folder of the profiles that /v1/start_encode names; without it, profiles/ "
        "in the data folder.",
    )
    transfers: Path | None = Field(
        None, description="Folder of its transfer methods; without it, transfers/ there."
    )
    max_upload: Bytes | None = Field(
        None, description="The largest upload or download of a source; without it, no limit."
    )
    clients: dict[str, OrderClient] = Field(
        {},
        description="Who may send orders, by client id; without any, the client orchestrator of "
        "company 1, whose secret is the API key.",
    )
    mail: Mail | None = Field(
        None, description="How orders send mail; without it, they say that they can't."
    )
