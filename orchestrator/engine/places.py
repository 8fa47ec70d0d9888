"""How many encodes may be in flight: learnt from the starts that a service takes and refuses.

Pure: counts and times in, permission out; the gate does the waiting. What it knows:

- A refusal names the service's capacity: the encodes that run at that moment.
- A place comes free as an encode ends. So a refused start needs no long pause, only
  fewer encodes: at first one fewer, and if that is refused too, ever more.
- That there is more room shows only by asking for it, and asking for too much is
  refused. So refusals are bought from an allowance that the starts taken pay for:
  the part of the calls that is refused is bounded, whatever the capacity does.
- Once one beyond the known level is taken, there may be room for many: the level
  climbs with the answers, with as many starts at risk as the allowance can pay for.
"""

#: Starts taken that pay for one that may be refused: under 2% of all, with some in reserve.
STARTS_PER_REFUSAL = 80

#: Refusals that can be saved up, so that a calm hour pays for a wild one. The same as debts.
RESERVE = 40.0

#: The part of the encodes in flight that is waited for after a second refusal; then doubled.
STEP = 0.03

#: The most of them that is waited for at once.
BIGGEST_STEP = 0.25

#: The part of the encodes in flight that must have been replaced before more are tried.
TURNOVER = 0.25

#: Seconds after a refusal in which no encode ended, and a start is tried all the same:
#: what was full may not have been the places. Doubled with every refusal, up to the last.
STALE, STALEST = 15.0, 300.0


class Places:
    """Decides whether one more start may leave.

    ``running`` are the encodes that the service has taken and that have not ended as
    far as we know, ``pending`` the starts that have left without an answer so far.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._level: int | None = None
        self._ceiling: int | None = None
        self._allowance = RESERVE
        self._refusals = 0
        self._refused_at = 0.0
        self._climbed = 0
        self._turn = 0
        self._calm = 0
        self._lower = 0

    @property
    def level(self) -> int:
        """How many encodes may be in flight, as far as is known."""
        return self.most if self._level is None else max(1, min(self._level, self.most))

    @property
    def refusing(self) -> bool:
        """Whether the last that was heard is a refusal: then one start at a time leaves."""
        return self._refusals > 0

    def room(self, running: int, pending: int, now: float) -> bool:
        """Whether one more start may leave now."""
        total = running + pending
        if total >= self.most:
            return False
        if self._level is None:
            return True
        if self._refusals:
            return pending == 0 and (running < self.level or now >= self.stale_at)
        return total < self.level or pending < self._risk()

    @property
    def stale_at(self) -> float:
        """When a start may be tried though no place is known to have come free."""
        return self._refused_at + min(STALEST, STALE * 2.0 ** min(self._refusals - self._lower, 16))

    def leaving(self) -> int:
        """A start leaves now. The answer is to be told with what becomes of it."""
        return self._turn

    def taken(self, running: int, turn: int) -> None:
        """A start was taken; it is one of the ``running``."""
        self._allowance = min(RESERVE, self._allowance + 1 / STARTS_PER_REFUSAL)
        if self._level is None or turn != self._turn:
            return
        self._calm += 1
        if self._refusals:
            self._lower = 0
            self._refusals, self._climbed, self._level = 0, 1, running
        elif running > self._level:
            self._level = running
            self._climbed += 1
        if self._ceiling is not None and running >= self._ceiling:
            self._ceiling, self._climbed = None, 0

    def refused(self, running: int, turn: int, now: float) -> None:
        """A start was refused; it is not one of the ``running``."""
        self._allowance = max(-RESERVE, self._allowance - 1)
        if turn != self._turn:
            return  # it left before an earlier refusal was known, which says it all
        self._turn += 1
        self._refusals += 1
        self._refused_at = now
        self._calm = self._climbed = 0
        # Refused though fewer run than when it last was: so it has less room than then.
        fell = self._refusals > 1 and running < (self._ceiling or 0)
        self._lower = self._lower + 1 if fell else 0
        self._ceiling = running
        self._level = max(0, running - self._fewer(running))

    def _fewer(self, running: int) -> int:
        """How many encodes to wait for beyond the first. More where refusals have run short."""
        steps = self._lower + (self._allowance < RESERVE / 4)
        if not steps:
            return 0
        part = min(BIGGEST_STEP, STEP * 2.0 ** min(steps - 1, 16))
        return max(1, int(running * part))

    def _risk(self) -> int:
        """How many starts beyond what is known to be taken may be without an answer."""
        if self._climbed:  # it climbs: there was more room than was known
            return max(1, int(min(self._climbed / 2, self._allowance / 4)))
        return int(self._calm >= self._starts_before_asking())

    def _starts_before_asking(self) -> float:
        """How many starts to see taken before one beyond the level is tried.

        A part of the level is the same part of an encode's time, however long they
        take. The emptier the reserve, the more of it.
        """
        short = RESERVE / 2 / max(1.0, self._allowance)
        return min(2.0 * STARTS_PER_REFUSAL, TURNOVER * self.level * short)
