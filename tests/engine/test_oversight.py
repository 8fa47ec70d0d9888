"""A whole engine within its hours, and when everything fails."""

from collections.abc import Callable, Mapping, Sequence

import anyio
import pytest

from orchestrator.engine import Engine, Parts
from orchestrator.engine.allowance import Allowance
from orchestrator.engine.breaker import Bounds
from orchestrator.engine.closing import Hours
from orchestrator.engine.oversight import Oversight
from orchestrator.model.errors import AccountProblem, EncodeFailed, TooManyFailures
from orchestrator.model.items import Item
from orchestrator.model.money import Budget, Charge
from orchestrator.model.states import State
from tests.engine.house import House
from tests.engine.simulated import LoopClock, PlainRecipe

pytestmark = pytest.mark.looptime

Make = Callable[..., House]
CLOSED = "the window closed"


class OneMinute:
    """Every item is a minute of output."""

    def charges(self, item: Item, seconds: float | None) -> Sequence[Charge]:
        return [Charge("mp4", 1.0, 0.5)]


class Overseen:
    """One run of a house's engine under rules; times in seconds from now."""

    def __init__(
        self,
        house: House,
        opens: float | None = None,
        closes: float | None = None,
        bounds: Bounds | None = None,
        **budget: float,
    ) -> None:
        self.house = house
        clock = LoopClock()
        now = clock.now()
        hours = Hours(
            None if opens is None else now + opens,
            None if closes is None else now + closes,
            "not yet",
            CLOSED,
        )
        self.oversight = Oversight(
            house.seen,
            clock,
            hours,
            bounds or Bounds(),
            Allowance(Budget(**budget), OneMinute(), "EUR"),  # type: ignore[arg-type]
        )
        self.engine: Engine | None = None

    async def run(self) -> Mapping[State, int]:
        house = self.house
        async with house.ledger() as ledger:
            parts = Parts(
                service=house.service,
                uploader=house.uploader,
                sources=house.sources,
                collector=house.collector,
                recipe=PlainRecipe(),
                ledger=ledger,
                observer=self.oversight,
                clock=LoopClock(),
            )
            self.engine = Engine(
                parts, house.limits, house.patience, admission=self.oversight.allowance
            )
            try:
                await self.oversight.run(self.engine)
            finally:
                self.oversight.allowance.close()
                self.counts = dict(await ledger.counts())
        return self.counts

    @property
    def closed(self) -> str:
        return self.engine.closed if self.engine else ""


async def test_without_rules_everything_is_done(house: Make) -> None:
    run = Overseen(house(10))
    assert await run.run() == {State.COMPLETED: 10}
    assert run.closed == ""
    account = run.oversight.allowance.account
    assert (account.items, account.minutes, account.cost) == (10, 10.0, 5.0)


async def test_when_it_closes_nothing_begins_and_what_is_encoding_is_collected(house: Make) -> None:
    home = house(30)
    run = Overseen(home, closes=25)
    counts = await run.run()
    assert run.closed == CLOSED
    assert State.ENCODING not in counts
    assert State.COLLECTING not in counts
    assert 0 < counts[State.COMPLETED] == sum(home.service.starts.values()) < 30
    again = await Overseen(home).run()
    assert again == {State.COMPLETED: 30}
    assert set(home.service.starts.values()) == {1}


async def test_before_it_opens_nothing_begins(house: Make) -> None:
    home = house(4)
    run = Overseen(home, opens=3600)
    assert await run.run() == {State.COMPLETED: 4}
    assert home.seen.notes == ["not yet"]
    assert anyio.current_time() > 3600


async def test_before_it_opens_what_is_at_the_service_is_collected(house: Make) -> None:
    home = house(4)
    async with home.ledger() as ledger:
        engine = home.engine(ledger)
        with anyio.move_on_after(12):
            await engine.run()
    encoding = sum(home.service.starts.values())
    assert encoding
    with anyio.move_on_after(300):
        await Overseen(home, opens=7200).run()
    assert home.seen.count("completed") == encoding
    assert sum(home.service.starts.values()) == encoding


async def test_when_everything_fails_the_run_stops_and_most_is_left(house: Make) -> None:
    home = house(50)
    home.service.faults = {f"tus:{number}.mp4": EncodeFailed("no") for number in range(50)}
    run = Overseen(home, bounds=Bounds(of_last=10, pause=60, probes=2))
    with pytest.raises(TooManyFailures, match="6 of the last 6 items failed"):
        await run.run()
    assert run.counts[State.FAILED] < 25
    home.service.faults.clear()
    counts = await Overseen(home).run()
    assert counts[State.COMPLETED] == 50 - counts[State.FAILED]


async def test_when_it_gets_better_the_run_goes_on(house: Make) -> None:
    home = house(30)
    home.service.faults = {f"tus:{number}.mp4": EncodeFailed("no") for number in range(6)}
    counts = await Overseen(home, bounds=Bounds(of_last=10, pause=60)).run()
    assert counts == {State.FAILED: 6, State.COMPLETED: 24}
    assert any("6 encode_failed" in note for note in home.seen.notes)
    assert "The item that was tried is done: going on." in home.seen.notes


async def test_what_stops_an_engine_is_raised_as_it_is(house: Make) -> None:
    home = house(4)
    home.service.trouble.plan("prepare", AccountProblem("suspended"))
    with pytest.raises(AccountProblem):
        await Overseen(home).run()


async def test_a_budget_is_used_up_and_the_next_run_goes_on(house: Make) -> None:
    home = house(10)
    run = Overseen(home, max_items=4)
    counts = await run.run()
    assert counts == {State.COMPLETED: 4, State.PENDING: 6}
    assert run.closed == "the budget of 4 items is used up"
    assert await Overseen(home, max_minutes=3).run() == {State.COMPLETED: 7, State.PENDING: 3}
    assert await Overseen(home, max_cost=100).run() == {State.COMPLETED: 10}
