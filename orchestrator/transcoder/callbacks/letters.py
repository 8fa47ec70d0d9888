"""The body of a callback, as the documents have it (Receive Callbacks). Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

#: The whole job's, one output's or stream's, and a playlist that was written again
#: (the last as the vendor's notes name it).
TASK, SUBTASK, STREAM = "task", "subtask", "stream"


#: What a body is written in.
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class Letter:
    """One callback: where it goes, and its form; a mail where it goes to ``mailto:``."""

    url: str
    body: str
    type: str = FORM


def form(
    token: str,
    event: str,
    status: Mapping[str, Any],
    payload: str | None,
    *,
    type_: str = TASK,
    tag: str | None = None,
) -> str:
    """``application/x-www-form-urlencoded``; ``tag`` names the output of a subtask."""
    fields = {
        "task_token": token,
        "event": event,
        "callback_type": type_,
        "payload": payload or "",
        "status": json.dumps(status),
    }
    if tag is not None:
        fields["tag"] = tag
    if event == "error":
        fields |= {"error_code": "1", "error_message": _reason(status, tag)}
    return urlencode(fields)


def _reason(status: Mapping[str, Any], tag: str | None) -> str:
    """What the status says of the task, or of one output."""
    if tag is None:
        return status["error_description"] or ""
    for name in ("videos", "audios", "images", "texts"):
        for each in status[name]:
            if each["tag"] == tag:
                return each["error_description"] or ""
    return ""
