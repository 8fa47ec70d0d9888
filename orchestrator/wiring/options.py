"""What a command line says over a job file."""

from dataclasses import dataclass

from orchestrator.query import Job


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a command line says over the job file."""

    manifest: str | None = None
    service: str | None = None
    keep_going: bool = False
    limit: int | None = None
    follow: bool = False
    until: str | None = None
    services: tuple[str, ...] = ()

    def applied(self, job: Job) -> Job:
        """The job with its manifest and service replaced where these options say so."""
        return job.with_(manifest=self.manifest, service=self.service, services=self.services)
