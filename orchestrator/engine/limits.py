"""How much of everything the engine does at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run; each at least 1.

    ``in_flight`` counts encodes at the service. ``upload_ahead`` counts sources
    that are uploaded and wait for a start: they expire at the service, so
    uploads keep only a bounded lead. ``starts_per_second`` is above 0, or None for
    no bound.
    """

    uploads: int = 4
    starts: int = 8
    in_flight: int = 50
    collects: int = 4
    upload_ahead: int = 16
    starts_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the engine waits and how often it tries; times in seconds.

    ``attempts`` bounds the tries of one step of an item, ``encodes`` how often it is
    encoded in one run where encodes are lost or fail in passing. Backoff has full
    jitter between 0 and a bound that doubles from ``first`` up to ``cap``.
    ``unreachable_for`` is how long a service may be out of reach before the
    run ends, with everything resumable; ``settle`` for how long a start whose
    answer was lost may still arrive. ``poll_min`` and ``poll_max`` bound the
    time between two looks at one task, ``poll_batch`` the tasks asked for in one
    request. A task that a service says nothing new of for ``stuck_after`` is
    reported, and given up for another attempt where ``retry_stuck`` says so;
    None: never.
    """

    attempts: int = 8
    encodes: int = 3
    first: float = 1.0
    cap: float = 60.0
    unreachable_for: float = 3600.0
    settle: float = 30.0
    poll_min: float = 5.0
    poll_max: float = 30.0
    poll_batch: int = 100
    stuck_after: float | None = None
    retry_stuck: bool = False
