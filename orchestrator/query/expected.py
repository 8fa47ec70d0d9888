"""What each output of a job should be, by the job's query. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from orchestrator.model.items import Item, Output
from orchestrator.query.outputs import OUTPUTS, Metadata, Mp4, Thumbnail, Thumbnails
from orchestrator.query.templates import DocumentTemplate


class Shape(StrEnum):
    """What kind of thing an output is."""

    #: One file with streams.
    MEDIA = "media"
    #: One still image.
    IMAGE = "image"
    #: A folder of images and the WebVTT file that names them.
    IMAGES = "images"
    #: A JSON document.
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Expected:
    """What one output should be.

    ``streams`` holds ffprobe's words for what is in it: ``video`` and the like;
    ``if_in_source`` those that only a source which has them gives. ``frame`` is
    width and height where the query names both; a service that was not asked to
    ``upscale`` may leave a smaller source as it is. ``start`` and ``length`` say
    which part of the source it holds, in seconds; without ``length`` all the rest.
    """

    shape: Shape
    streams: frozenset[str] = frozenset()
    if_in_source: frozenset[str] = frozenset()
    frame: tuple[int, int] | None = None
    upscale: bool = False
    image_format: str = ""
    start: float = 0.0
    length: float | None = None

    def seconds(self, source: float) -> float:
        """How long it should be, of a source of so many seconds."""
        left = max(0.0, source - self.start)
        return left if self.length is None else min(self.length, left)


_Format = Mp4 | Thumbnail | Thumbnails | Metadata

#: The lists that services sort outputs into, by what a query calls an output.
_KINDS = {"mp4": "video", "thumbnail": "image", "thumbnails": "image", "metadata": "text"}


class Expectations:
    """Tells what an item's outputs should be. Made once per job."""

    def __init__(self, query: Mapping[str, Any]) -> None:
        formats = query.get("format")
        wanted = [_without_places(each) for each in formats] if isinstance(formats, list) else []
        # Only what an expectation depends on, so that most jobs have one for all items.
        self._query = DocumentTemplate({"format": wanted, "upscale": query.get("upscale", 0)})
        self._same = None if self._query.names else _read(self._query.render({}))

    def of(self, item: Item, output: Output) -> Expected | None:
        """What ``output`` should be; None where the query does not tell."""
        formats, upscale = self._same or _read(self._query.render(item.fields))
        found = _format_of(output, formats)
        return None if found is None else _expected(found, upscale=upscale)


def _without_places(wanted: Any) -> Any:
    """A format without where it is stored: that may hold secrets and says nothing of it."""
    if not isinstance(wanted, Mapping):
        return {}
    return {name: value for name, value in wanted.items() if name != "destination"}


def _read(query: Mapping[str, Any]) -> tuple[list[_Format | None], bool]:
    formats = [_format(wanted) for wanted in query["format"]]
    return formats, query["upscale"] in (1, "1", True, "true")


def _format(wanted: Mapping[str, Any]) -> _Format | None:
    model = OUTPUTS.get(str(wanted.get("output")))
    if model is None:
        return None
    try:
        return model.model_validate(wanted)
    except ValidationError:
        # A value that only the service can make sense of, such as a secret's.
        return None


def _format_of(output: Output, formats: Sequence[_Format | None]) -> _Format | None:
    """The format that an output was made for.

    By the client's own tag where that names one format; else by its place among
    those of its kind, which a system tag ends in (``video-0-1``: the second).
    """
    named = [each for each in formats if each and each.tag and each.tag == output.user_tag]
    if len(named) == 1:
        return named[0]
    if None in formats:
        return None  # places can't be counted
    kind = [each for each in formats if each and _KINDS[each.output] == output.kind]
    if len(kind) == 1:
        return kind[0]
    place = output.tag.rpartition("-")[2]
    if place.isascii() and place.isdecimal() and int(place) < len(kind):
        return kind[int(place)]
    return None


def _expected(wanted: _Format, *, upscale: bool) -> Expected:
    match wanted:
        case Mp4():
            return Expected(
                Shape.MEDIA,
                streams=frozenset({"video"}),
                if_in_source=frozenset({"audio"}),
                frame=_frame(wanted),
                upscale=upscale,
                start=wanted.start_time,
                length=wanted.duration,
            )
        case Thumbnail():
            frame, kind = _frame(wanted), wanted.image_format
            return Expected(Shape.IMAGE, frame=frame, upscale=True, image_format=kind)
        case Thumbnails():
            frame, kind = _frame(wanted), wanted.image_format
            return Expected(Shape.IMAGES, frame=frame, upscale=True, image_format=kind)
        case Metadata():
            return Expected(Shape.JSON)


def _frame(wanted: Mp4 | Thumbnail | Thumbnails) -> tuple[int, int] | None:
    """``resolution`` overrules the sides, and leaves one of them to the source."""
    width, height = wanted.box
    if width is None or height is None or wanted.resolution is not None:
        return None
    return width, height
