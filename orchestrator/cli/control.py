"""Commands that steer a job: its run where one is under way, else its ledger."""

from typing import TYPE_CHECKING, Annotated

from typer import Option

from orchestrator.cli import options
from orchestrator.cli.exits import OK, SOME_FAILED

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.wishes import Wish

Match = Annotated[
    str,
    Option(
        "--match",
        metavar="GLOB",
        help="Items whose key matches: * any text, ? any sign, [ab] one of them. Quote it.",
        show_default=False,
    ),
]
MaybeMatch = Annotated[
    str | None,
    Option(
        "--match",
        metavar="GLOB",
        help="Failed and cancelled items whose key matches: * any text, ? any sign. Quote it.",
        show_default=False,
    ),
]
Priority = Annotated[
    int,
    Option(min=0, max=10, metavar="N", help="0 to 10, higher first.", show_default=False),
]
Failed = Annotated[bool, Option("--failed", help="Every item that failed.")]
ErrorClass = Annotated[
    str | None,
    Option(
        metavar="CLASS",
        help="Items that failed with this error class; status lists them.",
        show_default=False,
    ),
]
InFlight = Annotated[
    int | None,
    Option(
        "--max-in-flight", min=1, metavar="N", help="Encodes at the service.", show_default=False
    ),
]
Uploads = Annotated[
    int | None, Option(min=1, metavar="N", help="Uploads at once.", show_default=False)
]
StartsPerSecond = Annotated[
    float | None, Option(min=0.001, metavar="X", help="Encodes begun.", show_default=False)
]
OneService = Annotated[
    str | None,
    Option(
        "--service",
        metavar="NAME",
        help="Only for this service of the run; without it, for each.",
        show_default=False,
    ),
]
Bandwidth = Annotated[
    str | None,
    Option(
        metavar="SIZE",
        help="Bytes per second over all uploads, for example 10MiB.",
        show_default=False,
    ),
]


def prioritize(
    job: options.JobName,
    match: Match,
    priority: Priority,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Give waiting items another priority.

    Counts for what has not been started at the service, in the run that is under
    way (within two seconds) and in later ones, until a run has finished.
    """
    from orchestrator.ledger.wishes import Prioritize

    return _asked(job, Prioritize(_text(match), priority), config, as_json)


def pause(
    job: options.JobName, config: options.ConfigFile = None, as_json: options.AsJson = False
) -> int:
    """Let the run begin nothing new.

    What is under way at the service is followed and collected; `resume` goes on.
    """
    from orchestrator.ledger.wishes import Pause

    return _asked(job, Pause(), config, as_json)


def resume(
    job: options.JobName, config: options.ConfigFile = None, as_json: options.AsJson = False
) -> int:
    """Let a paused run go on."""
    from orchestrator.ledger.wishes import Resume

    return _asked(job, Resume(), config, as_json)


def cancel(
    job: options.JobName,
    match: Match,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Give up items that are not done yet.

    Uploads under way are stopped. Encodes that the service has taken are no longer
    followed, but it may still finish and bill them. `retry` takes it back.
    """
    from orchestrator.ledger.wishes import Cancel

    return _asked(job, Cancel(_text(match)), config, as_json)


def limits(
    job: options.JobName,
    max_in_flight: InFlight = None,
    uploads: Uploads = None,
    starts_per_second: StartsPerSecond = None,
    bandwidth: Bandwidth = None,
    service: OneService = None,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Change the limits of the run that is under way, for this run only.

    For good, write them into the job file or the config.
    """
    from orchestrator.ledger.wishes import Limit
    from orchestrator.model.errors import BadInput

    wish = Limit(max_in_flight, uploads, starts_per_second, _bytes(bandwidth), service)
    if wish == Limit(service=service):
        raise BadInput(
            "limits: say which: --max-in-flight, --uploads, --starts-per-second or --bandwidth"
        )
    if service is not None and bandwidth is not None:
        raise BadInput("limits: --bandwidth is for all uploads together: leave out --service")
    return _asked(job, wish, config, as_json)


def retry(
    job: options.JobName,
    failed: Failed = False,
    error_class: ErrorClass = None,
    match: MaybeMatch = None,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Put failed or cancelled items back to pending.

    The run that is under way takes them up at once, otherwise the next one does.
    Where several options are given, all must hold.
    """
    from orchestrator.ledger.wishes import Retry
    from orchestrator.model.errors import BadInput

    if not failed and error_class is None and match is None:
        raise BadInput("retry: say which: --failed, --error-class CLASS or --match GLOB")
    wish = Retry(None if match is None else _text(match), error_class, failed)
    return _asked(job, wish, config, as_json)


def _asked(job: str, wish: "Wish", config: "Path | None", as_json: bool) -> int:
    """Have it carried out, and print the answer."""
    from functools import partial

    from orchestrator import wiring
    from orchestrator.cli.document import print_json
    from orchestrator.cli.given import given
    from orchestrator.cli.loop import run_async

    asked = given(job, config)
    said = run_async(partial(wiring.ask, asked.config, asked.job, wish))
    code = OK if said.done else SOME_FAILED
    if as_json:
        from dataclasses import asdict

        print_json({"job": asked.job.name, **asdict(said), "exit_code": code})
    elif said.done:
        print(f"{asked.job.name}: {said.message}")
    else:
        import sys

        print(f"orchestrator: {said.message}", file=sys.stderr)
    return code


def _text(match: str) -> str:
    """The pattern, if it is text at all: a shell passes on what is not."""
    from orchestrator.model.errors import BadInput

    try:
        match.encode()
    except UnicodeEncodeError as error:
        raise BadInput("--match: the pattern is not valid UTF-8; write ? for such signs") from error
    return match


def _bytes(typed: str | None) -> int | None:
    from pydantic import TypeAdapter, ValidationError

    from orchestrator.model.errors import BadInput
    from orchestrator.settings import Bytes

    if typed is None:
        return None
    try:
        return int(TypeAdapter(Bytes).validate_python(typed))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadInput(f"--bandwidth {typed}: {reason}") from error
