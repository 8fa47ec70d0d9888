"""``orchestrator doctor``: would a run work here?"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from orchestrator.cli import options
from orchestrator.cli.exits import OK, SOME_FAILED

if TYPE_CHECKING:
    from orchestrator.report.findings import Finding

MaybeJob = Annotated[
    str | None,
    Argument(
        metavar="[JOB]",
        help="Check what this job needs, too.",
        show_default=False,
    ),
]


def doctor(
    job: MaybeJob = None,
    service: options.ServiceName = None,
    services: options.ServiceNames = None,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Check the machine, the settings and the services, and say what to do.

    Tries ffmpeg, the ledger's folder, the disk, and whether each service of the
    job can be reached and takes the key.
    """
    from orchestrator.cli.given import names_of

    named = names_of(service, services) or ((service,) if service else ())
    findings = _found(job, named, config)
    code = OK if all(finding.ok for finding in findings) else SOME_FAILED
    if as_json:
        from dataclasses import asdict

        from orchestrator.cli.document import print_json

        print_json({"findings": [asdict(each) for each in findings], "exit_code": code})
        return code
    from rich.console import Console

    from orchestrator.report.findings_table import print_findings

    print_findings(findings, Console())
    return code


def _found(job: str | None, services: tuple[str, ...], config: Path | None) -> list["Finding"]:
    """All findings; a config or a job that can't be used is one, too."""
    from orchestrator import wiring
    from orchestrator.cli.given import find_job
    from orchestrator.cli.loop import run_async
    from orchestrator.config import load_config
    from orchestrator.model.errors import BadInput
    from orchestrator.query import load_job
    from orchestrator.report.findings import Finding
    from orchestrator.report.logs import configure_logging

    configure_logging(None)
    try:
        settings = load_config(config)
    except BadInput as error:
        return [Finding("Settings", False, str(error), "correct the config file")]
    findings: list[Finding] = []
    if job is not None:
        try:
            loaded = load_job(find_job(job, settings))
        except BadInput as error:
            return [Finding("Job", False, str(error), "correct the job file")]
        findings.append(Finding("Job", True, f"{loaded.name}: {loaded.path}"))
        services = services or loaded.services or ((loaded.service,) if loaded.service else ())
    return findings + run_async(partial(wiring.diagnose, settings, services))
