"""``orchestrator samples``: clips to try things out with."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument

from orchestrator.cli.exits import OK

Folder = Annotated[
    Path, Argument(metavar="FOLDER", help="Where to write them; made if it isn't there.")
]


def samples(folder: Folder) -> int:
    """Write a few short demo clips of different kinds."""
    from orchestrator import wiring
    from orchestrator.cli.loop import run_async
    from orchestrator.report.logs import configure_logging
    from orchestrator.report.words import counted

    configure_logging(None)
    clips = run_async(partial(wiring.make_samples, folder))
    print(f"{counted(len(clips), 'clip')} in {folder}")
    return OK
