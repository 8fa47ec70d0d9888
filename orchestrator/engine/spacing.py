"""How many starts may leave in a second."""

import math

#: Seconds of lateness that are made up for: timers are late by a little.
SLACK = 0.01


class StartPace:
    """Spaces starts evenly. Pure: times in (monotonic seconds), waiting times out."""

    def __init__(self, per_second: float | None) -> None:
        self._gap = 0.0
        self._last = -math.inf
        self.set(per_second)

    def set(self, per_second: float | None) -> None:
        """From the next start on; None for no bound. Raises ``ValueError`` for 0 and less."""
        if per_second is not None and per_second <= 0:
            raise ValueError("starts_per_second must be above 0, or None for no bound")
        self._gap = 0.0 if per_second is None else 1.0 / per_second

    def wait(self, now: float) -> float:
        """Seconds until one more may leave; 0 for now."""
        return max(0.0, self._last + self._gap - now) if self._gap else 0.0

    def take(self, now: float) -> None:
        """One leaves now."""
        self._last = max(self._last + self._gap, now - SLACK)
