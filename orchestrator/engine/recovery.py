"""Picks up what an earlier run left in flight, each state as its comment says."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from orchestrator.engine.work import Work
from orchestrator.model.items import Item
from orchestrator.model.ports import Ledger
from orchestrator.model.states import IN_FLIGHT, State

#: Items read at a time.
PAGE = 500

#: What recovery does with each state, for the line that reports it.
_WORDS: Mapping[State, str] = {
    State.UPLOADING: "uploads to resume",
    State.UPLOADED: "uploaded, to start",
    State.STARTING: "starts to look up",
    State.ENCODING: "encodes to re-attach",
    State.COLLECTING: "outputs to fetch",
}


async def left_in_flight(
    ledger: Ledger, service: str, found: Counter[State]
) -> AsyncIterator[Work]:
    """The items that an earlier run left in flight at ``service``, by id.

    Counts them by state in ``found``; those at another service are counted
    under ``PENDING`` and left alone: only that service can say what they became.
    """
    after = 0
    while page := await ledger.in_flight(IN_FLIGHT, after, PAGE):
        for item in page:
            if _is_at(item, service):
                found[item.state] += 1
                # A start on record may have left, or may not: it must be looked up.
                yield Work(item, uncertain=item.state is State.STARTING)
            else:
                found[State.PENDING] += 1
        after = page[-1].id


def summary(found: Counter[State]) -> str:
    """One line for people; empty when nothing was in flight."""
    parts = [f"{found[state]} {words}" for state, words in _WORDS.items() if found[state]]
    line = "Picking up: " + ", ".join(parts) if parts else ""
    if elsewhere := found[State.PENDING]:
        line += ("; " if line else "") + f"{elsewhere} in flight at another service, left there"
    return line


def _is_at(item: Item, service: str) -> bool:
    return item.attempt is not None and item.attempt.service == service
