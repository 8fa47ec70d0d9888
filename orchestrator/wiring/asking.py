"""From a command to the run that it is about, or straight to the ledger."""

import asyncio

from orchestrator.config import Config
from orchestrator.ledger import LedgerReader, SqlLedger
from orchestrator.ledger.lock import LedgerLock
from orchestrator.ledger.sqlite import path_of
from orchestrator.ledger.wishes import Answer, Limit, Pause, Resume, Wish, mailbox
from orchestrator.model.errors import LedgerInUse
from orchestrator.query import Job
from orchestrator.wiring.clock import SystemClock
from orchestrator.wiring.control import Carrier, no_run

#: Seconds that an answer is waited for, and between two looks for it.
PATIENCE = 10.0
EVERY = 0.05

_NO_ANSWER = Answer(
    False,
    "the run has not answered yet; it does when it has taken its manifest in, and if it ends "
    "before that, nothing is done",
)


async def ask(config: Config, job: Job, wish: Wish, patience: float = PATIENCE) -> Answer:
    """Have ``wish`` carried out: by the run of the job, else here and now.

    Raises ``LedgerProblem``; ``LedgerInUse`` where something other than a run of
    this job holds the ledger.
    """
    url = config.ledger_url(job.name)
    path = path_of(url)
    if not path.exists():
        return Answer(False, f"{job.name} has not been run yet")
    try:
        if isinstance(wish, Pause | Resume | Limit):
            LedgerLock(path).take().release()
            return no_run(job.name)
        async with SqlLedger(url, job.name, clock=SystemClock()) as ledger:
            ageing = config.queue.ageing_hours * 3600
            said = await Carrier(job.name, ledger, ageing).carry_out(wish)
            if said.done:
                await ledger.record(wish, said)
            return said
    except LedgerInUse:
        if not _runs(url, job.name):
            raise
    return await _answered(url, job.name, wish, patience)


def _runs(url: str, job: str) -> bool:
    """Whether the job's last run, as far as the ledger knows, has not ended."""
    run = LedgerReader(url, job).last_run()
    return run is not None and run.ended_at is None


async def _answered(url: str, job: str, wish: Wish, patience: float) -> Answer:
    with mailbox(url, job) as box:
        number = box.post(wish, SystemClock().now())
        for _ in range(round(patience / EVERY)):
            said = box.answer(number)
            if said is not None:
                return said
            await asyncio.sleep(EVERY)
    return _NO_ANSWER
