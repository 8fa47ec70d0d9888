"""Reads DASH manifests (ISO/IEC 23009-1): every file that they name, and what it should be."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from orchestrator.model.errors import OutputMissing
from orchestrator.services.streaming.segments import MOST_FILES, segments_of
from orchestrator.services.streaming.xml import read_xml

_DURATION = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d*)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class Representation:
    """One Representation, over all Periods. ``media`` and ``heads`` are URLs.

    ``kind`` is ``video``, ``audio`` or ``subtitle``; "" where it is not told.
    ``seconds`` is None where only the files themselves tell.
    """

    name: str
    kind: str
    frame: tuple[int, int] | None
    heads: tuple[str, ...]
    media: tuple[str, ...]
    seconds: float | None
    protected: bool


def read_mpd(data: bytes, url: str) -> tuple[Representation, ...]:
    """What the manifest at ``url`` names. Raises ``OutputMissing`` where that can't be told."""
    root = read_xml(data)
    if root.tag != "MPD":
        raise OutputMissing(f"it is no DASH manifest: its root is <{root.tag[:40]}>")
    if root.get("type", "static") != "static":
        raise OutputMissing("it is of a live stream, which has no end")
    found: dict[str, Representation] = {}
    for each in _representations(root, url):
        known = found.get(each.name)
        found[each.name] = _joined(known, each) if known else each
    if not found:
        raise OutputMissing("it names no Representation")
    if sum(len(each.media) for each in found.values()) > MOST_FILES:
        raise OutputMissing("it names too many segments")
    return tuple(found.values())


def _joined(one: Representation, more: Representation) -> Representation:
    """The same Representation in the next Period."""
    seconds = None
    if one.seconds is not None and more.seconds is not None:
        seconds = one.seconds + more.seconds
    return Representation(
        *(one.name, one.kind, one.frame),
        tuple(dict.fromkeys((*one.heads, *more.heads))),
        tuple(dict.fromkeys((*one.media, *more.media))),
        seconds,
        one.protected or more.protected,
    )


def _representations(root: Element, url: str) -> Iterator[Representation]:
    whole = _seconds(root.get("mediaPresentationDuration"))
    base = _base(root, url)
    periods = root.findall("Period")
    for period in periods:
        length = _seconds(period.get("duration"))
        if length is None and len(periods) == 1:
            length = whole
        if any(name.endswith("href") for name in period.attrib):
            raise OutputMissing("it keeps a Period elsewhere (xlink), which is not followed")
        within = _base(period, base)
        for group in period.findall("AdaptationSet"):
            near = _base(group, within)
            for each in group.findall("Representation"):
                yield _read((period, group, each), _base(each, near), length)


def _read(levels: Sequence[Element], base: str, period: float | None) -> Representation:
    _, group, each = levels
    found = segments_of(levels, period)
    told = {**group.attrib, **each.attrib}
    protected = any(level.find("ContentProtection") is not None for level in (group, each))
    return Representation(
        name=told.get("id", ""),
        kind=_kind(told.get("contentType") or told.get("mimeType", "")),
        frame=_frame(told.get("width", ""), told.get("height", "")),
        heads=tuple(urljoin(base, name) for name in found.heads) if found else (),
        media=tuple(urljoin(base, name) for name in found.media) if found else (base,),
        seconds=found.seconds if found else None,
        protected=protected,
    )


def _base(level: Element, url: str) -> str:
    """5.6: relative to the level above; of several the first, which players take first too."""
    named = level.findtext("BaseURL")
    return urljoin(url, named.strip()) if named and named.strip() else url


def _kind(told: str) -> str:
    kind = told.partition("/")[0].lower()
    return {"text": "subtitle", "video": "video", "audio": "audio"}.get(kind, "")


def _frame(width: str, height: str) -> tuple[int, int] | None:
    sides = (width, height)
    return (int(width), int(height)) if all(re.fullmatch(r"\d{1,5}", s) for s in sides) else None


def _seconds(text: str | None) -> float | None:
    """An ``xs:duration`` of days and less; None where there is none that can be read."""
    found = _DURATION.fullmatch((text or "").strip())
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
