"""Transparent Edge's orders as a ``Service``: the engine knows them as tasks.

An order's id is known only once it was posted, and that answer may be lost. So
the engine's handle of an order is a mark of ours, durable before anything is
sent; every job's label in the order ends in it, and the list of orders is
searched for it.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.errors import BadRequest
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.query import resolve_secrets
from orchestrator.services.edge.client import PAGE, EdgeClient
from orchestrator.services.edge.reading import (
    marked,
    names,
    phase_of,
    playlist_of,
    profiles_in,
    read_order,
)
from orchestrator.services.refusals import NotThere

_ENDED = (Phase.DONE, Phase.FAULTED)


class EdgeService:
    """One company's account. ``env`` holds what ``${env:NAME}`` stands for.

    ``told`` are the secrets that no message may show.
    """

    def __init__(
        self, name: str, client: EdgeClient, *, env: Mapping[str, str], told: set[str]
    ) -> None:
        self._name, self._client, self._env, self._secrets = name, client, env, told
        self._profiles: dict[str, int] = {}
        #: The master playlists of profiles by their ids; "" for those that make no HLS.
        self._playlists: dict[int, str] = {}
        #: Ids of orders by their marks; those that are not here are searched for.
        self._ids: dict[str, str] = {}
        self._last: dict[str, TaskReport] = {}
        self._seen: dict[str, str] = {}
        #: How many pages of the list were needed the last time.
        self._pages = 1

    @property
    def name(self) -> str:
        """The name under ``[services]`` in the config."""
        return self._name

    async def prepare(self, attempt: Attempt) -> Attempt:
        """Give the attempt its mark; the service hears nothing yet."""
        return attempt.but(task=secrets.token_hex(8))

    async def start(
        self,
        attempt: Attempt,
        request: Mapping[str, Any],
        payload: str | None,  # noqa: ARG002 - an order has no place for one
    ) -> str:
        """Post the order in ``request["order"]``; the answer is the path of the list.

        Raises ``BadRequest`` for a profile that the account has not.
        """
        if attempt.task is None:
            raise ValueError(f"attempt {attempt.number} was not prepared")
        order = resolve_secrets(request["order"], self._env)
        jobs = [await self._job(job, attempt.task) for job in order["jobs"]]
        answer = await self._client.create({**order, "jobs": jobs})
        order_id = answer.get("order_id", answer.get("id"))
        if order_id:
            self._ids[attempt.task] = str(order_id)
        return self._client.orders

    async def find(self, attempt: Attempt) -> TaskReport | None:
        """The order's report; None where the list has no order with the attempt's mark."""
        if attempt.task is None:
            return None
        return await self._detail(attempt.task)

    async def report(
        self,
        tasks: Sequence[str],
        status_url: str | None,  # noqa: ARG002 - there is one list for all
    ) -> Mapping[str, TaskReport]:
        """Reports of ``tasks``: many orders in one listing, details where something changed.

        A few are asked for one by one, where the list would take more requests.
        """
        reports: dict[str, TaskReport] = {}
        known = [task for task in tasks if task in self._ids]
        if len(known) > self._pages:
            statuses = await self._statuses({self._ids[task] for task in known})
        else:
            statuses = {}
        for task in tasks:
            report = await self._report(task, statuses.get(self._ids.get(task, "")))
            if report is not None:
                reports[task] = report
        return reports

    async def check(self) -> str:
        """Trade the credentials for a token."""
        where = await self._client.check()
        return f"{self._name}: {where} answers and takes the credentials"

    async def _report(self, task: str, status: str | None) -> TaskReport | None:
        """From the list's word where it has not changed, else from the order itself."""
        last = self._last.get(task)
        if status is not None and last is not None and self._seen.get(task) == status:
            return last
        report = await self._detail(task)
        if report is not None and status is not None:
            self._seen[task] = status
        return report

    async def _detail(self, task: str) -> TaskReport | None:
        order_id = self._ids.get(task) or await self._search(task)
        if order_id is None:
            return None
        try:
            order = await self._client.order(order_id)
        except NotThere:
            self._forget(task)
            return None
        if phase_of(order.get("status")) is Phase.DONE:
            await self._know(profiles_in(order))
        report = read_order(task, order, self._secrets, self._playlists)
        if report.phase in _ENDED:
            self._forget(task)
        else:
            self._ids[task], self._last[task] = order_id, report
        return report

    async def _search(self, task: str) -> str | None:
        """The id of the order whose jobs have the mark; None where there is none."""
        for each in await self._client.page(search=task):
            order_id = str(each.get("id"))
            if names(await self._client.order(order_id), task):
                self._ids[task] = order_id
                return order_id
        return None

    async def _statuses(self, wanted: set[str]) -> dict[str, str]:
        """The listed status of each order that is ``wanted``, by its id."""
        found: dict[str, str] = {}
        pages = 0
        while len(found) < len(wanted):
            page = await self._client.page(limit=PAGE, offset=pages * PAGE)
            pages += 1
            found |= {
                str(each.get("id")): str(each.get("status"))
                for each in page
                if str(each.get("id")) in wanted
            }
            if len(page) < PAGE:
                break
        self._pages = max(1, pages)
        return found

    async def _job(self, job: Mapping[str, Any], task: str) -> dict[str, Any]:
        """A job as the service takes it: its label marked, its profile by id."""
        made = {**job, "label": marked(str(job["label"]), task)}
        wanted = made.pop("profile", None)
        if wanted is not None:
            made["profile_id"] = await self._profile(str(wanted))
        return made

    async def _profile(self, wanted: str) -> int:
        if wanted not in self._profiles:
            await self._ask_for_profiles()
        if wanted not in self._profiles:
            known = ", ".join(sorted(self._profiles)) or "none"
            raise BadRequest(f"the account has no profile called {wanted!r} (it has: {known})")
        return self._profiles[wanted]

    async def _know(self, profiles: Sequence[int]) -> None:
        """Have the playlists of these profiles; one that is gone by now made a file, for all
        that can be known.
        """
        if not self._playlists.keys() >= set(profiles):
            await self._ask_for_profiles()
            for each in profiles:
                self._playlists.setdefault(each, "")

    async def _ask_for_profiles(self) -> None:
        for each in await self._client.profiles():
            if str(each.get("id", "")).isdecimal():
                self._profiles[str(each.get("name"))] = int(each["id"])
                self._playlists[int(each["id"])] = playlist_of(each)

    def _forget(self, task: str) -> None:
        """An order that has ended is asked for no more."""
        for kept in (self._ids, self._last, self._seen):
            kept.pop(task, None)
