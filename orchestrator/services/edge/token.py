"""The bearer token that client credentials are traded for (OAuth 2.0, RFC 6749, 4.4)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from orchestrator.model.errors import Transient

#: Seconds. A token is renewed this long before it expires (or a tenth of its life), ...
_MARGIN = 300.0
#: ... but used this long in any case, so that no answer makes a storm of renewals, ...
_LEAST = 30.0
#: ... and taken to live this long where the answer doesn't say.
_UNSAID = 3600.0


class BearerToken:
    """One token for all calls; ``obtain`` asks for a new one, once for all who wait.

    ``now`` gives seconds that never go back.
    """

    def __init__(
        self, obtain: Callable[[], Awaitable[Mapping[str, Any]]], now: Callable[[], float]
    ) -> None:
        self._obtain, self._now = obtain, now
        self._token, self._good_until = "", 0.0
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for now."""
        if self._token and self._now() < self._good_until:
            return self._token
        return await self.renewed(self._token)

    async def renewed(self, spent: str) -> str:
        """A token other than ``spent``, which was refused or has run out."""
        async with self._renewing:
            if self._token == spent:
                await self._renew()
        return self._token

    async def _renew(self) -> None:
        answer = await self._obtain()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise Transient("access_token: answer not understood: it has no access_token")
        seconds = _life(answer.get("expires_in"))
        self._good_until = self._now() + max(seconds - min(_MARGIN, seconds / 10), _LEAST)
        self._token = token


def _life(said: object) -> float:
    """``expires_in``, in seconds."""
    if isinstance(said, int | float) and not isinstance(said, bool) and said > 0:
        return float(said)
    return _UNSAID
