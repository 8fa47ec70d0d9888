"""Where new work comes in: one valve before uploads, one before starts."""

from collections.abc import Callable

from orchestrator.engine.valve import Valve


class Entrance:
    """Both valves as one: they shut and open together.

    ``waiting`` says how many items are uploaded and wait for their start.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.uploads = Valve()
        self.starts = Valve()
        self._waiting = waiting

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nothing new begins, the oldest reason first; none while it may."""
        return self.starts.reasons

    def shut(self, reason: str) -> None:
        """Let nothing begin until ``reason`` (and every other one) is taken back."""
        self.uploads.shut(reason)
        self.starts.shut(reason)

    def open(self, reason: str) -> None:
        """Take one reason back."""
        self.uploads.open(reason)
        self.starts.open(reason)

    def let_one(self) -> None:
        """Let one item go all the way although it is shut; an uploaded one if there is any."""
        self.starts.let_one()
        if not self._waiting():
            self.uploads.let_one()
