"""From what was typed to the settings and the job it means."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import Config, load_config
from orchestrator.model.errors import BadInput
from orchestrator.query import Job, load_job
from orchestrator.query.problems import nearest
from orchestrator.report.logs import configure_logging

_JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Given:
    """The settings, the job, and how the person names it (fit for a shell)."""

    config: Config
    job: Job
    typed: str


def given(job: str, config: Path | None) -> Given:
    """Load both, and keep log lines off the terminal. Raises ``BadInput``."""
    configure_logging(None)
    settings = load_config(config)
    return Given(settings, load_job(find_job(job, settings)), shlex.quote(job))


def names_of(service: str | None, services: str | None) -> tuple[str, ...]:
    """The services of ``--services``. Raises ``BadInput``."""
    if services is None:
        return ()
    if service is not None:
        raise BadInput("--service and --services exclude each other: name one, or several")
    return tuple(name for each in services.split(",") if (name := each.strip()))


def find_job(typed: str, config: Config) -> Path:
    """The job file that is meant: a path, or the name of a file in a ``jobs`` folder.

    That folder is in the current folder, or beside the config file. Raises
    ``BadInput`` with the nearest name where there is none.
    """
    path = Path(typed).expanduser()
    if path.is_file():
        return path
    folders = [Path(_JOBS), config.folder / _JOBS]
    if path.name == typed:
        for folder in folders:
            if (found := folder / f"{typed.removesuffix('.toml')}.toml").is_file():
                return found
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    hint = nearest(path.stem, known) or (f"there are: {', '.join(known)}" if known else "")
    hint = hint or "job files are in jobs/, the README shows how to write one"
    raise BadInput(f"there is no job {typed!r} ({hint})")
