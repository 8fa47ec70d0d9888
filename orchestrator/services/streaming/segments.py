"""The segments of one DASH Representation (ISO/IEC 23009-1, 5.3.9)."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from xml.etree.ElementTree import Element

from orchestrator.model.errors import OutputMissing

#: More files than this are no output that anybody made: six renditions of a day
#: in segments of a second have half as many.
MOST_FILES = 1_000_000

_IDENTIFIER = re.compile(r"\$(?:(RepresentationID|Bandwidth|Number|Time)(?:%0(\d{1,2})d)?)?\$")


@dataclass(frozen=True, slots=True)
class Found:
    """References of a Representation. ``heads`` hold no media; ``seconds`` is None if not told."""

    heads: tuple[str, ...]
    media: tuple[str, ...]
    seconds: float | None


class _Segment(NamedTuple):
    number: int
    time: int
    duration: int


def segments_of(levels: Sequence[Element], period: float | None) -> Found | None:
    """The segments by what Period, AdaptationSet and Representation say, the inner one stronger.

    ``period`` is the Period's length in seconds. None: the Representation is one
    file. Raises ``OutputMissing`` where they can't be told.
    """
    if templates := _all(levels, "SegmentTemplate"):
        return _by_template(templates, levels[-1].attrib, period)
    if lists := _all(levels, "SegmentList"):
        return _by_list(lists, period)
    return None


def _all(levels: Sequence[Element], name: str) -> list[Element]:
    return [found for level in levels if (found := level.find(name)) is not None]


def _by_template(
    templates: Sequence[Element], representation: Mapping[str, str], period: float | None
) -> Found:
    told: dict[str, str] = {}
    for each in templates:
        told |= each.attrib
    media = told.get("media")
    if not media:
        raise OutputMissing("it has a SegmentTemplate without media")
    scale = _whole(told, "timescale", 1) or 1
    timelines = _all(templates, "SegmentTimeline")
    listed = _timeline(timelines[-1], told, scale, period) if timelines else _even(told, period)
    segments = list(islice(listed, MOST_FILES + 1))
    if not segments or len(segments) > MOST_FILES:
        raise OutputMissing(f"it names {'too many segments' if segments else 'no segment'}")
    head = told.get("initialization") or _head(templates)
    return Found(
        (_filled(head, representation),) if head else (),
        tuple(_filled(media, representation, segment) for segment in segments),
        sum(segment.duration for segment in segments) / scale,
    )


def _head(levels: Sequence[Element]) -> str | None:
    found = _all(levels, "Initialization")
    return found[-1].get("sourceURL") if found else None


def _timeline(
    timeline: Element, told: Mapping[str, str], scale: int, period: float | None
) -> Iterator[_Segment]:
    """5.3.9.6: S@r repeats; -1 does until the next S, or the Period's end."""
    number, at = _whole(told, "startNumber", 1), 0
    begin = _whole(told, "presentationTimeOffset", 0)
    entries = timeline.findall("S")
    for place, entry in enumerate(entries):
        at = _whole(entry.attrib, "t", at)
        length = _whole(entry.attrib, "d", 0)
        if length < 1:
            raise OutputMissing("it has a segment without a duration")
        repeat = _whole(entry.attrib, "r", 0)
        if repeat < 0:
            later = entries[place + 1].get("t") if place + 1 < len(entries) else None
            end = _end(later, begin, scale, period)
            repeat = max(1, math.ceil((end - at) / length)) - 1
        for _ in range(repeat + 1):
            yield _Segment(number, at, length)
            number, at = number + 1, at + length


def _end(later: str | None, begin: int, scale: int, period: float | None) -> float:
    if later is not None:
        return _whole({"t": later}, "t", 0)
    if period is None:
        raise OutputMissing("it says nowhere where its last segment ends")
    return begin + period * scale


def _even(told: Mapping[str, str], period: float | None) -> Iterator[_Segment]:
    """Segments of one duration, until the Period's end or ``endNumber``."""
    scale, length = _whole(told, "timescale", 1) or 1, _whole(told, "duration", 0)
    first = _whole(told, "startNumber", 1)
    if length < 1 or period is None:
        raise OutputMissing("it says nowhere how many segments there are")
    left = round(period * scale)
    last = _whole(told, "endNumber", first + math.ceil(left / length) - 1)
    for number in range(first, last + 1):
        at = (number - first) * length
        yield _Segment(number, at, max(0, min(length, left - at)))


def _by_list(lists: Sequence[Element], period: float | None) -> Found:
    urls = [each.get("media") for each in lists[-1].findall("SegmentURL")]
    media = tuple(url for url in urls if url)
    if not media:
        raise OutputMissing("it has a SegmentList that names no file")
    head = _head(lists)
    return Found((head,) if head else (), tuple(dict.fromkeys(media)), period)


def _filled(
    template: str, representation: Mapping[str, str], segment: _Segment | None = None
) -> str:
    """5.3.9.4.4: identifiers between dollar signs; two of these are one."""

    def value(found: re.Match[str]) -> str:
        match found[1]:
            case None:
                return "$"
            case "RepresentationID":
                return representation.get("id", "")
            case "Bandwidth":
                number = _whole(representation, "bandwidth", 0)
            case "Number" if segment:
                number = segment.number
            case "Time" if segment:
                number = segment.time
            case _:
                raise OutputMissing("it has a name that would need a segment's number")
        return f"{number:0{int(found[2] or 1)}d}"

    return _IDENTIFIER.sub(value, template)


def _whole(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", text.strip()):
        raise OutputMissing(f"its {name} is {text[:20]!r}, which is no whole number")
    return int(text)
