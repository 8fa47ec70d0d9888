"""Several engines as one: each at a service of its own, all on one ledger."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import anyio

from orchestrator.engine.allowance import Allowance
from orchestrator.engine.breaker import Bounds, Doorway
from orchestrator.engine.closing import Closing, Hours
from orchestrator.engine.dispatch import FAILING, Dispatcher, Member, SharedLedger
from orchestrator.engine.engine import Engine
from orchestrator.engine.limits import Limits, Patience
from orchestrator.engine.oversight import Oversight
from orchestrator.engine.parts import Parts
from orchestrator.engine.seat import Share, SharedAdmission, Told, Watched
from orchestrator.model.errors import AccountProblem, TooManyFailures, Unreachable
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Observer

#: What ends the work of one service, in a word; all else ends the run.
_ENDS = {AccountProblem: "suspended", Unreachable: "unreachable", TooManyFailures: FAILING}


@dataclass(frozen=True, slots=True)
class Berth:
    """A service of a run: what its engine is built from, and what it may be given.

    Of ``parts``, ledger and observer are those of the run. ``weight`` is its share of
    the load, ``can`` says whether it could do an item.
    """

    parts: Parts
    limits: Limits
    patience: Patience
    weight: float = 1.0
    can: Callable[[Item], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Rules:
    """What a run keeps to. Failures count for each service by itself, all else for all."""

    hours: Hours
    bounds: Bounds
    allowance: Allowance
    at_most: int | None = None
    follow: bool = False


class _Ship:
    """One engine of the fleet, and its rules."""

    def __init__(self, berth: Berth, fleet: "Fleet", rules: Rules, *, strangers: bool) -> None:
        parts, self._dispatcher = berth.parts, fleet.dispatcher
        self.name = parts.service.name
        self.share = Share(self.name, fleet.ledger, fleet.dispatcher, strangers=strangers)
        told = Told(self.name, parts.observer, fleet.dispatcher)
        self._oversight = Oversight(told, parts.clock, Hours(), rules.bounds, rules.allowance)
        self.engine = Engine(
            replace(parts, ledger=self.share, observer=self._oversight),
            berth.limits,
            berth.patience,
            # The dispatcher knows when all have nothing left to do.
            follow=True,
            admission=SharedAdmission(rules.allowance, fleet.full),
        )
        self.member = Member(self.name, berth.weight, berth.can, self.engine)
        fleet.dispatcher.members[self.name] = self.member
        self._turned = anyio.Event()
        self.engine.when_turned(self._turn)
        self.entrance: Doorway = Watched(
            self.engine.entrance, self.name, fleet.dispatcher, self._turn
        )

    async def serve(self) -> None:
        """Work; what the service can't begin now goes to the others meanwhile."""
        stopped: list[Exception] = []
        async with anyio.create_task_group() as tasks:

            async def until_the_end(part: Awaitable[None]) -> None:
                try:
                    await part
                except Exception as error:  # noqa: BLE001 - raised below, when all is quiet
                    stopped.append(error)
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_the_end, self._mind())
            tasks.start_soon(until_the_end, self._oversight.run(self))
        if stopped:
            raise stopped[0]

    async def run(self) -> None:
        """See ``Overseen``."""
        await self.engine.run()

    async def leave(self, word: str, now: float) -> None:
        """The engine has ended: all that it had not started may be begun elsewhere."""
        reason = f"{self.name} is {word}"
        await self.engine.give_back(reason, uploaded=True)
        async for item, was in self.share.leave(reason, now):
            self._oversight.moved(item, was)

    def close(self, reason: str) -> None:
        """See ``Overseen``."""
        self.engine.close(reason)

    def _turn(self) -> None:
        self._turned.set()

    async def _mind(self) -> None:
        """Have the service's trouble shared out whenever it begins, and the work when it ends."""
        while True:
            await self._turned.wait()
            self._turned = anyio.Event()
            now = self.member.now()
            if now.trouble:
                others = [each.now() for each in self._dispatcher.live if each is not self.member]
                free = any(each.open and each.places > 0 for each in others)
                await self._dispatcher.relocate(self.member, now.trouble, prepared=free)
            self.engine.look_again()


class _Entrances:
    """Those of all engines as one."""

    def __init__(self, ships: Sequence[_Ship]) -> None:
        self._ships = ships

    def shut(self, reason: str) -> None:
        for ship in self._ships:
            ship.engine.entrance.shut(reason)

    def open(self, reason: str) -> None:
        for ship in self._ships:
            ship.engine.entrance.open(reason)


class Fleet:
    """A run at several services. What ``Engine`` can be asked, all engines are asked."""

    def __init__(
        self,
        berths: Sequence[Berth],
        rules: Rules,
        ledger: SharedLedger,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self.ledger = ledger
        self.dispatcher = Dispatcher(ledger, clock, at_most=rules.at_most, follow=rules.follow)
        self._observer = observer
        self._clock = clock
        self._ships = [
            _Ship(berth, self, rules, strangers=number == 0) for number, berth in enumerate(berths)
        ]
        self.engines: Mapping[str, Engine] = {ship.name: ship.engine for ship in self._ships}
        self._closing = Closing(
            rules.hours, clock, _Entrances(self._ships), self.close, observer.note
        )
        #: What ended the work of single services.
        self.lost: dict[str, Exception] = {}

    @property
    def closed(self) -> str:
        """Why nothing new is begun any more; "" while it is."""
        return next((engine.closed for engine in self.engines.values() if engine.closed), "")

    async def run(self) -> None:
        """Work until nothing is left that one of the services could do.

        Raises what stops a run, and what stopped the services where none is left.
        """
        stopped: list[Exception] = []
        async with anyio.create_task_group() as tasks:

            async def serve_all() -> None:
                async with anyio.create_task_group() as serving:
                    for ship in self._ships:
                        serving.start_soon(self._serve, ship, stopped, serving.cancel_scope)
                tasks.cancel_scope.cancel()

            tasks.start_soon(serve_all)
            tasks.start_soon(self._closing.run)
        if stopped:
            raise stopped[0]
        if self.lost and len(self.lost) == len(self._ships):
            errors = self.lost.values()
            accounts = (error for error in errors if isinstance(error, AccountProblem))
            raise next(chain(accounts, errors))

    async def _serve(
        self, ship: _Ship, stopped: list[Exception], all_of_it: anyio.CancelScope
    ) -> None:
        try:
            try:
                await ship.serve()
            except tuple(_ENDS) as error:
                await self._lose(ship, error)
        except Exception as error:  # noqa: BLE001 - raised by run(), when all is quiet
            stopped.append(error)
            all_of_it.cancel()

    async def _lose(self, ship: _Ship, error: Exception) -> None:
        """One service does nothing more in this run: the others take over what they can."""
        self.lost[ship.name] = error
        member, word = ship.member, next(w for kind, w in _ENDS.items() if isinstance(error, kind))
        self._observer.note(f"{ship.name} does nothing more in this run: {error}")
        member.gone = word
        member.moving += 1
        await ship.leave(word, self._clock.now())
        member.moving -= 1
        self.dispatcher.take_back(member)

    # --- what may be asked of it while it runs ----------------------------------

    def drain(self) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.drain()

    def full(self, reason: str) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.full(reason)

    def close(self, reason: str) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.close(reason)

    def pause(self) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.pause()

    def resume(self) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.resume()

    def cancel(self, ids: Collection[int]) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.cancel(ids)
        self.dispatcher.forget(ids)

    def reordered(self, turns: Mapping[int, tuple[int, float]]) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.reordered(turns)

    def look_again(self) -> None:
        """See ``Engine``."""
        self.dispatcher.news()

    def set_limits(
        self,
        *,
        in_flight: int | None = None,
        uploads: int | None = None,
        starts_per_second: float | None = None,
    ) -> None:
        """See ``Engine``. Each service is given the same."""
        for engine in self.engines.values():
            engine.set_limits(
                in_flight=in_flight, uploads=uploads, starts_per_second=starts_per_second
            )
        self.look_again()

    def hint(self, task: str) -> None:
        """See ``Engine``."""
        for engine in self.engines.values():
            engine.hint(task)
