"""``orchestrator export``: every item and output of a job as a table."""

from pathlib import Path
from typing import Annotated

from typer import Option

from orchestrator.cli import options
from orchestrator.cli.exits import OK

_SUFFIXES = (".csv", ".jsonl")

Target = Annotated[
    Path, Option("--to", "-o", metavar="FILE", help="Where to write: a .csv or a .jsonl file.")
]


def export(job: options.JobName, to: Target, config: options.ConfigFile = None) -> int:
    """Write what the ledger knows of every item to a .csv or .jsonl file.

    Works while a run is going on.
    """
    from orchestrator import wiring
    from orchestrator.cli.given import given
    from orchestrator.model.errors import BadInput
    from orchestrator.report.words import counted

    if to.suffix.lower() not in _SUFFIXES:
        raise BadInput(f"--to {to}: the name must end in {' or '.join(_SUFFIXES)}")
    if not to.absolute().parent.is_dir():
        raise BadInput(f"--to {to}: there is no folder {to.absolute().parent}")
    asked = given(job, config)
    rows = wiring.export_job(asked.config, asked.job, to)
    print(f"{counted(rows, 'row')} written to {to}")
    return OK
