"""Which of a job's two requests its service takes: the query or the order."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.config import Config
from orchestrator.model.errors import BadInput
from orchestrator.query import Job, OrderRecipe, QencodeRecipe, resolve_secrets
from orchestrator.settings import EdgeService, TranscoderService

#: Stands for an order's jobs in the price table: they are of profiles that only the service knows.
ORDERED = "order"


def for_service(config: Config, job: Job) -> Job:
    """The job with the request alone that its service takes: ``order`` is None, or all there is.

    A service of kind ``transcoder`` takes either, and the query where there are both.
    Raises ``BadInput`` naming what the job lacks.
    """
    name = job.service or next(iter(job.services), config.default_service)
    settings = config.service(name)
    takes_orders = isinstance(settings, EdgeService) or (
        isinstance(settings, TranscoderService) and not job.query
    )
    if not takes_orders and not job.query:
        raise BadInput(
            f"{job.path}: the service {name!r} takes a [query], and the job has only an [order]: "
            "add a [query], or name another service"
        )
    if takes_orders and job.order is None:
        raise BadInput(
            f"{job.path}: the service {name!r} takes an [order], and the job has only a [query]: "
            "add an [order], or name another service"
        )
    return replace(job, query={}) if takes_orders else replace(job, order=None)


def recipe(job: Job) -> QencodeRecipe | OrderRecipe:
    """What fills in the request of a job that is ``for_service``."""
    return QencodeRecipe(job) if job.order is None else OrderRecipe(job)


def check_secrets(job: Job, env: Mapping[str, str] = os.environ) -> None:
    """Raise ``BadInput`` for a secret that the job names and nobody has set."""
    if job.order is None:
        resolve_secrets({"query": job.query}, env)
        return
    resolve_secrets({"order": job.order}, env)
    if job.publish is not None:
        job.publish.destination(env)
        resolve_secrets({"publish": job.publish.remote("")}, env)


def billed(job: Job) -> Mapping[str, Any]:
    """The query that prices are worked out for. Each file of an order is one output of it."""
    if job.order is None:
        return job.query
    return {"format": [{"output": ORDERED} for _ in job.order["jobs"]]}


def leaves_outputs(job: Job) -> bool:
    """Whether some outputs stay at the service, which keeps them for a while only."""
    return job.order is None and any(not each.get("destination") for each in job.query["format"])
