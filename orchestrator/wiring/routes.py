"""Builds what stands between the engine and one configured service."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import Config
from orchestrator.model.items import Item, Output
from orchestrator.model.ports import Collector, Room, Service, Uploader
from orchestrator.query import Collect, Job
from orchestrator.query.expected import Expectations
from orchestrator.services.collect import HttpCollector
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.folder_output import is_folder
from orchestrator.services.http import Http
from orchestrator.services.qencode import QencodeService
from orchestrator.services.throttle import Throttle
from orchestrator.services.tus import TusUploader
from orchestrator.settings import AnyService, EdgeService, TranscoderService
from orchestrator.wiring.account import Account

if TYPE_CHECKING:
    from orchestrator.services.publishing import Remover


@dataclass(frozen=True, slots=True)
class Route:
    """One service, and how files travel to it and back."""

    service: Service
    uploader: Uploader
    collector: Collector
    room: Room
    throttle: Throttle
    #: Removes published sources of items that failed; None where nothing is removed.
    remover: "Remover | None" = None

    def set_bandwidth(self, rate: int | None) -> None:
        """Limit all uploads together to ``rate`` bytes per second from now on; None: no limit."""
        self.throttle.rate = rate


@asynccontextmanager
async def open_route(
    config: Config,
    name: str,
    job: Job | None = None,
    bandwidth: int | None = None,
    note: Callable[[str], None] = lambda _: None,
    throttle: Throttle | None = None,
) -> AsyncIterator[Route]:
    """The service called ``name`` in the config, ready for use.

    ``job`` (``requests.for_service``) says where outputs are collected to; None
    collects nothing. ``bandwidth`` (bytes per second) is stronger than the
    config's; ``throttle`` is there for several routes to share one bound. ``note``
    hears what a person should know.
    A service of kind ``transcoder`` is started inside this process and spoken to
    over HTTP like any other. Raises ``BadInput`` where the config names a secret
    that is not set.
    """
    settings = config.service(name)
    async with AsyncExitStack() as stack:
        account = await _account(config, settings, stack)
        http = await stack.enter_async_context(
            Http(timeout=settings.timeout, connect_timeout=settings.connect)
        )
        throttle = throttle or Throttle(bandwidth or config.limits.bandwidth)
        expectations = Expectations(job.query) if job else None
        place = Placement(job.collect if job else None, expectations)
        if isinstance(settings, EdgeService) or (job is not None and job.order is not None):
            from orchestrator.wiring.orders import open_orders

            orders = await stack.enter_async_context(
                open_orders(config, name, job, account, http, throttle, place, note)
            )
            yield Route(
                service=orders.service,
                uploader=orders.uploader,
                collector=orders.collector,
                room=orders.room,
                throttle=throttle,
                remover=orders.remover,
            )
        else:
            yield _tasks(config, name, account, http, throttle, place)


async def _account(config: Config, settings: AnyService, stack: AsyncExitStack) -> Account:
    """How the service is reached; one inside this process is started."""
    if isinstance(settings, TranscoderService):
        from orchestrator.wiring.inside import inside

        return await stack.enter_async_context(inside(settings))
    if isinstance(settings, EdgeService):
        told = (settings.client_secret, settings.client_id, settings.company)
        return Account(settings.url, *(config.secret(each) for each in told))
    return Account(settings.url, config.secret(settings.api_key))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an item's outputs are collected to, as its job says."""

    collect: Collect | None
    expectations: Expectations | None = None

    def __call__(self, item: Item, output: Output) -> Path | None:
        """The file (or, for an output of many files, the folder); None: not collected."""
        if self.collect is None:
            return None
        folder = Path(self.collect.folder(item.fields))
        tag = output.user_tag or output.tag
        expected = self.expectations.of(item, output) if self.expectations else None
        if is_folder(output, expected.names if expected else ()):
            return folder / self.collect.folder_name(expected.folder or tag if expected else tag)
        ext = output.url.rpartition("/")[2].partition("?")[0].rpartition(".")[2]
        return folder / self.collect.file_name(tag, ext, item.fields)


def _tasks(
    config: Config, name: str, account: Account, http: Http, throttle: Throttle, place: Placement
) -> Route:
    """The way to a service that takes uploads and tasks, as Qencode's does."""
    upload = config.upload
    collector = HttpCollector(
        http,
        account.url,
        place,
        expectations=place.expectations,
        room=DiskRoom(config.collect.min_free),
    )
    return Route(
        service=QencodeService(name, http, account.url, account.secret, env=os.environ),
        uploader=TusUploader(
            http,
            account.url,
            chunk=upload.chunk,
            small=upload.small,
            checksum=upload.checksum,
            stall=upload.stall,
            throttle=throttle,
        ),
        collector=collector,
        room=collector,
        throttle=throttle,
    )
