"""``orchestrator status``: how a job stands."""

from typing import TYPE_CHECKING, Any

from orchestrator.cli import options
from orchestrator.cli.exits import OK

if TYPE_CHECKING:
    from orchestrator.cli.given import Given
    from orchestrator.report.standing import Standing

#: Failures looked at for examples; the export has them all.
_FAILURES = 1000
_FLYING = 200


def status(
    job: options.JobName,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Show how a job stands: what is done, what is under way, what failed and why.

    Reads the ledger alone, so it works while a run is going on.
    """
    from orchestrator.cli.given import given

    asked = given(job, config)
    standing = _standing(asked)
    if as_json:
        from orchestrator.cli.document import print_json

        print_json(_document(standing))
        return OK
    import time

    from rich.console import Console

    from orchestrator.report.standing import print_standing
    from orchestrator.report.typed import Typed, program

    typed = Typed(asked.typed, program())
    print_standing(standing, Console(), typed, time.time())
    return OK


def _standing(asked: "Given") -> "Standing":
    from orchestrator import wiring
    from orchestrator.report.standing import Flying, LastRun, Standing

    reader = wiring.open_reader(asked.config, asked.job)
    run = reader.last_run()
    last = None
    if run is not None:
        gone = run.ended_at is None and _has_died(run.pid, run.host)
        outcome = "paused" if reader.paused() else run.outcome
        outcome = "ended without a word (run it again to go on)" if gone else outcome
        last = LastRun(run.number, run.service, run.started_at, run.ended_at, outcome)
    return Standing(
        job=asked.job.name,
        ledger=asked.config.ledger_url(asked.job.name),
        counts=reader.counts(),
        earlier=sum(reader.earlier().values()),
        flying=[Flying(each.key, each.state, each.since) for each in reader.in_flight(_FLYING)],
        failures=reader.failures(_FAILURES),
        by_class=reader.by_error_class(),
        run=last,
    )


def _has_died(pid: int, host: str) -> bool:
    """Whether a process of this machine is no more; of another machine's nothing is known."""
    import os
    import socket

    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _document(standing: "Standing") -> dict[str, Any]:
    from dataclasses import asdict

    document = asdict(standing)
    document["counts"] = {state.value: number for state, number in standing.counts.items()}
    return document | {"exit_code": OK}
