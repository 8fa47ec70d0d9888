"""What an order's answer says, in the engine's words.

Lenient by design: nothing here raises, and a status that is not known means
that the order is still under way.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from orchestrator.model.errors import EncodeFailed
from orchestrator.model.items import Output
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.services.redact import redact, scrub

_DONE = frozenset({"FINISHED"})
_FAILED = frozenset({"ERROR"})
_WAITING = frozenset({"QUEUED", "PENDING", "CREATED", "WAITING"})

#: What is put between a job's label and the mark of the attempt.
MARK = "~"

#: What the master playlist is called where an ``hls`` profile does not name it.
_MASTER = "master.m3u8"


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


def playlist_of(profile: Mapping[str, Any]) -> str:
    """The master playlist that a profile makes; "" where it makes a single file."""
    for custom in _objects(profile.get("custom_profiles")):
        if custom.get("profile_type") == "hls":
            return str(custom.get("master_pl_name") or _MASTER)
    return _MASTER if profile.get("segmentation") is True else ""


def profiles_in(order: Mapping[str, Any]) -> list[int]:
    """The ids of its jobs' profiles; those that it does not tell are left out."""
    return [found for job in _jobs(order) if (found := _profile(job)) is not None]


def read_order(
    task: str,
    order: Mapping[str, Any],
    secrets: set[str],
    playlists: Mapping[int, str] | None = None,
) -> TaskReport:
    """The report of ``task`` from its order's answer.

    ``playlists`` has the master playlist of each profile that makes HLS.
    """
    phase = phase_of(order.get("status"))
    said = scrub(str(order.get("comment") or ""), secrets)
    fault = EncodeFailed(said or "the service gave no reason") if phase is Phase.FAULTED else None
    return TaskReport(
        task=task,
        phase=phase,
        percent=_percent(order),
        duration=_number(order.get("duration")),
        outputs=tuple(_outputs(order, playlists or {})) if phase is Phase.DONE else (),
        fault=fault,
    )


def _percent(order: Mapping[str, Any]) -> float:
    """The mean of the jobs' progress."""
    jobs = [_number(job.get("progress")) or 0.0 for job in _jobs(order)]
    return min(max(sum(jobs) / len(jobs), 0.0), 100.0) if jobs else 0.0


def _outputs(order: Mapping[str, Any], playlists: Mapping[int, str]) -> Iterator[Output]:
    """A file per job, at the first place that it was uploaded to.

    The documents do not say where the many files of an HLS job lie: it is taken to be
    a folder called as the job's file, without its ending.
    """
    places = [
        str(each.get("upload_url") or "") for each in _objects(order.get("transcodingupload_set"))
    ]
    home = redact(next(filter(None, places), ""))
    for number, job in enumerate(_jobs(order)):
        name, label = str(job.get("filename") or ""), str(job.get("label") or "")
        if master := playlists.get(_profile(job) or 0):
            name = f"{PurePosixPath(name).stem}/{master}"
        name = quote(name)
        yield Output(
            tag=f"video-0-{number}",
            kind="video",
            url=f"{home.rstrip('/')}/{name}" if home else name,
            user_tag=label.rpartition(MARK)[0] or label or None,
            duration=_number(order.get("duration")),
        )


def _profile(job: Mapping[str, Any]) -> int | None:
    told = job.get("profile")
    found = str(told.get("id")) if isinstance(told, dict) else ""
    return int(found) if found.isdecimal() else None


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
