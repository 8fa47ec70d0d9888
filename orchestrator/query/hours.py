"""``[window]`` and ``[budget]``, as they stand in job files and in the config alike."""

from datetime import time, tzinfo
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.model.errors import BadInput
from orchestrator.model.money import Budget
from orchestrator.model.window import EVERY_DAY, Window, days_of
from orchestrator.query.base import Part
from orchestrator.query.values import refuse

_ZONE_HINT = "names look like Europe/Madrid; UTC is one"


def _time_of_day(value: object) -> object:
    if isinstance(value, time) and value.tzinfo is None:
        return value
    try:
        return time.fromisoformat(value) if isinstance(value, str) else _no_time()
    except ValueError:
        return _no_time()


def _no_time() -> object:
    raise refuse('must be a time of day, such as "22:00"')


def _days(value: object) -> frozenset[int]:
    if isinstance(value, frozenset):
        return value
    if isinstance(value, list | tuple) and all(isinstance(day, str) for day in value):
        value = ",".join(value)
    if not isinstance(value, str):
        raise refuse("must be days, such as mon-fri")
    try:
        return days_of(value)
    except BadInput as error:
        raise refuse(str(error)) from None


def _zone(value: object) -> str:
    try:
        if isinstance(value, str):
            ZoneInfo(value)
            return value
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise refuse(f"is not a time zone ({_ZONE_HINT})")


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class WindowTable(Part):
    """When work may begin. Without it: always."""

    opens: TimeOfDay | None = Field(None, description="When it opens: a time of day.")
    closes: TimeOfDay | None = Field(
        None,
        description="When it closes; a time that is not after it opens is the next day's.",
    )
    zone: Annotated[str, BeforeValidator(_zone)] | None = Field(
        None, description="The time zone of both; without it, the machine's."
    )
    days: Annotated[frozenset[int], BeforeValidator(_days)] = Field(
        EVERY_DAY, description="The days on which it opens: mon-fri, or a list."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.opens is None) != (self.closes is None):
            missing = "opens" if self.opens is None else "closes"
            raise refuse("is missing: a window opens and closes", field=missing)
        return self

    def window(self, local: tzinfo) -> Window | None:
        """The window; None: always open. ``local`` is the machine's own zone."""
        if self.opens is None or self.closes is None:
            return None
        zone = ZoneInfo(self.zone) if self.zone else local
        return Window(self.opens, self.closes, zone, self.days)


_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BudgetTable(Part):
    """The most that one run may begin. Without a value: no bound."""

    max_minutes: _Positive | None = Field(
        None, description="Minutes of output, all outputs of an item together."
    )
    max_items: Annotated[int, Field(ge=1)] | None = Field(None, description="Items.")
    max_cost: _Positive | None = Field(
        None, description="Money, in the currency of [prices], by its rates."
    )

    def over(self, other: "BudgetTable") -> Budget:
        """Each bound of this one, or else the other's."""
        mine: dict[str, Any] = {**other.model_dump(), **self.model_dump(exclude_none=True)}
        return Budget(**mine)
