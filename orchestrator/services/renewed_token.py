"""The token that an account's key is traded for, renewed before it runs out."""

import asyncio
from collections.abc import Awaitable, Callable

#: Seconds. A token is renewed this long before it expires (or a tenth of its life), ...
_MARGIN = 300.0
#: ... but used this long in any case, so that no answer makes a storm of renewals, ...
_LEAST = 30.0
#: ... and taken to live this long where the answer doesn't say.
_UNSAID = 3600.0

#: A token, and the seconds that it is good for; None where nobody says.
Granted = tuple[str, float | None]


class RenewedToken:
    """One token for all calls; ``obtain`` asks for a new one, once for all who wait.

    ``now`` gives seconds.
    """

    def __init__(self, obtain: Callable[[], Awaitable[Granted]], now: Callable[[], float]) -> None:
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
        token, said = await self._obtain()
        life = _UNSAID if said is None else max(said, 0.0)
        self._good_until = self._now() + max(life - min(_MARGIN, life / 10), _LEAST)
        self._token = token
