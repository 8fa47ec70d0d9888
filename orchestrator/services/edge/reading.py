"""What an order's answer says, in the engine's words.

Lenient by design: nothing here raises, and a status that is not known means
that the order is still under way.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.model.errors import EncodeFailed
from orchestrator.model.items import Output
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.services.redact import redact, scrub

_DONE = frozenset({"FINISHED"})
_FAILED = frozenset({"ERROR"})
_WAITING = frozenset({"QUEUED", "PENDING", "CREATED", "WAITING"})

#: What is put between a job's label and the mark of the attempt.
MARK = "~"


def phase_of(status: object) -> Phase:
    """How far an order with this status is."""
    word = str(status).strip().upper()
    if word in _DONE:
        return Phase.DONE
    if word in _FAILED:
        return Phase.FAULTED
    return Phase.QUEUED if word in _WAITING else Phase.RUNNING


def marked(label: str, task: str) -> str:
    """A job's label with the mark that finds the order again."""
    return f"{label}{MARK}{task}"


def names(order: Mapping[str, Any], task: str) -> bool:
    """Whether an order is the one of ``task``: one of its jobs has the mark."""
    ending = f"{MARK}{task}"
    labels = [str(job.get("label", "")) for job in _jobs(order)]
    return any(label.endswith(ending) for label in [*labels, str(order.get("label", ""))])


def read_order(task: str, order: Mapping[str, Any], secrets: set[str]) -> TaskReport:
    """The report of ``task`` from its order's answer."""
    phase = phase_of(order.get("status"))
    said = scrub(str(order.get("comment") or ""), secrets)
    fault = EncodeFailed(said or "the service gave no reason") if phase is Phase.FAULTED else None
    return TaskReport(
        task=task,
        phase=phase,
        percent=_percent(order),
        duration=_number(order.get("duration")),
        outputs=tuple(_outputs(order)) if phase is Phase.DONE else (),
        fault=fault,
    )


def _percent(order: Mapping[str, Any]) -> float:
    """The mean of the jobs' progress."""
    jobs = [
        _number(job.get("progress")) or 0.0 for job in _objects(order.get("transcodingjob_set"))
    ]
    return min(max(sum(jobs) / len(jobs), 0.0), 100.0) if jobs else 0.0


def _outputs(order: Mapping[str, Any]) -> Iterator[Output]:
    """A file per job, at the first place that it was uploaded to."""
    places = [
        str(each.get("upload_url") or "") for each in _objects(order.get("transcodingupload_set"))
    ]
    home = redact(next(filter(None, places), ""))
    for number, job in enumerate(_objects(order.get("transcodingjob_set"))):
        name, label = str(job.get("filename") or ""), str(job.get("label") or "")
        yield Output(
            tag=f"video-0-{number}",
            kind="video",
            url=f"{home.rstrip('/')}/{name}" if home else name,
            user_tag=label.rpartition(MARK)[0] or label or None,
            duration=_number(order.get("duration")),
        )


def _jobs(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _objects(order.get("transcodingjob_set"))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
