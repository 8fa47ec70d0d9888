"""The real clock."""

import time


class SystemClock:
    """Implements ``model.ports.Clock`` with the machine's own time."""

    def now(self) -> float:
        """UNIX time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
