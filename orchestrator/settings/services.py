"""``[services.NAME]``: where encodes are sent, by kind."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.settings.encoding import Encoding
from orchestrator.settings.values import Address, BaseUrl, Count, Moment, Patience, Seconds, Section


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


class TranscoderService(_Polled, Encoding):
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
    poll_min: Seconds = Field(
        2.0, description="Shortest time between two polls of a task, seconds."
    )


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
