"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

JobName = Annotated[
    str,
    Argument(
        metavar="JOB",
        help="A job file, or the bare name of one: night means jobs/night.toml.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The config file. Default: config.toml here or in a folder above.",
        show_default=False,
    ),
]
Manifest = Annotated[
    str | None,
    Option(
        "--manifest",
        "-m",
        metavar="PATH",
        help="Take this manifest (csv, jsonl, txt, a folder, a glob) instead of the job's own.",
        show_default=False,
    ),
]
ServiceName = Annotated[
    str | None,
    Option(
        "--service",
        "-s",
        metavar="NAME",
        help="Use this service of the config instead of the job's own.",
        show_default=False,
    ),
]
ServiceNames = Annotated[
    str | None,
    Option(
        "--services",
        metavar="NAME,NAME",
        help="Share the work among these services of the config, whichever has room.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, Option("--json", help="Print one JSON document on standard output, nothing else there.")
]
Verbose = Annotated[
    bool, Option("--verbose", "-v", help="Show log lines on standard error as well.")
]
