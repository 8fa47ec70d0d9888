"""The bounds of a run, and what it would come to."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.ledger import Planned
from orchestrator.model.decisions import Action
from orchestrator.model.errors import BadInput
from orchestrator.model.items import Row
from orchestrator.model.window import moment
from orchestrator.query import Job
from orchestrator.query.hours import BudgetTable, WindowTable
from orchestrator.wiring.bounds import allowance, hours
from orchestrator.wiring.estimate import Estimate
from orchestrator.wiring.zone import MachineZone

NIGHT = WindowTable.model_validate({"opens": "22:00", "closes": "06:00", "zone": "UTC"})
PRICES = {"currency": "EUR", "per_minute": [{"output": "mp4", "price": 0.5}]}
JOB = Job("night", Path("/j.toml"), "/m.csv", {"format": [{"output": "mp4"}]})


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_run_begun_early_waits_and_says_until_when() -> None:
    found = hours(Config(), replace(JOB, window=NIGHT), None, at("2026-11-22T18:00"))
    assert (found.opens_at, found.closes_at) == (at("2026-11-22T22:00"), at("2026-11-23T06:00"))
    assert "Sun 2026-11-22 22:00" in found.early
    assert found.late == "the window closed at 06:00 and opens again Mon 2026-11-23 22:00"


def test_until_closes_earlier_and_never_later() -> None:
    job, now = replace(JOB, window=NIGHT), at("2026-11-22T23:00")
    assert hours(Config(), job, "03:00", now).closes_at == at("2026-11-23T03:00")
    assert hours(Config(), job, "09:00", now).closes_at == at("2026-11-23T06:00")


def test_until_before_the_opening_is_refused() -> None:
    with pytest.raises(BadInput, match="before the window opens"):
        hours(Config(), replace(JOB, window=NIGHT), "20:00", at("2026-11-22T18:00"))


def test_the_jobs_window_takes_the_configs_place() -> None:
    config = Config(window={"opens": "22:00", "closes": "06:00", "zone": "UTC"})  # type: ignore[arg-type]
    now = at("2026-11-22T18:00")
    assert hours(config, JOB, None, now).opens_at is not None
    assert hours(config, replace(JOB, window=WindowTable()), None, now).opens_at is None


def test_a_bound_in_money_needs_prices() -> None:
    job = replace(JOB, budget=BudgetTable(max_cost=10))
    with pytest.raises(BadInput, match="needs prices"):
        allowance(Config(), job)
    assert allowance(Config(prices=PRICES), job).account.currency == "EUR"  # type: ignore[arg-type]


def test_an_estimate_leaves_out_what_is_done() -> None:
    estimate = Estimate(Config(prices=PRICES), JOB)  # type: ignore[arg-type]
    row = Row("a", "/a.mp4", size=1000, duration=120.0)
    sized = Row("b", "/b.mp4", size=2000)
    for action, each in [(Action.NEW, row), (Action.SKIP, row), (Action.KEEP, sized)]:
        estimate.add(Planned("k", action, "", 5, each))
    estimate.add(Planned("k", Action.SET_ASIDE, "", 5))
    account = estimate.account
    assert (account.items, account.guessed, account.minutes, account.cost) == (2, 1, 6.0, 3.0)


def test_the_machines_zone_is_what_the_system_says() -> None:
    zone = MachineZone()
    for day in (15, 170, 300):
        when = at("2026-01-01T12:00") + day * 86400
        local = datetime.fromtimestamp(when, zone)
        assert local.replace(tzinfo=None).timestamp() == when
        assert moment(local.date(), local.time(), zone) == when
