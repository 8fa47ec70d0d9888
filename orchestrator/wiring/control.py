"""Control of a running job: wishes from the ledger, carried out and answered."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import structlog

from orchestrator.ledger import SqlLedger
from orchestrator.ledger.altering import Altered
from orchestrator.ledger.wishes import (
    Answer,
    Cancel,
    Limit,
    Pause,
    Prioritize,
    Resume,
    Retry,
    Wish,
)
from orchestrator.model.errors import BadInput, LedgerProblem
from orchestrator.model.states import State

log = structlog.get_logger(__name__)

#: Seconds between two looks for new wishes: one indexed question each.
EVERY = 0.25

#: Items that the engine is told about at a time.
CHUNK = 10_000

_AT_SERVICE = (State.STARTING, State.ENCODING)
_PAUSED = "paused: nothing new uploads or starts; what is under way is followed and collected"


class Controlled(Protocol):
    """What may be asked of an engine while it runs."""

    def pause(self) -> None:
        """Begin nothing new."""

    def resume(self) -> None:
        """Go on after ``pause``."""

    def cancel(self, ids: Collection[int]) -> None:
        """Do no more for these items, which the ledger has as cancelled."""

    def reordered(self, turns: Mapping[int, tuple[int, float]]) -> None:
        """These items have another priority and rank now."""

    def look_again(self) -> None:
        """Something may be pending that was not."""

    def set_limits(
        self,
        *,
        in_flight: int | None = None,
        uploads: int | None = None,
        starts_per_second: float | None = None,
    ) -> None:
        """Change what is given."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries wishes out: the ledger first, then the engine, None where no run is under way.

    ``ageing`` is in seconds (``model.turns``); ``set_bandwidth`` takes bytes per second.
    ``services`` are what may be asked of single services, by name.
    """

    job: str
    ledger: SqlLedger
    ageing: float
    engine: Controlled | None = None
    set_bandwidth: Callable[[int], None] | None = None
    services: Mapping[str, Controlled] = field(default_factory=dict)

    async def carry_out(self, wish: Wish) -> Answer:
        """Do what is wished; what came of it. Raises ``LedgerProblem``."""
        match wish:
            case Prioritize():
                return await self._prioritize(wish)
            case Cancel():
                return await self._cancel(wish)
            case Retry():
                return await self._retry(wish)
            case Pause() | Resume() | Limit():
                if self.engine is None:
                    return no_run(self.job)
                return self._steered(self.engine, wish)

    async def _prioritize(self, wish: Prioritize) -> Answer:
        priority = wish.priority
        done = await self.ledger.alter(
            lambda change: change.prioritize(wish.match, priority, self.ageing)
        )
        if not done:
            return await self._nothing("no waiting item", wish.match)
        if self.engine is not None:
            for at in range(0, len(done), CHUNK):
                some = zip(done.ids[at : at + CHUNK], done.ranks[at : at + CHUNK], strict=True)
                self.engine.reordered({number: (priority, rank) for number, rank in some})
                await asyncio.sleep(0)
            self.engine.look_again()
        verb = "has" if len(done) == 1 else "have"
        return _yes(f"{_counted(len(done), 'waiting ')} now {verb} priority {priority}", done)

    async def _cancel(self, wish: Cancel) -> Answer:
        done = await self.ledger.alter(lambda change: change.cancel(wish.match))
        if not done:
            return await self._nothing("no unfinished item", wish.match)
        if self.engine is not None:
            for at in range(0, len(done), CHUNK):
                self.engine.cancel(done.ids[at : at + CHUNK])
                await asyncio.sleep(0)
            self.engine.look_again()
        parts = [
            f"{number:,} {'waiting' if state is State.PENDING else state.value}"
            for state in State
            if (number := done.states.get(state, 0))
        ]
        message = f"{len(done):,} cancelled: {', '.join(parts)}"
        if any(done.states.get(state) for state in _AT_SERVICE):
            message += (
                "; encodes that the service has taken may still be finished and billed there, "
                "but nobody waits for them"
            )
        return _yes(message, done)

    async def _retry(self, wish: Retry) -> Answer:
        done = await self.ledger.alter(lambda change: change.retry(wish))
        if not done:
            return await self._nothing_to_retry(wish)
        if self.engine is not None:
            self.engine.look_again()
        when = "the run takes them up now" if self.engine else "the next run takes them up"
        return _yes(f"{_counted(len(done))} back to pending: {when}", done)

    def _steered(self, engine: Controlled, wish: Pause | Resume | Limit) -> Answer:
        match wish:
            case Pause():
                engine.pause()
                return Answer(True, _PAUSED)
            case Resume():
                engine.resume()
                return Answer(True, "going on")
            case Limit():
                if wish.service is not None:
                    if wish.service not in self.services:
                        known = ", ".join(self.services)
                        return Answer(
                            False, f"the run has no service {wish.service!r}; it has: {known}"
                        )
                    engine = self.services[wish.service]
                engine.set_limits(
                    in_flight=wish.in_flight,
                    uploads=wish.uploads,
                    starts_per_second=wish.starts_per_second,
                )
                if wish.bandwidth is not None and self.set_bandwidth is not None:
                    self.set_bandwidth(wish.bandwidth)
                where = f" at {wish.service}" if wish.service else ""
                said = ", ".join(_limits(wish))
                return Answer(True, f"for the rest of this run{where}: {said}")

    async def _nothing_to_retry(self, wish: Retry) -> Answer:
        if wish.error_class == BadInput.error_class:
            return Answer(
                False,
                "nothing to retry: rows that could not be used are tried again by the next run, "
                "once the manifest is corrected",
            )
        if wish.error_class is not None:
            there = await self.ledger.alter(lambda change: change.classes())
            known = ", ".join(f"{kind} ({number:,})" for kind, number in there.items())
            match = f" and a key that matches {wish.match!r}" if wish.match else ""
            return Answer(
                False,
                f"nothing to retry: no failed item has the error class {wish.error_class!r}{match} "
                + (f"(failed are: {known})" if known else "(none has failed)"),
            )
        what = "no failed item" if wish.failed else "no failed or cancelled item"
        if wish.match is None:
            return Answer(False, f"nothing to retry: {what}")
        return await self._nothing(what, wish.match)

    async def _nothing(self, what: str, match: str) -> Answer:
        example = await self.ledger.alter(lambda change: change.example())
        hint = f" (keys look like {example!r}; * stands for any text)" if example else ""
        return Answer(False, f"{what} has a key that matches {match!r}{hint}")


class Control:
    """Looks for wishes while a run is under way. Never stops the run by an error of its own."""

    def __init__(self, carrier: Carrier, note: Callable[[str], None]) -> None:
        self._carrier = carrier
        self._ledger = carrier.ledger
        self._note = note

    async def run(self) -> NoReturn:
        """Carry wishes out as they come; ends by being cancelled."""
        while True:
            try:
                for number, wish in await self._ledger.wishes():
                    await self._answer(number, wish)
            except LedgerProblem as error:  # whoever works with the ledger ends the run
                log.error("wishes can't be read", error=str(error))
            await asyncio.sleep(EVERY)

    async def _answer(self, number: int, wish: Wish | None) -> None:
        if wish is None:
            said = Answer(False, "the run is of another version, and does not understand this")
        else:
            said = await self._carrier.carry_out(wish)
        log.info("wish", wish=str(wish), answer=said.message)
        if said.done:
            self._note(f"By request: {said.message}")
        await self._ledger.answer(number, said)


def no_run(job: str) -> Answer:
    """What is said where only a run could do what is wished."""
    return Answer(False, f"no run of {job} is under way")


def _limits(wish: Limit) -> list[str]:
    words = (
        (wish.in_flight, "at most {:,} encodes in flight"),
        (wish.uploads, "at most {:,} uploads at once"),
        (wish.starts_per_second, "at most {:g} starts per second"),
        (wish.bandwidth, "at most {:,} bytes per second uploaded"),
    )
    return [text.format(value) for value, text in words if value is not None]


def _yes(message: str, done: Altered) -> Answer:
    states = {state.value: number for state, number in done.states.items()}
    return Answer(True, message, len(done), states)


def _counted(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}item{'s' * (number != 1)}"
