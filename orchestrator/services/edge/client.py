"""Transparent Edge's HTTP API, call by call."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from orchestrator.model.errors import Transient
from orchestrator.services.http import Http
from orchestrator.services.redact import redact
from orchestrator.services.refusals import Unauthorized
from orchestrator.services.renewed_token import Granted, RenewedToken

#: Orders that one listing answers at most.
PAGE = 100


class EdgeClient:
    """One company's account. ``http`` is its own: secrets are told to it.

    Every method raises the families of ``model.errors``; ``OutcomeUnknown``
    only where a call must not be repeated blindly (``create``, ``requeue``).
    """

    def __init__(
        self,
        http: Http,
        base: str,
        company: str,
        client_id: str,
        client_secret: str,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._base = http, base.rstrip("/")
        self._media = f"/v1/media/{quote(company, safe='')}"
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._token = RenewedToken(self._obtain, now)
        http.secrets.add(client_secret)

    @property
    def orders(self) -> str:
        """The path of the list of orders."""
        return f"{self._media}/transcode"

    async def check(self) -> str:
        """Trade the credentials for a token; the answer says where."""
        await self._token.renewed(await self._token.token())
        return redact(self._base)

    async def create(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post an order. It is not idempotent: a lost answer is ``OutcomeUnknown``."""
        form = {"order": orjson.dumps(order).decode()}
        answer = await self._call("POST", f"{self.orders}/", data=form, idempotent=False)
        return answer if isinstance(answer, dict) else {}

    async def order(self, order_id: str) -> Mapping[str, Any]:
        """One order. Raises ``NotThere``."""
        found = await self._call("GET", f"{self.orders}/{quote(order_id, safe='')}")
        return _object(found, "the order")

    async def page(
        self, *, limit: int = PAGE, offset: int = 0, search: str | None = None
    ) -> list[Mapping[str, Any]]:
        """A page of the orders: ``id``, ``created_on`` and ``status`` of each."""
        asked: dict[str, str | int] = {"limit": limit, "offset": offset}
        if search is not None:
            asked["search"] = search
        found = await self._call("GET", f"{self.orders}?{urlencode(asked)}")
        if isinstance(found, dict):
            # Paged answers of this kind of API come wrapped.
            found = found.get("results", found.get("objects"))
        return _objects(found, "the list of orders")

    async def requeue(self, order_id: str) -> None:
        """Launch a failed order again. Raises ``NotThere``."""
        path = f"{self._media}/transcode_requeue/{quote(order_id, safe='')}/"
        await self._call("POST", path, data={}, idempotent=False)

    async def profiles(self) -> list[Mapping[str, Any]]:
        """The account's transcoding profiles."""
        found = await self._call("GET", f"{self._media}/transcoding_profiles/")
        return _objects(found, "the list of profiles")

    async def profile(self, profile_id: int) -> Mapping[str, Any]:
        """One profile. Raises ``NotThere``."""
        return _object(await self._call("GET", self._profile(profile_id)), "the profile")

    async def create_profile(self, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """A new profile; the answer has its ``id``."""
        path = f"{self._media}/transcoding_profiles/"
        return _object(
            await self._call("POST", path, json=profile, idempotent=False), "the profile"
        )

    async def update_profile(
        self, profile_id: int, profile: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Put ``profile`` in the place of the one of that id. Raises ``NotThere``."""
        found = await self._call("PUT", self._profile(profile_id), json=profile)
        return _object(found, "the profile")

    async def delete_profile(self, profile_id: int) -> None:
        """Remove a profile. Raises ``NotThere``."""
        await self._call("DELETE", self._profile(profile_id))

    async def allowed_values(self) -> Mapping[str, Any]:
        """What the fields of a profile may hold."""
        found = await self._call("GET", f"{self._media}/allowed_values/")
        return _object(found, "the allowed values")

    async def consumed_minutes(self) -> Any:
        """What the account has used, as the service words it."""
        return await self._call("GET", f"{self._media}/transcoding/consumed_minutes/")

    def _profile(self, profile_id: int) -> str:
        return f"{self._media}/transcoding_profile/{profile_id}/"

    async def _call(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Any = None,
        idempotent: bool = True,
    ) -> Any:
        """The JSON answer; the token is renewed once where it is refused."""
        token = await self._token.token()
        try:
            return await self._send(method, path, token, data, json, idempotent=idempotent)
        except Unauthorized:
            token = await self._token.renewed(token)
        return await self._send(method, path, token, data, json, idempotent=idempotent)

    async def _send(
        self,
        method: str,
        path: str,
        token: str,
        data: Mapping[str, str] | None,
        json: Any,
        *,
        idempotent: bool,
    ) -> Any:
        return await self._http.call(
            method,
            self._base + path,
            data=data,
            json=json,
            shape=object,
            idempotent=idempotent,
            headers={"Authorization": f"Bearer {token}"},
        )

    async def _obtain(self) -> Granted:
        """Trade the client's credentials for a token (OAuth 2.0, RFC 6749, 4.4)."""
        form = {**self._credentials, "grant_type": "client_credentials"}
        url = f"{self._base}/v1/oauth2/access_token/"
        answer: Mapping[str, Any] = await self._http.call("POST", url, data=form, idempotent=True)
        token, life = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Transient("access_token: answer not understood: it has no access_token")
        self._http.secrets.add(token)
        said = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
        return token, life if said else None


def _object(found: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Transient(f"{what}: answer not understood")
    return found


def _objects(found: Any, what: str) -> list[Mapping[str, Any]]:
    """All or nothing: whatever is missing from a list would be taken for not there."""
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Transient(f"{what}: answer not understood")
    return found
