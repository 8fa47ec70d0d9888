"""Who takes which pending item, where several services work on one ledger.

Each service has an engine of its own, whose feeder asks for pending items. They come
from here: read from the ledger once for all, handed out one by one as engines have
room (``engine.sharing`` decides), and taken back from who can't begin them.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from orchestrator.engine.sharing import Candidate, Choice, Shares, choose
from orchestrator.engine.vacancy import Vacancy
from orchestrator.engine.waiting import Able, Waiting
from orchestrator.model.errors import Moved
from orchestrator.model.items import Item
from orchestrator.model.ports import Clock, Ledger
from orchestrator.model.states import SETTLED, State

#: Items read from the ledger at a time.
PAGE = 512

#: Items in memory that nobody can take now; with so many, no more are read.
MOST = 20_000

#: Seconds. UNIX times are too coarse to wait for less: it would be no wait at all.
SOON = 0.01

#: Trouble of a service that most items fail at.
FAILING = "failing"


class SharedLedger(Ledger, Protocol):
    """A ledger that can leave rows out that name a service."""

    async def pending(
        self, limit: int, skip: Collection[int], without: Collection[str] = ()
    ) -> list[Item]:
        """As ``Ledger.pending``; without rows whose ``service`` is one of ``without``."""


class Hands(Protocol):
    """What is asked of an engine."""

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand."""

    @property
    def fresh(self) -> Collection[int]:
        """Items that it has, and that the ledger may still call pending."""

    def vacancy(self) -> Vacancy:
        """What it could begin soon."""

    def look_again(self) -> None:
        """There may be something to take up."""

    def full(self, reason: str) -> None:
        """Take nothing more up."""

    def give_back(
        self, reason: str, *, most: int | None = None, prepared: bool = False
    ) -> Awaitable[list[int]]:
        """Let go of what was not begun; the items' numbers."""


@dataclass(slots=True, eq=False)
class Member:
    """One of the services of a run.

    ``can`` says whether it could do an item. ``asked``: its engine has looked for
    work. ``failing``: nothing goes there but ``probes`` items. ``moving``: some of its
    items are on their way back. ``gone`` says why it does nothing more in this run.
    """

    name: str
    weight: float
    can: Callable[[Item], bool]
    engine: Hands
    assigned: list[Item] = field(default_factory=list)
    asked: bool = False
    failing: bool = False
    probes: int = 0
    moving: int = 0
    gone: str = ""

    def now(self) -> Candidate:
        """What could go there now."""
        vacancy = self.engine.vacancy()
        room, trouble = vacancy.room, self.gone or vacancy.trouble
        if vacancy.trouble and not self.gone and vacancy.again <= 0:
            room, trouble = 1 - vacancy.waiting, ""  # the next request tells how it is now
        if self.failing and not trouble:
            room, trouble = self.probes, "" if self.probes else FAILING
        return Candidate(self.name, self.weight, room, vacancy.places, trouble)


class Dispatcher:
    """Hands pending items out to ``members``, which are added before anything else.

    ``at_most`` bounds how many items are begun; None: all. With ``follow`` the engines
    are not told to end when nothing is left.
    """

    def __init__(
        self, ledger: SharedLedger, clock: Clock, *, at_most: int | None, follow: bool
    ) -> None:
        self.members: dict[str, Member] = {}
        #: How many items each service completed.
        self.done: Counter[str] = Counter()
        self._ledger = ledger
        self._clock = clock
        self._left = float("inf") if at_most is None else at_most
        self._follow = follow
        self._lock = asyncio.Lock()
        self._shares = Shares()
        self._waiting = Waiting()
        self._now: dict[str, Candidate] = {}
        #: Why an item goes where it goes, until that is written down.
        self._reasons: dict[int, str] = {}
        #: Why it went away from where it was; and where its last attempt failed.
        self._because: dict[int, tuple[str, str]] = {}
        self._failed_at: dict[int, str] = {}
        self._read_to: tuple[float, frozenset[str]] | None = None

    @property
    def live(self) -> list[Member]:
        """Those that work."""
        return [member for member in self.members.values() if not member.gone]

    # --- what engines ask -------------------------------------------------------

    async def pending(self, name: str) -> list[Item]:
        """What the service of that name is to begin now."""
        async with self._lock:
            member = self.members[name]
            member.asked = True
            await self._share_out()
            items, member.assigned = member.assigned, []
        if not items:
            await self._relieve(member)
        return items

    async def next_due(self, name: str, after: float) -> float | None:
        """When that service, which asked at ``after``, should ask again; UNIX seconds.

        Ends all where nothing is left.
        """
        async with self._lock:
            due = await self._ledger.next_due(after)
            if due is None and self._all_done():
                for member in self.live:
                    member.engine.full("")
        vacancy = self.members[name].engine.vacancy()
        if vacancy.trouble and 0 < vacancy.again < float("inf"):
            again = self._clock.now() + max(vacancy.again, SOON)
            return again if due is None else min(due, again)
        return due

    def reason(self, item: Item) -> str:
        """Why the item went where it is being begun: asked once."""
        return self._reasons.pop(item.id, "")

    # --- what it hears ----------------------------------------------------------

    def moved(self, name: str, item: Item, was: State) -> None:
        """An item has taken a step at a service."""
        if item.state is State.PENDING and was is not State.PENDING:
            if item.attempt is not None and item.attempt.error_class != Moved.error_class:
                self._failed_at[item.id] = name
            self.news()
        elif item.state in SETTLED:
            self.done[name] += item.state is State.COMPLETED
            self._failed_at.pop(item.id, None)
            self._because.pop(item.id, None)

    def news(self) -> None:
        """Other items may be pending than were: all look again."""
        self._waiting.clear()
        self._read_to = None
        for member in self.live:
            member.engine.look_again()

    def take_back(self, member: Member) -> None:
        """What was handed out to a service, and not taken, is for all again."""
        for item in member.assigned:
            self._left += 1
            self._reasons.pop(item.id, None)
        member.assigned.clear()
        self.news()

    def forget(self, ids: Collection[int]) -> None:
        """These items are not to be begun."""
        for member in self.live:
            member.assigned = [item for item in member.assigned if item.id not in ids]

    async def relocate(
        self, member: Member, trouble: str, *, most: int | None = None, prepared: bool = False
    ) -> None:
        """Have a service give back what it has not begun, for ``trouble``."""
        because = f"{member.name} is {trouble}"
        member.moving += 1
        try:
            with anyio.CancelScope(shield=True):  # who asked for it may end meanwhile
                gone = await member.engine.give_back(because, most=most, prepared=prepared)
        finally:
            member.moving -= 1
        self._left += len(gone)
        self._because |= dict.fromkeys(gone, (member.name, because))
        if gone or member.assigned:
            self.take_back(member)

    # --- handing out ------------------------------------------------------------

    async def _share_out(self) -> None:
        self._now = {member.name: member.now() for member in self.members.values()}
        for member in self.live:
            self._count_in(member.name, len(member.assigned))
        while not self._deal() and self._left > 0 and self._some_open() and await self._read():
            pass

    def _deal(self) -> bool:
        """Hand out what is in memory; whether some of it waits for a better service."""
        held: list[tuple[Item, Able]] = []
        while self._left > 0 and (found := self._waiting.take(self._is_open)):
            item, able = found
            choice = self._choice(item, able)
            if choice is None:
                held.append(found)
                if len(held) >= PAGE:
                    break
            else:
                self._assign(item, self.members[choice.service], choice.reason)
        for item, able in held:
            self._waiting.put(item, able)
        return bool(held)

    def _choice(self, item: Item, able: Able) -> Choice | None:
        left = self._because.get(item.id, ("", ""))[0]
        return choose(
            [self._told(each, able) for each in self._now.values()],
            self._shares,
            own=item.fields.get("service", ""),
            failed_at=self._failed_at.get(item.id, left),
        )

    def _assign(self, item: Item, member: Member, reason: str) -> None:
        member.assigned.append(item)
        self._left -= 1
        self._count_in(member.name, 1)
        if member.failing and member.probes:
            member.probes -= 1
        left, because = self._because.pop(item.id, ("", ""))
        moved = left not in ("", member.name) and not item.fields.get("service")
        self._reasons[item.id] = f"{member.name}: {because if moved else reason}"
        member.engine.look_again()

    def _count_in(self, name: str, number: int) -> None:
        was = self._now[name]
        self._now[name] = Candidate(
            name, was.weight, was.room - number, was.places - number, was.trouble
        )

    def _is_open(self, name: str) -> bool:
        return self._now[name].open

    def _some_open(self) -> bool:
        return any(each.open for each in self._now.values())

    @staticmethod
    def _told(each: Candidate, able: Able) -> Candidate:
        if each.name in able:
            return each
        return Candidate(each.name, each.weight, each.room, each.places, each.trouble, able=False)

    def _able(self, item: Item) -> Able:
        own = item.fields.get("service", "")
        names: Sequence[str] = [own] if own else list(self.members)
        return tuple(name for name in names if name in self.members and self._can(name, item))

    def _can(self, name: str, item: Item) -> bool:
        return self.members[name].can(item)

    async def _read(self) -> int:
        """Read more, past rows that only those could do who have enough; how many came."""
        without = frozenset(
            name
            for name, member in self.members.items()
            if member.gone or self._waiting.only_for(name) >= PAGE // 2
        )
        if self._has_all(without) or len(self._waiting) >= MOST:
            return 0
        now = self._clock.now()
        items = await self._ledger.pending(PAGE, self._known(), without)
        if len(items) < PAGE:
            self._read_to = (await self._ledger.next_due(now) or float("inf"), without)
        for item in items:
            self._waiting.put(item, self._able(item))
        return len(items)

    def _has_all(self, without: frozenset[str]) -> bool:
        """Whether the last reading found all that reading ``without`` these could find."""
        if self._read_to is None:
            return False
        until, left_out = self._read_to
        return self._clock.now() < until and left_out <= without

    def _known(self) -> set[int]:
        known = set(self._waiting.ids())
        for member in self.members.values():
            known.update(item.id for item in member.assigned)
            if not member.gone or member.moving:
                known.update(member.engine.fresh)
        return known

    # --- what is left -------------------------------------------------------------

    async def _relieve(self, idle: Member) -> None:
        """An idle service takes over what others have in hand and can't begin soon."""
        vacancy, now = idle.engine.vacancy(), idle.now()
        if not now.open or now.places <= 0 or vacancy.hands <= 0:
            return
        for member in self.live:
            theirs = member.engine.vacancy()
            slow = theirs.hands < 0 and idle.weight > 0
            stuck = theirs.waiting and (theirs.places <= 0 or slow)
            if member is not idle and (stuck or theirs.places < 0):
                await self.relocate(member, "full", most=vacancy.hands, prepared=not stuck)
                return

    def _all_done(self) -> bool:
        """Whether nothing is under way, and nothing left that could be begun in this run."""
        quiet = all(
            member.asked and member.engine.idle and not member.assigned for member in self.live
        )
        if self._follow or not quiet or any(each.moving for each in self.members.values()):
            return False
        if self._left <= 0:
            return True
        seen_all = self._read_to is not None and self._clock.now() < self._read_to[0]
        return (seen_all or len(self._waiting) >= MOST) and not self._waiting.has_for(
            member.name for member in self.live
        )
