"""Trying again: with pauses that grow, from where the last try stopped, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from orchestrator.transcoder.sources.faults import Interrupted, Unfetchable
from orchestrator.transcoder.sources.landing import FetchLimits, Landing

_LONGEST_PAUSE = 60.0
#: However much each try brings: a server that breaks after every byte is not worth more.
_MOST_TRIES = 100


class _Fruitless(stop_base):
    """Stops after some tries in a row that brought nothing new."""

    def __init__(self, landing: Landing, most: int) -> None:
        self._landing, self._most = landing, most
        self._furthest, self._count = 0, 0

    def __call__(self, retry_state: RetryCallState) -> bool:  # noqa: ARG002 - tenacity's
        if self._landing.done > self._furthest:
            self._furthest, self._count = self._landing.done, 0
        self._count += 1
        return self._count >= self._most


class _Pause(wait_base):
    """Grows, and is never shorter than what the server asked for."""

    def __init__(self, first: float) -> None:
        self._growing = wait_random_exponential(multiplier=first, max=_LONGEST_PAUSE)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.delay if isinstance(error, Interrupted) else 0.0
        return max(self._growing(retry_state), min(asked, _LONGEST_PAUSE))


async def persist(
    attempt: Callable[[], Awaitable[None]], landing: Landing, limits: FetchLimits
) -> None:
    """Call ``attempt`` until it succeeds.

    Raises ``Unfetchable``: its own, or one that says why the last try failed.
    """

    async def once() -> None:
        await attempt()

    trying = AsyncRetrying(
        retry=retry_if_exception_type(Interrupted),
        stop=_Fruitless(landing, limits.tries) | stop_after_attempt(_MOST_TRIES),
        wait=_Pause(limits.pause),
        reraise=True,
    )
    try:
        async with asyncio.timeout(limits.total) as clock:
            await trying(once)
    except Interrupted as error:
        raise Unfetchable(str(error)) from error
    except TimeoutError:
        if not clock.expired():
            raise
        raise Unfetchable(f"it took longer than {limits.total:g} seconds") from None
