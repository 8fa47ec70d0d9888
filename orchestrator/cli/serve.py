"""``orchestrator serve``: the transcoding service, for other machines and programs."""

from functools import partial
from typing import Annotated

from typer import Option

from orchestrator.cli import options
from orchestrator.cli.exits import OK

Listen = Annotated[
    str | None,
    Option(
        metavar="HOST:PORT",
        help="Where to listen. Default: serve.listen of the config.",
        show_default=False,
    ),
]


def serve(
    listen: Listen = None,
    config: options.ConfigFile = None,
    verbose: options.Verbose = False,
) -> int:
    """Serve transcoding over HTTP, with the API that Qencode's clients speak.

    Clients show the key in ORCHESTRATOR_API_KEY. Ctrl-C stops it; what was
    under way goes on when it is started again.
    """
    from orchestrator import wiring
    from orchestrator.cli.loop import run_async
    from orchestrator.config import load_config
    from orchestrator.report.logs import configure_logging

    settings = load_config(config)
    log = settings.log_file("serve")
    configure_logging(log, level=settings.log.level, format=settings.log.format, verbose=verbose)

    def ready(url: str) -> None:
        print(f"serving at {url} (log: {log}); Ctrl-C stops", flush=True)

    run_async(partial(wiring.serve, settings, listen, ready))
    return OK
