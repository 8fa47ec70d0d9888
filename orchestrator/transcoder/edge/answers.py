"""What the API says of orders and profiles. No answer holds a password."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.query.order import Order
from orchestrator.transcoder.answers import outline
from orchestrator.transcoder.edge.orders import ERROR, FINISHED, StoredOrder
from orchestrator.transcoder.edge.profiles import Stored
from orchestrator.transcoder.edge.query import OrderQuery
from orchestrator.transcoder.sources import without_credentials
from orchestrator.transcoder.tasks import Task

#: Where an order asks for a mail and nothing can send one.
NO_MAIL = "no mail can be sent: this service has no SMTP server configured"


def shown_of(
    order: Order, query: OrderQuery, profiles: Mapping[int, Stored], *, mail: bool
) -> dict[str, Any]:
    """What is kept of an order in clear, for its answers."""
    tags: dict[int, list[str]] = {}
    for record in outline(query):
        made = query.made[record["index"]]
        if made.profile is not None and made.job is not None:
            tags.setdefault(made.job, []).append(record["tag"])
    return {
        "download": _download(order.origin),
        "uploads": [_upload(url) for url in order.destinations],
        "notifications": [
            {"callback_url": each.call and _bare(each.call), "email": each.email}
            for each in order.notifications
        ],
        "jobs": [
            {
                "profile": {
                    "id": job.profile_id,
                    "name": profiles[job.profile_id or 0].profile.name,
                },
                "filename": job.filename,
                "label": job.label,
                "tags": tags.get(place, []),
            }
            for place, job in enumerate(order.jobs)
        ],
        "mute": not mail and any(each.email for each in order.notifications),
    }


def order_document(
    order: StoredOrder, task: Task | None, progress: Mapping[str, float] | None
) -> dict[str, Any]:
    """One order. ``size`` (bytes) and ``duration`` (seconds) are its origin's, once known."""
    shown, outcome = order.shown, order.outcome
    first = shown["jobs"][0]
    return {
        "order_id": order.id,
        "transcodingupload_set": shown["uploads"],
        "transcodingdownload": shown["download"],
        "transcodingnotification_set": shown["notifications"],
        "transcodingjob_set": [_job(order, job, progress or {}) for job in shown["jobs"]],
        "duration": outcome.get("duration"),
        "size": outcome.get("size"),
        "filename": first["filename"],
        "label": first["label"],
        "status": order.status,
        "timestamp": moment(order.created),
        "comment": comment(order, task.notices if task else ()),
    }


def listed_document(order: StoredOrder) -> dict[str, Any]:
    """An order in a list."""
    return {"id": order.id, "created_on": moment(order.created), "status": order.status}


def comment(order: StoredOrder, notices: Iterable[Mapping[str, Any]]) -> str:
    """What there is to say of an order beyond its status."""
    if order.status == FINISHED:
        said = [f"Order {order.id} finished"]
    elif order.status == ERROR:
        reason = order.outcome.get("error") or "the service no longer knows why"
        said = [f"Order {order.id} failed: {reason}"]
    else:
        said = []
    said += [str(each.get("details") or each.get("message")) for each in notices]
    if order.shown.get("mute"):
        said.append(NO_MAIL)
    return "; ".join(said)


def profile_document(stored: Stored, company: str) -> dict[str, Any]:
    """A profile with all its fields; an overlay's URL is shown without its password."""
    document = stored.profile.document()
    customs = [
        {**each, "url": without_credentials(each["url"])} if "url" in each else each
        for each in document["custom_profiles"]
    ]
    return {"id": stored.id, "company": company, **document, "custom_profiles": customs}


def moment(seconds: float) -> str:
    """A time as the documents show it: ``2021-09-08 09:15:55.875827+00:00``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "microseconds")


def _job(
    order: StoredOrder, job: Mapping[str, Any], progress: Mapping[str, float]
) -> dict[str, Any]:
    percents = [float(progress.get(tag, 0.0)) for tag in job["tags"]]
    percent = sum(percents) / len(percents) if percents else 0.0
    if order.status in (FINISHED, "UPLOADING"):
        percent = 100.0
    return {
        "profile": job["profile"],
        "filename": job["filename"],
        "label": job["label"],
        "progress": round(percent, 3),
    }


def _download(url: str) -> dict[str, Any]:
    protocol, user = _protocol(url)
    bare = without_credentials(url)
    return {"download_url": bare, "download_protocol": protocol, "download_user": user}


def _upload(url: str) -> dict[str, Any]:
    protocol, user = _protocol(url)
    return {
        "upload_url": without_credentials(url),
        "upload_protocol": protocol,
        "upload_user": user,
    }


def _protocol(url: str) -> tuple[str, str | None]:
    """The protocol, and the user's name; a bucket's key is half of a secret and not shown."""
    parts = urlsplit(url)
    named = parts.scheme == "ftp" and "@" in parts.netloc
    user = parts.netloc.rpartition("@")[0].partition(":")[0] if named else ""
    return parts.scheme.upper(), unquote(user) or None


def _bare(url: str) -> str:
    """A webhook's address; paths and queries hold secrets, so the host alone is shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}"
