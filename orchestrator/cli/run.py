"""``orchestrator run``: do what is left of a job."""

import shlex
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Option

from orchestrator.cli import options
from orchestrator.cli.exits import exit_code

if TYPE_CHECKING:
    from orchestrator.cli.given import Given
    from orchestrator.model.outcome import RunOutcome
    from orchestrator.wiring import RunOptions

KeepGoing = Annotated[
    bool,
    Option("--keep-going", "-k", help="Set bad manifest rows aside and do the rest."),
]
Limit = Annotated[
    int | None,
    Option(min=1, metavar="N", help="Begin at most N items in this run.", show_default=False),
]
Until = Annotated[
    str | None,
    Option(
        metavar="TIME",
        help=(
            "Begin nothing new from then on (06:00, or 2026-11-23T06:00), and end once what is "
            "at the service is done."
        ),
        show_default=False,
    ),
]
Follow = Annotated[
    bool,
    Option("--follow", "-f", help="Go on when all is done: take up what the manifest is given."),
]
DryRun = Annotated[bool, Option("--dry-run", "-n", help="Only show what would be done, and why.")]


def run(
    job: options.JobName,
    manifest: options.Manifest = None,
    service: options.ServiceName = None,
    services: options.ServiceNames = None,
    keep_going: KeepGoing = False,
    limit: Limit = None,
    until: Until = None,
    follow: Follow = False,
    dry_run: DryRun = False,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> int:
    """Encode what is left of a job.

    Uploads, encodes and collects every item of the job's manifest that is not
    done yet. Type the same again after an interruption, or after adding files:
    only what is left is done.

    The first Ctrl-C stops in order, at a point from which a rerun goes on; the
    second stops at once, and loses nothing but what was under way.
    """
    from orchestrator.cli.given import given, names_of

    asked = given(job, config)  # a typing error is said before anything heavy is loaded
    from orchestrator.wiring import RunOptions

    what = RunOptions(
        manifest=manifest,
        service=service,
        services=names_of(service, services),
        keep_going=keep_going,
        limit=limit,
        until=until,
        follow=follow,
    )
    if dry_run:
        from orchestrator.cli.plan import show_plan

        return show_plan(asked, what, as_json=as_json)
    outcome = _carried_out(asked, what, as_json=as_json, verbose=verbose)
    _show(outcome, asked.typed, what, as_json=as_json)
    return exit_code(outcome)


def _carried_out(
    asked: "Given", what: "RunOptions", *, as_json: bool, verbose: bool
) -> "RunOutcome":
    from rich.console import Console

    from orchestrator import wiring
    from orchestrator.cli.loop import run_async
    from orchestrator.report import QuietObserver
    from orchestrator.report.logs import configure_logging
    from orchestrator.report.progress import progress
    from orchestrator.wiring.clock import SystemClock

    log = asked.config.log
    file = asked.config.log_file(asked.job.name)
    configure_logging(file, level=log.level, format=log.format, verbose=verbose)
    console = Console(stderr=True)
    quiet = as_json and not console.is_terminal
    shown = QuietObserver() if quiet else progress(asked.job.name, console, SystemClock())
    with shown as observer:
        return run_async(partial(wiring.run_job, asked.config, asked.job, what, observer))


def _show(outcome: "RunOutcome", job: str, what: "RunOptions", *, as_json: bool) -> None:
    if as_json:
        from orchestrator.cli.document import of_outcome, print_json

        print_json(of_outcome(outcome))
        return
    from rich.console import Console

    from orchestrator.report.summary import summary
    from orchestrator.report.typed import Typed, program

    manifest = _option("--manifest", what.manifest)
    others = " ".join(
        filter(
            None,
            [
                _option("--service", what.service),
                _option("--services", ",".join(what.services)),
                "--keep-going" * what.keep_going,
            ],
        )
    )
    summary(outcome, Console(soft_wrap=False), Typed(job, program(), manifest, others))


def _option(name: str, value: str | None) -> str:
    return f"{name} {shlex.quote(value)}" if value else ""
