"""What can be said of a job without running it: dry runs, validation, status, export."""

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import anyio

from orchestrator.config import Config
from orchestrator.ledger import Ingested, LedgerReader, Planned, SqlLedger, export, plan
from orchestrator.manifest import read, read_ready
from orchestrator.model.errors import may_pass
from orchestrator.model.items import Problem
from orchestrator.query import Job
from orchestrator.wiring import requests, several
from orchestrator.wiring.clock import SystemClock
from orchestrator.wiring.options import RunOptions


def plan_job(config: Config, job: Job, options: RunOptions) -> Iterator[Planned]:
    """What a run would do with every row, and why. Writes nothing."""
    job = options.applied(job)
    requests.for_service(config, job)
    rows = read(job.manifest, fingerprint=config.manifest.fingerprint)
    url = config.ledger_url(job.name)
    return plan(url, job.name, rows, several.versions(config, job), retry=may_pass)


def validate_job(
    config: Config, job: Job, options: RunOptions
) -> tuple[tuple[Problem, ...], int, int]:
    """Every problem that would keep a run from starting: the first ones, how many, rows read.

    Takes the manifest into a ledger of its own that is thrown away, so that what
    only a whole manifest shows (a key twice, one folder for two rows) is found
    too, in the memory that a run takes.
    """
    job = options.applied(job)
    requests.for_service(config, job)
    taken = anyio.run(_taken_in_aside, config, job)
    return taken.problems, taken.problem_count, taken.total


async def _taken_in_aside(config: Config, job: Job) -> Ingested:
    recipe = several.versions(config, job)
    some = read_ready(job.manifest, recipe.plain(), fingerprint=config.manifest.fingerprint)
    rows = chain.from_iterable(some)
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        url = f"sqlite:///{folder}/validate.db"
        async with SqlLedger(url, job.name, clock=SystemClock()) as ledger:
            await ledger.begin_run("", job.manifest, {})
            return await ledger.ingest(rows, recipe, keep_going=False, retry=may_pass)


def open_reader(config: Config, job: Job) -> LedgerReader:
    """The job's ledger, for reading; also while a run has it."""
    return LedgerReader(config.ledger_url(job.name), job.name)


def export_job(config: Config, job: Job, to: Path) -> int:
    """Write a row per item to ``to``; how many."""
    return export(open_reader(config, job), to)
