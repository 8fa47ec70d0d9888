"""How many encodes may be in flight: learnt from the starts that a service takes and refuses.

Pure: counts and times in, permission out; the gate does the waiting. What it knows:

- A refusal names the service's capacity: the encodes that run at that moment. They are
  counted by what has been seen of them, some seconds late, so a few fewer are kept.
- From one refusal to the next the capacity has gone some way, its swing. Where that is
  much, the number is kept further below, and more is asked for sooner.
- Asking for more costs nothing when it is granted, and one refusal when it is not.
  Refusals are bought from an allowance that the starts taken pay for. Once one beyond
  the ceiling is taken, there may be room for many: it climbs until it is refused.
- A start refused below the ceiling says that the capacity has fallen. Then nothing
  leaves until a part of the encodes has ended, a larger part after every refusal, so
  that a fall costs refusals as its logarithm. Falling too far is mended by starts taken.
- What has left without an answer is refused along with the first one after a fall. So
  starts leave one after the other, as long as that keeps up with the ends.
"""

import math

#: Starts taken that pay for one that may be refused: under 2% of all, with some in reserve.
STARTS_PER_REFUSAL = 60

#: Refusals that can be saved up, so that a calm hour pays for a wild one. The same as debts.
RESERVE = 30.0

#: A reserve smaller by this many refusals makes asking e times as rare.
THRIFT = 25.0

#: What the swing of an unknown service is taken for (a logarithm), and over how many
#: refusals its moving mean goes.
USUAL_SWING, SWINGS = 0.08, 40.0

#: The part of the encodes in flight that must have been replaced before more are tried, where
#: the swing is 1 and the reserve half full, in inverse proportion; and never more than this part.
TURNOVER, LONGEST_TURNOVER = 0.0096, 1.5

#: Kept free, in swings, below what was refused when more was asked for, and after a fall, which
#: says less exactly how much there is; and the largest part of the encodes that is kept free.
MARGIN, MARGIN_AFTER_FALL, BIGGEST_MARGIN = 0.2, 0.6, 0.1

#: The part of the encodes in flight that is waited for after a fall, doubled with each
#: further refusal; and the most of them that is waited for at once.
STEP, BIGGEST_STEP = 0.04, 0.4

#: Starts taken in a climb for each further one that may be without an answer.
CLIMB = 64

#: Places free below the level for each further start that may be without an answer.
BACKLOG = 2

#: Seconds after a refusal in which no encode ended, and a start is tried all the same:
#: what was full may not have been the places. Doubled with every one in vain, up to the last, and
#: kept until more run than did then: of a few places that stay a few, little is asked.
STALE, STALEST = 15.0, 300.0


class Places:
    """Decides whether one more start may leave.

    ``running`` are the encodes that the service has taken and that have not ended as
    far as we know, ``pending`` the starts that have left without an answer so far.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._sure: int | None = None  # so many may run, as the last answers say
        self._ceiling: int | None = None  # up to here it climbs without asking
        self._allowance = RESERVE
        self._turn = 0
        self._calm = 0
        self._climbed = 0
        self._refusals = self._falls = self._in_vain = 0
        self._refused_at, self._refused_with = 0.0, 0
        self._swing = USUAL_SWING

    @property
    def level(self) -> int:
        """How many encodes may be in flight, as far as is known."""
        return self.most if self._sure is None else max(1, min(self._sure, self.most))

    def room(self, running: int, pending: int, now: float) -> bool:
        """Whether one more start may leave now."""
        total = running + pending
        if total >= self.most:
            return False
        if self._refusals:
            return pending == 0 and (running < self.level or now >= self.asks_at(running))
        if self._sure is None:
            return True
        if total < self._sure:
            return pending < max(1, (self._sure - running) // BACKLOG)
        if pending > self._climbed // CLIMB:
            return False
        return self._ceiling is None or total < self._ceiling or self._may_ask()

    def asks_at(self, running: int) -> float:
        """When a refused start may be tried again though no encode has ended; or never."""
        if not self._refusals or running < self._refused_with:
            return math.inf
        return self._refused_at + min(STALEST, STALE * 2.0 ** min(self._in_vain, 16))

    def leaving(self) -> int:
        """A start leaves now. The answer is to be told with what becomes of it."""
        return self._turn

    def taken(self, running: int, turn: int) -> None:
        """A start was taken; it is one of the ``running``."""
        self._allowance = min(RESERVE, self._allowance + 1 / STARTS_PER_REFUSAL)
        if self._sure is None or turn != self._turn:
            return
        self._calm += 1
        if self._refusals:
            if running > self._refused_with:
                self._in_vain = 0
            self._refusals = self._falls = 0
            self._sure = running
        elif running > self._sure:
            self._sure = running
            self._climbed += 1
        if self._ceiling is not None and running > self._ceiling:
            self._ceiling, self._climbed = None, 0

    def refused(self, running: int, turn: int, now: float) -> None:
        """A start was refused; it is not one of the ``running``."""
        self._allowance = max(-RESERVE, self._allowance - 1)
        if turn != self._turn:
            return  # it left before an earlier refusal was known, which says it all
        self._turn += 1
        self._calm = self._climbed = 0
        self._refused_at = now
        if self._refusals and running >= self._refused_with:
            self._in_vain += 1
            return  # nothing has ended: that it is still full is no news
        asked = not self._refusals and (self._sure is None or running >= self._sure)
        if not self._refusals and self._refused_with and running:
            swing = min(1.0, abs(math.log(running / self._refused_with)))
            self._swing += (swing - self._swing) / SWINGS
        self._falls += not asked
        self._refusals += 1
        self._refused_with = running
        swings = MARGIN if asked else MARGIN_AFTER_FALL
        margin = min(BIGGEST_MARGIN, swings * self._swing)
        self._ceiling = max(1, running - round(margin * running))
        self._sure = max(1, running - round(max(margin, self._step()) * running))

    def _step(self) -> float:
        return min(BIGGEST_STEP, STEP * 2.0 ** min(self._falls - 1, 16)) if self._falls else 0.0

    def _may_ask(self) -> bool:
        """Whether enough was taken since the last refusal to risk another one.

        A part of the encodes is the same part of an encode's time, however long they
        take. A capacity that moves much and a full reserve make it smaller. Nothing is
        asked that can't be paid for, which is what bounds an account of a few places.
        """
        if self._allowance < 1 - RESERVE:
            return False
        thrift = math.exp((RESERVE / 2 - self._allowance) / THRIFT)
        replaced = self._calm / max(1, self._refused_with)
        return replaced >= LONGEST_TURNOVER or replaced * self._swing >= TURNOVER * thrift
