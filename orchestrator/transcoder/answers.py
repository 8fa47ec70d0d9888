"""What the API says: its error codes, and the status document of a task.

Codes 0 to 14 are those of the API's documents; the vendor's notes add 19 for a
query that is not wrapped. The documents have no code for a query that breaks
the rules, so it is 20 here: a missing field of the query is 14, anything else
that is wrong with the request to start (an unknown attribute, a value, a
source that can't be read, a task that was already started) is 20, and
``message`` names the field.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, urlsplit

from orchestrator.query import (
    EncodeQuery,
    Flac,
    Format,
    Gif,
    Metadata,
    Mp3,
    Mp4,
    Repack,
    Thumbnail,
    Vmaf,
    Webm,
)
from orchestrator.query.outputs import Streaming, Tagged, kind_of
from orchestrator.transcoder.ports import Member, Produced
from orchestrator.transcoder.tasks import Task, TaskState


class Code(IntEnum):
    """The ``error`` of an answer.

    7 and 10 belong to the vendor's masters and projects; there are none here.
    """

    OK = 0
    SERVER_INTERNAL = 1
    BAD_API_KEY = 2
    API_KEY_NOT_FOUND = 3
    BAD_TOKEN = 4
    TOKEN_NOT_FOUND = 5
    SERVICE_SUSPENDED = 6
    MASTER_NOT_FOUND = 7
    SYSTEM_BUSY = 8
    BAD_PAYLOAD = 9
    PROJECT_NOT_FOUND = 10
    BAD_PROFILE = 11
    PROFILE_NOT_FOUND = 12
    BAD_TOKENS = 13
    FIELD_REQUIRED = 14
    QUERY_NOT_WRAPPED = 19
    BAD_QUERY = 20


class ApiError(Exception):
    """Raised when a request is refused; ``more`` goes into the answer beside the message."""

    def __init__(self, code: Code, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.more = code, more

    def answer(self) -> dict[str, Any]:
        """The body to send."""
        return {"error": int(self.code), "message": str(self), **self.more}


#: Seconds after which a client may ask a busy service again.
_RETRY_AFTER = 60


def busy(why: str) -> ApiError:
    """The answer of a service that can take no more now."""
    return ApiError(
        Code.SYSTEM_BUSY,
        f"{why}; try again in {_RETRY_AFTER} seconds",
        retry_after=_RETRY_AFTER,
    )


#: A record's list in the status document, by the output's kind.
_LISTS = {"video": "videos", "audio": "audios", "image": "images", "text": "texts"}
_NAMED = tuple(_LISTS.values())


def outline(query: EncodeQuery) -> list[dict[str, Any]]:
    """A record for each output that a query asks for, before any of them exists.

    An output that players choose a stream of has one for each stream.
    """
    seen: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    for index, wanted in enumerate(query.format):
        kind = kind_of(wanted)
        place = seen[kind] = seen.get(kind, -1) + 1
        tag = f"{kind}-0-{place}"
        if isinstance(wanted, Streaming):
            streams: Sequence[Tagged] = wanted.stream
            for number, stream in enumerate(streams):
                found.append(_record(f"{tag}-{number}", kind, wanted.output, stream.tag, index))
        else:
            found.append(_record(tag, kind, wanted.output, wanted.tag, index))
    return found


def records(made: Produced, stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of an output that was made; ``stored`` says where (``storage``)."""
    parts: Sequence[Produced | Member] = made.members or (made,)
    return [
        {
            **_record(each.tag, each.kind, made.output, each.user_tag, made.format_index),
            "size": each.size,
            "duration": each.duration,
            "bitrate": each.bitrate,
            "meta": dict(each.meta),
            **stored,
        }
        for each in parts
    ]


def _record(tag: str, kind: str, output: str, user_tag: str | None, index: int) -> dict[str, Any]:
    # The official SDK looks for the URL of a metadata output among the videos.
    listed = "videos" if output == "metadata" else _LISTS[kind]
    return {"list": listed, "tag": tag, "output": output, "user_tag": user_tag, "index": index}


def status_document(
    task: Task, progress: Mapping[str, float] | None, base_url: str
) -> dict[str, Any]:
    """A task's entry in ``statuses``, as ``/v1/status`` documents it.

    ``progress`` is the percent of each output by tag while it is being encoded.
    ``size`` is in megabytes, ``source_size`` in bytes, ``duration`` in seconds
    and ``bitrate`` in kbit/s.
    """
    failed = task.state is TaskState.ERROR
    document: dict[str, Any] = {
        "status": str(task.state),
        "status_url": f"{base_url}/v1/status",
        "percent": _overall(task, progress),
        "error": int(failed),
        "error_description": task.error,
        "source_size": task.facts.get("source_size"),
        "duration": task.facts.get("duration"),
        "warnings": [*task.facts.get("warnings", ()), *task.notices],
        "payload": task.payload,
    }
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in _NAMED}
    for each in task.outputs:
        lists[each["list"]].append(_output(each, task, progress or {}, base_url))
    return {**document, **lists}


def _overall(task: Task, progress: Mapping[str, float] | None) -> float:
    if task.state in (TaskState.SAVING, TaskState.COMPLETED):
        return 100.0
    return round(sum(progress.values()) / len(progress), 3) if progress else 0.0


def _output(
    each: Mapping[str, Any], task: Task, progress: Mapping[str, float], base_url: str
) -> dict[str, Any]:
    """One output's entry. Its record says if it is ``stored``, or the ``error`` that it met."""
    stored, size = each.get("stored", False), each.get("size")
    error = each.get("error") or (None if stored else task.error)
    done = stored or task.state in (TaskState.SAVING, TaskState.COMPLETED)
    entry = {
        "tag": each["tag"],
        "user_tag": each["user_tag"],
        "profile": _profile(each, task),
        "status": _state(each, task),
        "percent": 100.0 if done and not error else round(progress.get(each["tag"], 0.0), 3),
        "url": _url(each, task, base_url),
        "storage": _storage(each, task, base_url),
        "output_format": each["output"],
        "size": None if size is None else size / 1_000_000,
        "bitrate": each.get("bitrate"),
        "duration": each.get("duration"),
        "meta": each.get("meta", {}),
        "error": int(error is not None),
        "error_description": error,
    }
    if each["list"] == "texts":
        _tell_of_text(entry)
    return entry


def _tell_of_text(entry: dict[str, Any]) -> None:
    """What the records of transcripts have beside the others': the language, the files' names."""
    meta = dict(entry["meta"])
    entry["detected_language"] = meta.get("detected_language")
    names = meta.pop("names", None)
    if names and entry["storage"]:
        entry["storage"] = {**entry["storage"], "names": names}
    entry["meta"] = meta


def _profile(each: Mapping[str, Any], task: Task) -> str | None:
    """The stored profile that asked for an output, if one did."""
    profiles: Sequence[str] = task.facts.get("profiles", ())
    index = each.get("index", len(profiles))
    return profiles[index] if index < len(profiles) else None


def _state(each: Mapping[str, Any], task: Task) -> str:
    if each.get("error"):
        return str(TaskState.ERROR)
    return str(TaskState.COMPLETED if each.get("stored") else task.state)


def _url(each: Mapping[str, Any], task: Task, base_url: str) -> str | None:
    if "path" in each:
        return f"{base_url}/v1/download/{task.key}/{quote(each['path'])}"
    return each.get("url")


def _storage(each: Mapping[str, Any], task: Task, base_url: str) -> dict[str, Any] | None:
    if "path" in each:
        suffix = PurePath(each["path"]).suffix.lstrip(".")
        host = urlsplit(base_url).netloc
        path = f"{task.key}/{each['path']}"
        return {"type": "local", "host": host, "path": path, "format": suffix}
    stored: dict[str, Any] | None = each.get("storage")
    return stored


def extension(wanted: Format) -> str:
    """The file name's ending for an output of one file, without the dot."""
    match wanted:
        case Mp4() | Repack():
            return wanted.file_extension
        case Thumbnail():
            return wanted.image_format
        case Metadata() | Vmaf():
            return "json"
        case Webm() | Mp3() | Flac() | Gif():
            return wanted.output
        case _:
            return ""
