"""Tasks that a service says nothing new of: told once, or given up for another attempt."""

from orchestrator.engine.limits import Patience
from orchestrator.engine.watched import Watched
from orchestrator.model.errors import Stuck
from orchestrator.model.ports import Observer, Phase


class Silence:
    """Judges by ``stuck_after``: seconds without a change of percent or phase.

    A task that waits in the service's queue may be told about, and is never given
    up: another attempt would only stand farther back. Time in which the service
    was not asked, or did not answer, does not count.
    """

    def __init__(self, patience: Patience, observer: Observer) -> None:
        self._after = patience.stuck_after
        self._retry = patience.retry_stuck
        self._observer = observer
        self._new: list[Watched] = []

    def check(self, watched: Watched) -> Stuck | None:
        """The error to give the task up with; None to go on watching it."""
        if self._after is None or watched.silent < self._after:
            return None
        if not watched.told:
            watched.told = True
            self._new.append(watched)
        if not self._retry or watched.phase is Phase.QUEUED:
            return None
        return Stuck(f"the service said nothing new of {watched.task} for {_long(self._after)}")

    def tell(self) -> None:
        """Say what was found since the last time, in one line however many there are."""
        if not self._new or self._after is None:
            return
        first, others = self._new[0], len(self._new) - 1
        more = f" (and {others} more)" if others else ""
        self._observer.note(
            f"Nothing new for {_long(self._after)} of {first.work.item.key}{more}: "
            f"{_standing(first)}, task {first.task}"
        )
        self._new = []


def _standing(watched: Watched) -> str:
    if watched.phase is Phase.QUEUED:
        return "still queued at the service"
    return f"{watched.phase}, {watched.percent:.0f}%"


def _long(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"
