"""How bad a night is, and how much is done at once in it."""

from dataclasses import dataclass

from orchestrator.engine import Limits

_FEW = Limits(uploads=16, starts=4, in_flight=200, collects=8, upload_ahead=32)
_MANY = Limits(uploads=64, starts=32, in_flight=2000, collects=32, upload_ahead=64)


@dataclass(frozen=True, slots=True)
class Weather:
    """How often what goes wrong. Times are in seconds, what has no unit is a probability.

    For each call: ``hiccup`` (HTTP 502), ``throttled`` (HTTP 429 that names a pause),
    ``slow`` (a link that takes up to a minute). For each start: ``lost`` before it
    took effect and, as often, after it; ``late`` is the part of those lost on the
    way there that still arrive within ``lateness``. For each encode: ``fails`` for
    good, ``passes`` (a fault that another attempt mends), ``silent`` (says nothing new
    for hours), ``replaced`` (``retry_on_error``: a copy under another token).

    Masters die every ``master_dies_every``, the service goes away every
    ``outage_every`` and then forgets each encode under way with probability
    ``forgets``. A task token and what was uploaded under it expire together, after
    ``token_life``. ``lowest`` and ``highest`` bound the capacity, which moves.
    ``crash_after`` is the mean number of the engine's own steps (calls, uploads,
    ledger writes) before it is killed, ``crashes`` how often at most. ``tick`` makes
    time coarse (``clock.run_virtually``): no answer comes sooner.
    """

    hiccup: float = 0.01
    throttled: float = 0.002
    slow: float = 0.01
    lost: float = 0.01
    late: float = 0.3
    lateness: float = 20.0
    fails: float = 0.01
    passes: float = 0.01
    silent: float = 0.003
    replaced: float = 0.01
    master_dies_every: float = 300.0
    outage_every: float = 1800.0
    forgets: float = 0.05
    token_life: float = 1800.0
    lowest: int = 10
    highest: int = 100
    crash_after: float = 600.0
    crashes: int = 10
    tick: float = 0.25
    limits: Limits = _FEW


#: A few hundred items, and everything that can go wrong.
STORM = Weather()

#: Tens of thousands: what a bad night has, no worse. Time is coarse, so that it passes quickly.
NIGHT = Weather(
    hiccup=0.002,
    throttled=0.0005,
    slow=0.002,
    lost=0.003,
    fails=0.005,
    passes=0.003,
    silent=0.0003,
    replaced=0.003,
    master_dies_every=1200.0,
    outage_every=7200.0,
    forgets=0.02,
    lowest=100,
    highest=1000,
    crash_after=100_000.0,
    crashes=10,
    tick=2.0,
    limits=_MANY,
)

#: Nothing goes wrong. The capacity moves, as it always does.
CALM = Weather(
    hiccup=0.0,
    throttled=0.0,
    slow=0.0,
    lost=0.0,
    fails=0.0,
    passes=0.0,
    silent=0.0,
    replaced=0.0,
    master_dies_every=1e9,
    outage_every=1e9,
    crashes=0,
)
