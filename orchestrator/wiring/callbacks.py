"""Opens the receiver of a service's callbacks, where the config has one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.services.callbacks import CallbackReceiver
from orchestrator.settings import AnyService, TranscoderService


@asynccontextmanager
async def open_callbacks(
    settings: AnyService, hint: Callable[[str], None]
) -> AsyncIterator[str | None]:
    """Where queries and orders are to call back while the receiver is up; None: nowhere.

    ``hint`` gets the tokens of tasks that there is news of. Raises ``BadInput``
    where it can't listen.
    """
    if isinstance(settings, TranscoderService) or settings.callback_listen is None:
        yield None
        return
    public = settings.callback_public_url or ""
    async with CallbackReceiver(settings.callback_listen, public, hint) as receiver:
        yield receiver.url
