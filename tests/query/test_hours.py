"""[window] and [budget]."""

from datetime import UTC, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from orchestrator.model.money import Budget
from orchestrator.model.window import Window
from orchestrator.query.hours import BudgetTable, WindowTable


def test_a_window_in_its_own_zone_or_the_machines() -> None:
    table = WindowTable.model_validate({"opens": "22:00", "closes": time(6), "days": "mon-fri"})
    assert table.window(UTC) == Window(time(22), time(6), UTC, frozenset(range(5)))
    zoned = WindowTable.model_validate({"opens": "22:00", "closes": "06:00", "zone": "Asia/Tokyo"})
    window = zoned.window(UTC)
    assert window is not None
    assert window.zone == ZoneInfo("Asia/Tokyo")


def test_without_times_it_is_always_open() -> None:
    assert WindowTable().window(UTC) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"opens": "25:00"}, "time of day"),
        ({"opens": 22}, "time of day"),
        ({"zone": "Mars/Olympus"}, "not a time zone"),
        ({"zone": "../../etc/passwd"}, "not a time zone"),
        ({"zone": 3}, "not a time zone"),
        ({"days": "someday"}, "not a day"),
        ({"days": 3}, "days"),
        ({"days": []}, "is not a day"),
        ({"days": [1]}, "days"),
        ({"closes": None}, "opens and closes"),
        ({"until": "06:00"}, "[Ee]xtra"),
    ],
)
def test_what_is_no_window_is_refused_in_plain_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WindowTable.model_validate({"opens": "22:00", "closes": "06:00", **change})


def test_the_jobs_bounds_are_stronger_one_by_one() -> None:
    config = BudgetTable(max_minutes=600, max_items=100)
    assert BudgetTable(max_items=5).over(config) == Budget(max_minutes=600, max_items=5)
    assert BudgetTable().over(config) == Budget(max_minutes=600, max_items=100)


@pytest.mark.parametrize("bad", [{"max_items": 0}, {"max_minutes": -1}, {"max_cost": float("nan")}])
def test_bounds_are_positive(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BudgetTable.model_validate(bad)
