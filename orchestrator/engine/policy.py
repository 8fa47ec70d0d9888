"""What to do about an error: a pure decision by the error's family.

A verdict is a value; the stages act on it. Waiting (``Wait``) is not failing
and uses no attempt.
"""

from dataclasses import dataclass
from typing import cast

from tenacity import RetryCallState
from tenacity.asyncio import AsyncRetrying
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_random_exponential

from orchestrator.engine.limits import Patience
from orchestrator.model.errors import (
    AccountProblem,
    Busy,
    LedgerProblem,
    NoRoom,
    NotSettled,
    OutcomeUnknown,
    Permanent,
    SourceChanged,
    Stuck,
    TaskLost,
    Transient,
    Unreachable,
)


@dataclass(frozen=True, slots=True)
class Retry:
    """The same step again, after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Wait:
    """The same step again after ``delay`` seconds, once the gate lets it through."""

    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Renew:
    """Give this attempt up and begin another one, after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Give the item up."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the run; every item stays resumable."""


Verdict = Retry | Wait | Renew | Fail | Stop


class RetryPolicy:
    """Decides by family; counts and delays come from tenacity's strategies."""

    def __init__(self, patience: Patience) -> None:
        self._tries = stop_after_attempt(patience.attempts)
        self._encodes = stop_after_attempt(patience.encodes)
        self._wait = wait_random_exponential(multiplier=patience.first, max=patience.cap)

    def verdict(self, error: Exception, failures: int, attempts: int) -> Verdict:
        """What to do about ``error``.

        ``failures`` counts the failed tries of this step, this one included;
        ``attempts`` the attempts that the item has used.
        """
        match error:
            case AccountProblem() | LedgerProblem() | NoRoom():
                return Stop()
            case Busy() | Unreachable():
                return Wait()
            case NotSettled():
                return Wait(error.delay)
            case SourceChanged():
                return Fail() if _over(self._tries, attempts) else Renew(self.delay(attempts))
            case Stuck() | TaskLost():
                return self.another_encode(attempts)
            case Transient() | OutcomeUnknown():
                return Fail() if _over(self._tries, failures) else Retry(self.delay(failures))
            case Permanent():
                return Fail()
            case _:
                return Fail()

    def another_encode(self, attempts: int) -> Renew | Fail:
        """Another attempt for an encode that came to nothing; ``attempts`` are used."""
        return Fail() if _over(self._encodes, attempts) else Renew(self.delay(attempts))

    def delay(self, failures: int) -> float:
        """Seconds before the next try: exponential, capped, with full jitter."""
        return self._wait(_after(failures))


def _over(bound: stop_after_attempt, tries: int) -> bool:
    return bool(bound(_after(tries)))


def _after(tries: int) -> RetryCallState:
    """The call state that tenacity's strategies read: they look at the count alone."""
    state = RetryCallState(cast("AsyncRetrying", None), None, (), {})
    state.attempt_number = tries
    return state
