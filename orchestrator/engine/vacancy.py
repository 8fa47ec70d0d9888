"""How much more an engine could begin soon."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vacancy:
    """``room``: items that may be taken up now, so that its uploads never stand still.

    ``places``: encodes that could be started and that nobody in hand waits for; it is
    0 or less where the service is full. ``waiting``: items that are taken up and not
    begun; ``hands``: workers who have nothing to begin. ``trouble`` says why the
    service takes nothing (``busy``, ``unreachable``), "" while it does; ``again`` is
    in how many seconds it is asked again (0: one item may be tried now; infinite: one
    is being tried).
    """

    room: int
    places: int
    waiting: int = 0
    hands: int = 0
    trouble: str = ""
    again: float = 0.0
