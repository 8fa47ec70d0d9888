"""The session token that an API key is traded for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.model.errors import Transient

#: Seconds. A token is renewed this long before it expires (or a tenth of its life), ...
_MARGIN = 300.0
#: ... but used this long in any case, so that two clocks at odds make no storm of renewals, ...
_LEAST = 30.0
#: ... and taken to live this long where the answer doesn't say.
_UNSAID = 3600.0


class Session:
    """Holds one token for all tasks; ``obtain`` asks the service for a new one.

    However many callers find it spent, it is asked for once. ``now`` gives
    UNIX seconds.
    """

    def __init__(
        self, obtain: Callable[[], Awaitable[Mapping[str, Any]]], now: Callable[[], float]
    ) -> None:
        self._obtain = obtain
        self._now = now
        self._token = ""
        self._good_until = 0.0
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for now."""
        if self._now() < self._good_until:
            return self._token
        return await self.renewed(self._token)

    async def renewed(self, spent: str) -> str:
        """A token other than ``spent``, which the service refused or which has run out."""
        async with self._renewing:
            if self._token == spent:
                await self._renew()
        return self._token

    async def _renew(self) -> None:
        answer = await self._obtain()
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise Transient("access_token: answer not understood: it has no token")
        now = self._now()
        life = max(_expiry(answer.get("expire"), now) - now, 0.0)
        self._good_until = now + max(life - min(_MARGIN, life / 10), _LEAST)
        self._token = token


def _expiry(value: Any, now: float) -> float:
    """``expire``: a date and time in UTC, as in "2020-12-31 23:59:59"; UNIX seconds."""
    if not isinstance(value, str):
        return now + _UNSAID
    try:
        named = datetime.fromisoformat(value.strip())
        return (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return now + _UNSAID
