"""Builds what an engine at one service of a run is made of."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator.config import Config
from orchestrator.engine import Limits, Parts, Patience
from orchestrator.engine.fleet import Berth
from orchestrator.ledger import SqlLedger
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Observer
from orchestrator.query import Job, OrderRecipe, QencodeRecipe
from orchestrator.wiring.sources import LocalSources

if TYPE_CHECKING:
    from orchestrator.services.publishing import Remover
    from orchestrator.services.throttle import Throttle


@asynccontextmanager
async def open_berth(
    config: Config,
    name: str,
    job: Job,
    recipe: QencodeRecipe | OrderRecipe,
    ledger: SqlLedger,
    observer: Observer,
    clock: Clock,
    throttle: "Throttle",
    hint: Callable[[str], None],
) -> AsyncIterator[Berth]:
    """The service of that name, for a job that is ``requests.for_service``.

    ``hint`` gets the tasks that callbacks speak of. Raises ``BadInput``.
    """
    from orchestrator.wiring.callbacks import open_callbacks
    from orchestrator.wiring.routes import open_route
    from orchestrator.wiring.verification import build_verifier

    service, note = config.service(name), observer.note
    async with (
        open_route(config, name, job, note=note, throttle=throttle) as route,
        open_callbacks(service, hint) as recipe.callback_url,
    ):
        parts = Parts(
            service=route.service,
            uploader=route.uploader,
            sources=LocalSources(config.manifest.fingerprint),
            collector=route.collector,
            recipe=recipe,
            ledger=ledger,
            observer=_heard(observer, route.remover),
            clock=clock,
            verifier=build_verifier(config.collect, job, service, note),
            room=route.room,
        )
        can = _no_stitch if job.order is not None else _all
        yield Berth(parts, limits(config, name, job), patience(config, name), service.weight, can)


def limits(config: Config, name: str, job: Job) -> Limits:
    """The job's own limits over the service's over the config's."""
    limits, own = config.limits, job.limits
    in_flight = config.service(name).max_in_flight or limits.in_flight
    return Limits(
        uploads=own.uploads or limits.uploads,
        starts=own.starts or limits.starts,
        in_flight=min(in_flight, own.in_flight or in_flight),
        collects=own.collects or limits.collects,
        upload_ahead=own.upload_ahead or limits.upload_ahead,
        starts_per_second=own.starts_per_second or limits.starts_per_second,
    )


def patience(config: Config, name: str) -> Patience:
    """How long and how often a service is tried."""
    retry, service = config.retry, config.service(name)
    return Patience(
        attempts=retry.attempts,
        encodes=retry.encodes,
        first=retry.first,
        cap=retry.cap,
        settle=service.settle,
        poll_min=service.poll_min,
        poll_max=service.poll_max,
        poll_batch=service.poll_batch,
        stuck_after=service.stuck_after,
        retry_stuck=service.on_stuck == "retry",
    )


def _heard(observer: Observer, remover: "Remover | None") -> Observer:
    from orchestrator.services.publishing import RemovingObserver

    return observer if remover is None else RemovingObserver(observer, remover)


def _all(item: Item) -> bool:  # noqa: ARG001
    return True


def _no_stitch(item: Item) -> bool:
    """An order has one source."""
    return not item.stitch
