"""How runs go: the ledger, limits, queue, uploads, collecting, retries, window, budget, log."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model import turns
from orchestrator.model.turns import Order
from orchestrator.query.collect import Verify
from orchestrator.query.hours import BudgetTable, WindowTable
from orchestrator.settings.values import Bytes, Count, Factor, Hours, Seconds, Section


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
        512 * 2**20, description="Most bytes per request; about 3 MiB per upload are in memory."
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
