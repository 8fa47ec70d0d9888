"""What was acknowledged is on disk, whenever the process is killed."""

import asyncio
import random
import sqlite3
import sys
import textwrap

import pytest

from orchestrator.ledger import LedgerReader
from orchestrator.model.states import State
from tests.ledger.support import rows, take_in

ROUNDS = 5
ITEMS = 3000

#: Moves items on as fast as it can, and prints each step once it is acknowledged.
CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from orchestrator.ledger import SqlLedger
    from orchestrator.model.items import Change
    from orchestrator.model.states import IN_FLIGHT, State
    from tests.ledger.support import ONWARD, RealClock, begin

    async def go(ledger, items):
        while items:
            item = items.pop()
            while item.state is not State.COMPLETED:
                now = (
                    begin(item)
                    if item.state is State.PENDING
                    else item.to(ONWARD[ONWARD.index(item.state) + 1])
                    if item.state in ONWARD
                    else item.to(ONWARD[0])
                )
                await ledger.post(Change(now, item.state))
                print(now.id, now.state.value, flush=True)
                item = now

    async def main():
        async with SqlLedger(sys.argv[1], "demo", clock=RealClock()) as ledger:
            items = await ledger.pending(10_000, ()) + await ledger.in_flight(IN_FLIGHT, 0, 10_000)
            await asyncio.gather(*(go(ledger, items) for _ in range(40)))

    asyncio.run(main())
    """
)

ORDER = [State.PENDING, State.UPLOADING, State.UPLOADED, State.STARTING, State.ENCODING]
ORDER += [State.COLLECTING, State.COMPLETED]


async def acknowledged(url, steps):
    """Run the child until it has printed so many steps, then kill it."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, url), stdout=asyncio.subprocess.PIPE
    )
    printed = [await child.stdout.readline() for _ in range(steps)]
    child.kill()
    rest, _ = await child.communicate()
    whole = [line for line in printed + rest.splitlines(keepends=True) if line.endswith(b"\n")]
    return [
        (int(number), State(state)) for number, state in map(str.split, map(bytes.decode, whole))
    ]


@pytest.mark.timeout(60)
async def test_what_was_acknowledged_survives_kill_9(opened, url, path):
    async with opened() as ledger:
        await take_in(ledger, rows(ITEMS))
    reached: dict[int, int] = {}
    for seed in range(ROUNDS):
        steps = random.Random(seed).randint(1, 1500)
        for number, state in await acknowledged(url, steps):
            reached[number] = max(reached.get(number, 0), ORDER.index(state))
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        on_disk = dict(database.execute("SELECT id, state FROM items"))
        begun = dict(database.execute("SELECT item_id, count(*) FROM attempts GROUP BY item_id"))
        events = dict(database.execute("SELECT item_id, count(*) FROM events GROUP BY item_id"))
        database.close()
        assert len(on_disk) == ITEMS
        for number, rank in reached.items():
            stands = ORDER.index(State(on_disk[number]))
            assert stands >= rank
            assert begun[number] == 1
            assert events[number] == stands
    assert len(reached) > 40
    assert sum(LedgerReader(url, "demo").counts().values()) == ITEMS
