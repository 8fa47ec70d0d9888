"""Reads one task's entry in the answer of ``/v1/status``.

Lenient by design: numbers come as strings or "None", ``meta`` as an object or
as JSON in a string, and fields are missing. Nothing here raises.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.errors import EncodeFailed, Transient
from orchestrator.model.items import Output
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.services.qencode_answers import code_of
from orchestrator.services.redact import scrub
from orchestrator.services.refusals import as_document
from orchestrator.services.urls import relative

_PHASES: Mapping[str, Phase] = {
    "queued": Phase.QUEUED,
    "downloading": Phase.RUNNING,
    "encoding": Phase.RUNNING,
    "saving": Phase.SAVING,
    "completed": Phase.DONE,
    "saved": Phase.DONE,
    "error": Phase.FAULTED,
    "failed": Phase.FAULTED,
}
_NOT_STARTED = frozenset({"", "created", "none", "null"})
_LISTS = {"videos": "video", "audios": "audio", "images": "image", "texts": "text"}
_KINDS = frozenset(_LISTS.values())

#: The documents' example has 10.077 s at 142 kbit/s as 0.179412: a million bytes each.
_MEGABYTE = 1_000_000

_JOB_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_RESTARTED = "retry on error triggered"

#: A refusal by somebody else's server does not pass, whatever else the text says.
_LASTING = re.compile(r"(?i)\b(?:40[0-79]|41\d)\b|not found|forbidden|denied|unauthori[sz]ed")
_PASSING = re.compile(
    r"(?i)time[sd]?[ -]?out|timeout|temporar|try again|no space|out of memory|disk (?:is )?full"
    r"|network|connection|internal (?:server )?error|unavailable|interrupted|\b50[0234]\b"
)


def read_status(task: str, doc: Any, base: str, secrets: set[str]) -> TaskReport | None:
    """What ``doc`` says of ``task``; None where it is not known, or was never started.

    URLs under ``base`` become relative. ``secrets`` are blanked in messages.
    """
    if not isinstance(doc, dict):
        return None
    said = _text(doc.get("status")).lower()
    failed = code_of(doc.get("error")) != 0
    if said in _NOT_STARTED and not failed:
        return None
    phase = Phase.FAULTED if failed else _PHASES.get(said, Phase.RUNNING)
    url = _text(doc.get("status_url"))
    return TaskReport(
        task=task,
        phase=phase,
        percent=min(max(_number(doc.get("percent")) or 0.0, 0.0), 100.0),
        status_url=relative(url, base) if url.startswith(("http://", "https://")) else None,
        duration=_number(doc.get("duration")),
        outputs=tuple(_outputs(doc, base)),
        warnings=tuple([scrub(text, secrets) for text in _warnings(doc)]),
        fault=_fault(doc, secrets) if phase is Phase.FAULTED else None,
        replaced_by=_replacement(task, doc) if phase is Phase.FAULTED else None,
    )


def _fault(doc: Mapping[str, Any], secrets: set[str]) -> EncodeFailed | Transient:
    text = scrub(_text(doc.get("error_description")), secrets)
    message = text or "the service gave no reason"
    passing = bool(_PASSING.search(text)) and not _LASTING.search(text)
    return Transient(message) if passing else EncodeFailed(message)


def _outputs(doc: Mapping[str, Any], base: str) -> Iterator[Output]:
    for field, each in _listed(doc):
        url, tag = _text(each.get("url")), _text(each.get("tag"))
        if url:
            yield _output(each, _kind(tag, _LISTS[field]), tag, relative(url, base))


def _kind(tag: str, listed: str) -> str:
    """The system tag knows better than the list: a metadata output stands among the videos."""
    named = tag.partition("-")[0]
    return named if named in _KINDS else listed


def _output(each: Mapping[str, Any], kind: str, tag: str, url: str) -> Output:
    size, bitrate = _number(each.get("size")), _number(each.get("bitrate"))
    return Output(
        tag=tag,
        kind=kind,
        url=url,
        user_tag=_text(each.get("user_tag")) or None,
        size=None if size is None or size < 0 else round(size * _MEGABYTE),
        duration=_number(each.get("duration")),
        bitrate=None if bitrate is None else round(bitrate),
        meta=_meta(each.get("meta")),
    )


def _meta(value: Any) -> Mapping[str, Any]:
    doc = as_document(value.encode("utf-8", "replace")) if isinstance(value, str) else value
    return doc if isinstance(doc, dict) else {}


def _warnings(doc: Mapping[str, Any]) -> Iterator[str]:
    for each in _objects(doc.get("warnings")):
        parts = (_text(each.get(name)) for name in ("tag", "message", "details"))
        if text := ": ".join(part for part in parts if part):
            yield text
    if code_of(doc.get("error")):
        return
    for field, each in _listed(doc):
        if code_of(each.get("error")):
            reason = _text(each.get("error_description")) or "it was not made"
            yield f"{_text(each.get('tag')) or field}: {reason}"


def _replacement(task: str, doc: Mapping[str, Any]) -> str | None:
    """The job that ``retry_on_error`` began in place of this one, by its warning."""
    for each in _objects(doc.get("warnings")):
        text = f"{_text(each.get('message'))} {_text(each.get('details'))}".lower()
        if _RESTARTED in text:
            named = [found for found in _JOB_ID.findall(text) if found != task]
            if named:
                return str(named[-1])
    return None


def _listed(doc: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the four lists of outputs hold, each with the list's name."""
    for field in _LISTS:
        if listed := doc.get(field):
            for each in _objects(listed):
                yield field, each


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
