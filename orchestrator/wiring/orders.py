"""Builds what stands between the engine and a service that takes orders."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from orchestrator.config import Config
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Item
from orchestrator.model.ports import Collector, Room, Uploader
from orchestrator.query import Job, OrderRecipe, Origins, Publish, resolve_secrets
from orchestrator.services.collect import Placement
from orchestrator.services.delivered import DeliveredCollector, Delivery
from orchestrator.services.disk_room import DiskRoom
from orchestrator.services.edge import EdgeClient, EdgeService
from orchestrator.services.http import Http
from orchestrator.services.publishing import (
    MappedUploader,
    PlaceUploader,
    Remover,
    RemovingCollector,
)
from orchestrator.services.throttle import Throttle
from orchestrator.storage import Reach, Refused, Resumable, Target, open_place
from orchestrator.storage.disk import Disk
from orchestrator.wiring.account import Account
from orchestrator.wiring.reading import RemoteReader


@dataclass(frozen=True, slots=True)
class Orders:
    """An account that takes orders, how its sources get to it and its outputs come back."""

    service: EdgeService
    uploader: Uploader
    collector: Collector
    room: Room
    remover: Remover | None


@asynccontextmanager
async def open_orders(
    config: Config,
    name: str,
    job: Job | None,
    account: Account,
    http: Http,
    throttle: Throttle,
    place: Placement,
    note: Callable[[str], None],
) -> AsyncIterator[Orders]:
    """Ready for use. Raises ``BadInput`` for a folder to publish in that can't be one."""
    client = EdgeClient(http, account.url, account.company, account.client, account.secret)
    service = EdgeService(name, client, env=os.environ, told=http.secrets)
    async with AsyncExitStack() as stack:
        disk = Disk()
        stack.callback(disk.close)
        uploader, remover = None, None
        publish = job.publish if job is not None else None
        if publish is not None:
            uploader = await stack.enter_async_context(_published(config, publish, throttle, disk))
            remover = Remover(uploader, note, whole=publish.remove)
            stack.push_async_callback(remover.aclose)
        origins = job.origins if job is not None else None
        collector = DeliveredCollector(
            place,
            _Deliveries(job),
            RemoteReader(disk, config.collect.min_free, config.state / "known_hosts"),
            DiskRoom(config.collect.min_free),
        )
        removed = None
        if uploader is not None and publish is not None and publish.remove:
            removed = RemovingCollector(collector, uploader, note)
        yield Orders(
            service,
            MappedUploader(origins or Origins({}), uploader),
            removed or collector,
            collector,
            remover,
        )


@asynccontextmanager
async def _published(
    config: Config, publish: Publish, throttle: Throttle, disk: Disk
) -> AsyncIterator[PlaceUploader]:
    """The folder that sources are put into."""
    reach = Reach(disk, config.state / "known_hosts")
    wanted = publish.destination(os.environ)
    try:
        target = Target.of(wanted, reach)
    except Refused as error:
        raise BadInput(f"publish: {error}") from error
    async with open_place(wanted, reach) as place:
        if not isinstance(place, Resumable):
            raise BadInput(f"publish: can't publish at {wanted.scheme}://")
        yield PlaceUploader(place, target, publish, throttle=throttle, stall=config.upload.stall)


class _Deliveries:
    """Where an item's order delivers first, as its own service would reach it."""

    def __init__(self, job: Job | None) -> None:
        self._recipe = OrderRecipe(job) if job is not None else None

    def __call__(self, item: Item) -> Delivery:
        if self._recipe is None:
            raise ValueError("nothing is collected without a job")
        order = self._recipe.request(item)["order"]
        folder = str(resolve_secrets(order["destinations"][0], os.environ))
        asked = [*order.get("thumbnails", ())]
        asked += [image for each in order["jobs"] for image in each.get("thumbnails", ())]
        return Delivery(folder, tuple(str(image["filename"]) for image in asked))
