"""The bounds of a run, from config, job and command line: hours, budget, failure rate."""

from datetime import datetime, tzinfo

from orchestrator.config import Config
from orchestrator.engine.allowance import Allowance
from orchestrator.engine.breaker import Bounds
from orchestrator.engine.closing import Hours
from orchestrator.model.errors import BadInput
from orchestrator.model.window import Window, closing_time, shown
from orchestrator.query import Job
from orchestrator.query.pricing import Pricer, PriceTable, Rate
from orchestrator.wiring import requests
from orchestrator.wiring.zone import MachineZone


def hours(config: Config, job: Job, until: str | None, now: float) -> Hours:
    """When a run that is begun ``now`` may begin things.

    The job's own ``[window]`` takes the config's place; ``until`` can only close
    earlier. Raises ``BadInput`` where ``until`` is no time, or nothing could begin.
    """
    local = MachineZone()
    window = (job.window or config.window).window(local)
    zone = window.zone if window else local
    closes = closing_time(until, now, zone) if until is not None else None
    if window is None:
        return Hours(closes_at=closes, late=f"it is {_clock(closes, zone)}" if closes else "")
    opens = None if window.is_open(now) else window.next_opening(now)
    if opens is not None and closes is not None and closes <= opens:
        raise BadInput(f"--until {until} comes before the window opens ({shown(opens, zone)})")
    end = window.next_closing(now)
    closes = min(moment for moment in (closes, end, float("inf")) if moment is not None)
    if closes == float("inf"):
        return Hours(opens)
    return Hours(
        opens,
        closes,
        early=f"The window is closed: nothing new begins before {shown(opens or now, zone)}.",
        late=_closed(window, closes),
    )


def _closed(window: Window, closes: float) -> str:
    again = window.next_opening(closes)
    word = f"the window closed at {_clock(closes, window.zone)}"
    return f"{word} and opens again {shown(again, window.zone)}" if again is not None else word


def _clock(when: float | None, zone: tzinfo) -> str:
    return datetime.fromtimestamp(when or 0.0, zone).strftime("%H:%M")


def price_table(config: Config) -> PriceTable:
    """What the service charges, as the config says."""
    prices = config.prices
    return PriceTable(
        currency=prices.currency if prices.per_minute else "",
        rates=tuple(
            Rate(rate.output, rate.price, rate.codec, rate.up_to) for rate in prices.per_minute
        ),
        two_pass=prices.two_pass,
        per_title=prices.per_title,
        hdr_to_sdr=prices.hdr_to_sdr,
    )


def allowance(config: Config, job: Job) -> Allowance:
    """What a run may spend. Raises ``BadInput`` for a bound in money without prices."""
    budget, table = job.budget.over(config.budget), price_table(config)
    if budget.max_cost is not None and not _can_price(job, table):
        raise BadInput(
            "budget.max_cost needs prices: write them under [prices] in the config, "
            "or take max_minutes"
            + ("" if job.order is None else f' (for orders: output = "{requests.ORDERED}")')
        )
    return Allowance(budget, Pricer(requests.billed(job), table), table.currency)


def _can_price(job: Job, table: PriceTable) -> bool:
    """Rates for the outputs of queries say nothing of orders."""
    return any(job.order is None or rate.output == requests.ORDERED for rate in table.rates)


def failure_bounds(config: Config) -> Bounds:
    """When the breaker acts."""
    breaker = config.breaker
    return Bounds(breaker.percent, breaker.of_last, breaker.pause, breaker.probes)
