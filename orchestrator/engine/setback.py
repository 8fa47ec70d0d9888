"""Acts on an error: asks the policy, writes the consequence down."""

from collections import Counter

import structlog

from orchestrator.engine.gate import AdmissionGate
from orchestrator.engine.journal import Journal
from orchestrator.engine.policy import Fail, Renew, Retry, RetryPolicy, Stop, Verdict, Wait
from orchestrator.engine.work import Work
from orchestrator.model.errors import Moved, OrchestratorError, OutcomeUnknown, Superseded
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Clock
from orchestrator.model.states import State

log = structlog.get_logger(__name__)


class Setbacks:
    """What becomes of work whose step raised."""

    def __init__(
        self, policy: RetryPolicy, gate: AdmissionGate, journal: Journal, clock: Clock
    ) -> None:
        self._policy = policy
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._renewals: Counter[int] = Counter()

    async def take(self, work: Work, error: Exception) -> float | None:
        """Settle ``error``; the answer is the delay before the same step again.

        None means that the engine is done with this work: it failed, goes back
        to pending for a new attempt, or belongs to someone else by now. Raises
        ``error`` itself where it stops the run.
        """
        try:
            return await self._settle(work, error)
        except Superseded as fenced:
            # Someone else has it by now: a person cancelled it, another process took over.
            log.info("superseded", item=work.item.key, error=str(fenced))
            return None

    async def let_go(self, work: Work, reason: str) -> None:
        """Write down that the item is pending again, for another service, if it was not."""
        item = work.item
        if item.state is State.PENDING:
            return
        now = item.to(State.PENDING, attempt=self._ended(item.attempt, Moved(reason)))
        try:
            work.item = await self._journal.move(item, now, note=reason)
        except Superseded as fenced:
            log.info("superseded", item=item.key, error=str(fenced))

    async def _settle(self, work: Work, error: Exception) -> float | None:
        if isinstance(error, Superseded):
            raise error
        if isinstance(error, OutcomeUnknown):
            work.uncertain = work.item.state is State.STARTING
        verdict = self._verdict(work, error)
        match verdict:
            case Stop():
                raise error
            case Wait(delay):
                if self._gate.lost:
                    raise error
                return delay
            case Retry(delay):
                log.info("retry", item=work.item.key, delay=round(delay, 2), error=str(error))
                return delay
            case Renew(delay):
                await self._renew(work, error, delay)
            case Fail():
                await self._fail(work, error)
        return None

    def _verdict(self, work: Work, error: Exception) -> Verdict:
        attempts = self._renewals[work.item.id] + 1
        verdict = self._policy.verdict(error, work.failures + 1, attempts)
        if isinstance(verdict, Retry) and work.item.state is State.ENCODING:
            # The task has ended with this: only another attempt can do better.
            verdict = self._policy.another_encode(attempts)
        if not isinstance(verdict, Wait):
            work.failures += 1
        return verdict

    async def _renew(self, work: Work, error: Exception, delay: float) -> None:
        item = work.item
        self._renewals[item.id] += 1
        now = item.to(
            State.PENDING,
            attempt=self._ended(item.attempt, error),
            due_at=self._clock.now() + delay,
        )
        if item.state is not State.PENDING:
            work.item = await self._journal.move(item, now, note=str(error))

    async def _fail(self, work: Work, error: Exception) -> None:
        if not isinstance(error, OrchestratorError):
            log.error("internal error", item=work.item.key, exc_info=error)
        item = work.item
        now = item.to(
            State.FAILED,
            attempt=self._ended(item.attempt, error),
            error_class=_class_of(error),
            error=_words(error),
        )
        work.item = await self._journal.move(item, now, note=_words(error))
        self._renewals.pop(item.id, None)

    def _ended(self, attempt: Attempt | None, error: Exception) -> Attempt | None:
        if attempt is None or attempt.ended_at is not None:
            return attempt
        return attempt.but(
            ended_at=self._clock.now(),
            error_class=_class_of(error),
            error=_words(error),
        )


def _class_of(error: Exception) -> str:
    return error.error_class if isinstance(error, OrchestratorError) else "internal"


def _words(error: Exception) -> str:
    """The reason for people. A foreign exception's text may hold anything: its type alone."""
    if isinstance(error, OrchestratorError):
        return str(error)
    return f"internal error ({type(error).__name__}); the log has the details"
