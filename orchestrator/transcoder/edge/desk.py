"""Placing orders and launching them again: what was asked becomes a task of the work queue."""

import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog

from orchestrator.model.items import Problem
from orchestrator.query import QueryError
from orchestrator.query.order import LOWEST, Order, parse_order
from orchestrator.transcoder.answers import ApiError, outline
from orchestrator.transcoder.edge.answers import shown_of
from orchestrator.transcoder.edge.orders import ERROR, Orders, StoredOrder, new_id
from orchestrator.transcoder.edge.profiles import Profiles, Stored
from orchestrator.transcoder.edge.protect import pssh_of
from orchestrator.transcoder.edge.query import OrderQuery, named, read_request
from orchestrator.transcoder.queue import WorkQueue
from orchestrator.transcoder.sources import Sources, without_credentials
from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import Start, TaskStore
from orchestrator.transcoder.vault import Vault

_log = structlog.get_logger(__name__)

#: How often an id may be taken: there are 9,000 in a second.
_TRIES: Final = 50


class NotAgain(Exception):
    """Raised when an order can't be launched again; says why."""


class Desk:
    """Takes orders. ``mail`` says whether mails can be sent."""

    def __init__(
        self,
        tasks: TaskStore,
        queue: WorkQueue,
        sources: Sources,
        storage: Storage,
        orders: Orders,
        profiles: Profiles,
        vault: Vault,
        *,
        mail: bool,
    ) -> None:
        self._tasks, self._queue, self._sources, self._storage = tasks, queue, sources, storage
        self._orders, self._profiles, self._vault, self._mail = orders, profiles, vault, mail

    async def place(self, company: str, document: Mapping[str, Any]) -> str:
        """Queue an order; the answer is its id. Raises ``QueryError``, ``ApiError``."""
        self._queue.check_room()
        order, profiles = await self._read(company, document)
        asked = {
            "order": order.document(),
            "profiles": {str(key): each.profile.document() for key, each in profiles.items()},
        }
        query = await self._checked(asked)
        shown = shown_of(order, query, profiles, mail=self._mail)
        for _ in range(_TRIES):
            id_ = new_id(time.time())
            token = await self._tasks.create()

            def write(db: sqlite3.Connection, id_: str = id_, token: str = token) -> None:
                self._orders.write(db, id_, company, token, shown, asked)

            try:
                await self._tasks.start(token, self._start(query, asked), write)
            except sqlite3.IntegrityError:
                continue  # an id that is taken: the task was never started, and goes by itself
            self._queue.wake()
            _log.info("order_placed", order=id_, task=token, jobs=len(order.jobs))
            return id_
        raise sqlite3.OperationalError("no order id is free")

    async def again(self, company: str, order: StoredOrder) -> None:
        """Launch a failed order again. Raises ``NotAgain``, ``QueryError``, ``ApiError``."""
        if order.status != ERROR:
            raise NotAgain(f"order {order.id} is {order.status}: only failed orders are requeued")
        asked = await self._orders.asked(company, order.id)
        if asked is None:
            raise NotAgain(f"order {order.id} is too long ago: place it again")
        self._queue.check_room()
        query = await self._checked(asked)
        token = await self._tasks.create()
        try:
            await self._tasks.start(
                token,
                self._start(query, asked),
                lambda db: self._orders.relaunch(db, order.id, order.task, token),
            )
        except LookupError:
            raise NotAgain(f"order {order.id} is under way again already") from None
        self._queue.wake()
        _log.info("order_requeued", order=order.id, task=token)

    async def _read(
        self, company: str, document: Mapping[str, Any]
    ) -> tuple[Order, dict[int, Stored]]:
        """The order with every profile by its id, and the profiles. Raises ``QueryError``."""
        order = parse_order(document)
        all_ = await self._profiles.all(company)
        ids, names = {each.id: each for each in all_}, {each.profile.name: each for each in all_}
        jobs, used = [], {}
        for place, job in enumerate(order.jobs):
            by_id = job.profile_id is not None
            found = ids.get(job.profile_id or 0) if by_id else names.get(job.profile or "")
            if found is None:
                field = f"order.jobs[{place}].{'profile_id' if by_id else 'profile'}"
                hint = "see transcoding_profiles"
                told = Problem("order", "is no profile of this company", hint, field=field)
                raise QueryError([told])
            used[found.id] = found
            jobs.append(job.model_copy(update={"profile_id": found.id, "profile": None}))
        return order.model_copy(update={"jobs": tuple(jobs)}), used

    async def _checked(self, asked: Mapping[str, Any]) -> OrderQuery:
        """What can't work is refused at once. Raises ``QueryError``, ``ApiError``."""
        query = read_request(asked)
        if not isinstance(query, OrderQuery):
            raise TypeError("an order makes the query of an order")
        if query.drm is not None:
            pssh_of(query.drm)
        try:
            self._storage.check(query)
            await self._sources.check("", query)
        except ApiError as error:
            told = named(query, str(error))
            raise ApiError(error.code, told, field=told.partition(":")[0]) from None
        return query

    def _start(self, query: OrderQuery, asked: Mapping[str, Any]) -> Start:
        data = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        return Start(
            asked,
            self._vault.digest(data),
            without_credentials(query.source or ""),
            outline(query),
            priority=scale(asked["order"].get("priority")),
        )


def scale(priority: int | None) -> int:
    """An order's priority (5 to 10) among all tasks' (0 to 10); without one it is usual."""
    return 0 if priority is None else (priority - LOWEST) * 2
