"""Exit codes. Scripts rely on them, so they never change their meaning."""

from typing import Final

from orchestrator.model.outcome import Ending, RunOutcome
from orchestrator.model.states import IN_FLIGHT

OK: Final = 0
SOME_FAILED: Final = 1
BAD_INPUT: Final = 2
ACCOUNT: Final = 3
BROKEN: Final = 4
INTERRUPTED: Final = 130

#: For ``orchestrator --help``.
HELP: Final = """\
Exit codes: 0 all done, or as much as the window or the budget lets; \
1 some items failed or were left at another service, or a check failed; \
2 wrong usage, or a config, \
job file or manifest that can't be used; 3 the service refused the account; 4 could not go on \
(ledger, disk, too many failures, internal error); 130 interrupted, resumable."""

_BY_ENDING: Final = {
    Ending.DRAINED: INTERRUPTED,
    Ending.ACCOUNT: ACCOUNT,
    Ending.BROKEN: BROKEN,
    Ending.REFUSED: BAD_INPUT,
}


def _left(outcome: RunOutcome) -> bool:
    """Whether items are still in flight, at a service that was not this run's."""
    return any(outcome.counts.get(state) for state in IN_FLIGHT)


def exit_code(outcome: RunOutcome) -> int:
    """The exit code of a run."""
    if outcome.ending is Ending.FINISHED:
        return SOME_FAILED if outcome.failed or _left(outcome) else OK
    if outcome.ending is Ending.CLOSED:  # what is left is the next run's, as planned
        return SOME_FAILED if outcome.failed else OK
    return _BY_ENDING[outcome.ending]
