"""Parameters of which a few run by default, and all with the slow tests."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], *kept: Any) -> list[Any]:
    """All of ``values``, for ``parametrize``; those that are not ``kept`` are marked slow."""
    return [
        value if value in kept else pytest.param(*_many(value), marks=pytest.mark.slow)
        for value in values
    ]


def _many(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
