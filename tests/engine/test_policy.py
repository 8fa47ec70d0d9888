"""What to do about an error."""

import pytest

from orchestrator.engine.limits import Patience
from orchestrator.engine.policy import Fail, Renew, Retry, RetryPolicy, Stop, Wait
from orchestrator.model import errors

POLICY = RetryPolicy(Patience(attempts=3, first=1.0, cap=8.0))


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (errors.Transient("x"), Retry),
        (errors.Stalled("x"), Retry),
        (errors.UploadGone("x"), Retry),
        (errors.OutcomeUnknown("x"), Retry),
        (errors.SourceChanged("x"), Renew),
        (errors.TaskLost("x"), Renew),
        (errors.Busy("x", 5), Wait),
        (errors.Unreachable("x"), Wait),
        (errors.Permanent("x"), Fail),
        (errors.EncodeFailed("x"), Fail),
        (errors.BadInput("x"), Fail),
        (errors.AccountProblem("x"), Stop),
        (errors.LedgerProblem("x"), Stop),
        (ValueError("x"), Fail),
    ],
)
def test_by_family(error: Exception, verdict: type) -> None:
    assert isinstance(POLICY.verdict(error, failures=1, attempts=1), verdict)


def test_tries_are_bounded() -> None:
    assert isinstance(POLICY.verdict(errors.Transient("x"), 2, 1), Retry)
    assert isinstance(POLICY.verdict(errors.Transient("x"), 3, 1), Fail)
    assert isinstance(POLICY.verdict(errors.TaskLost("x"), 1, 3), Fail)


def test_waiting_never_uses_up_tries() -> None:
    assert isinstance(POLICY.verdict(errors.Busy("x"), 10_000, 10_000), Wait)


def test_delays_have_full_jitter_and_a_cap() -> None:
    for failures, bound in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (60, 8.0)]:
        delays = [POLICY.delay(failures) for _ in range(300)]
        assert 0 <= min(delays) < bound * 0.2
        assert bound * 0.8 < max(delays) <= bound
