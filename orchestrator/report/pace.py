"""How fast a counter grows, measured over a sliding window."""

from collections import deque


class Pace:
    """The growth per second of a counter that is looked at now and then.

    Looking costs the same however often it is done: a sample is kept at most
    every ``window / 60`` seconds. Times are of a monotonic clock, in seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._samples: deque[tuple[float, float]] = deque()

    def look(self, now: float, value: float) -> None:
        """Take note that the counter stands at ``value``."""
        if not self._samples or now - self._samples[-1][0] >= self._window / 60:
            self._samples.append((now, value))
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._window:
            self._samples.popleft()

    def growth(self, value: float) -> float:
        """How much the counter grew inside the window."""
        return value - self._samples[0][1] if self._samples else 0.0

    def per_second(self, now: float, value: float) -> float | None:
        """Growth per second up to ``now``; None before there is a second to measure."""
        if not self._samples or now - self._samples[0][0] < 1.0:
            return None
        return self.growth(value) / (now - self._samples[0][0])
