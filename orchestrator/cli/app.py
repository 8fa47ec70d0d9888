"""The command line: which commands there are."""

from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli import (
    control,
    doctor,
    exits,
    export,
    profiles,
    run,
    samples,
    schema,
    serve,
    status,
    validate,
)
from orchestrator.cli.guard import guarded

_CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="orchestrator",
    help=(
        "Encode large media libraries, unattended.\n\n"
        "A job file says what to encode, and how; `run` does what is left of it, however often "
        "it is interrupted. To begin: `orchestrator doctor`, then `orchestrator run JOB`."
    ),
    epilog=exits.HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)

for _command in (
    run.run,
    status.status,
    control.prioritize,
    control.pause,
    control.resume,
    control.cancel,
    control.limits,
    control.retry,
    validate.validate,
    export.export,
    doctor.doctor,
    serve.serve,
    profiles.profiles,
    schema.schema,
    samples.samples,
):
    app.command(context_settings=_CONTEXT)(guarded(_command))


def _print_version(asked: bool) -> None:
    if asked:
        print(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the exit code is one of ``cli.exits``."""
    app(prog_name="orchestrator")
